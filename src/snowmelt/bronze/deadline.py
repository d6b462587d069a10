"""A limit to how long a file may be read."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from snowmelt.errors import SlowError


class Deadline:
    """Interrupts the engine when the time is over; our own loops ask it.

    As a context it runs for the length of a block, and turns the failure of a
    statement that it interrupted into a SlowError.
    """

    def __init__(self, limit: timedelta, interrupt: Callable[[], None]) -> None:
        self._limit = limit
        self._interrupt = interrupt
        self._over = threading.Event()
        self._timer = threading.Timer(limit.total_seconds(), self._end)
        self._timer.daemon = True

    def check(self) -> None:
        """Raise SlowError when the time is over."""
        if self._over.is_set():
            seconds = self._limit.total_seconds()
            raise SlowError(
                "", f"reading took longer than {seconds:g} s (limits.load_timeout)"
            )

    def _end(self) -> None:
        self._over.set()
        self._interrupt()

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if error is not None:
            self.check()
