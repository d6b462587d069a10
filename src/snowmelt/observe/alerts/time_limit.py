"""A limit to how long sending a message may take, whatever it hangs in."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from snowmelt.observe.alerts.sinks.sending import SendError

log = logging.getLogger("snowmelt")


class TimeLimit:
    """Sends on a thread of its own, which is left behind when it takes too long.

    One thread at most is left behind for each sink: until it ends, nothing is sent.
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def run(self, send: Callable[[], None], seconds_max: float) -> None:
        """Raise SendError when sending fails, or is not done in time."""
        if self._thread is not None and self._thread.is_alive():
            raise SendError("the try before it is still under way")
        failed: list[SendError] = []
        ended = threading.Event()

        def attempt() -> None:
            try:
                send()
            except SendError as error:
                failed.append(error)
            except Exception as error:  # noqa: BLE001 - whatever a sink raises
                log.warning("a sink of alerts failed: %s", type(error).__name__)
                failed.append(SendError(f"it failed: {type(error).__name__}"))
            finally:
                ended.set()

        thread = threading.Thread(target=attempt, name="alert", daemon=True)
        self._thread = thread
        thread.start()
        if not ended.wait(seconds_max):
            raise SendError(f"no answer within {seconds_max:g} s")
        self._thread = None
        if failed:
            raise failed[0]
