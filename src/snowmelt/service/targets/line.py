"""A session with an account that is waited for so long and no longer.

A network that drops is noticed by no one: whoever sent a statement waits for what the
operating system and the connector take to be a while, which is minutes. So a statement
is sent by a thread of its own. When its answer is late, the session is let go of with
it, and the next statement opens another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from snowmelt.clock import Clock
from snowmelt.deploy.opening import AccountSession
from snowmelt.deploy.snowflake.session import Row
from snowmelt.errors import SnowmeltError, UnreachableError

_CLOSING_SECONDS = 5.0
Open = Callable[[], AccountSession]


class LateError(UnreachableError):
    """No answer came in time; one may be under way."""


class Line:
    """Sends one statement at a time, over a session that it opens and replaces."""

    def __init__(self, open_session: Open, clock: Clock) -> None:
        self._open = open_session
        self._clock = clock
        self._held = _Held(open_session)

    def rows(self, statement: str, seconds: float) -> list[Row]:
        """Return the answer. Raises LateError when it takes longer than that.

        Signing in, where it is needed, is part of it.
        """
        answer: Future[list[Row]] = Future()
        is_there = threading.Event()
        answer.add_done_callback(lambda _: is_there.set())
        if seconds > 0:
            _start(self._held.ask, statement, answer)
        if seconds <= 0 or not self._clock.wait(is_there, seconds):
            self.end()
            told = f"it did not answer within {seconds:.0f} seconds"
            raise LateError(
                " ".join(statement.split())[:160],
                told,
                "Look at the network, and at what its warehouse has to do.",
            )
        return answer.result()

    def end(self, *, is_orderly: bool = False) -> None:
        """Let go of the session. It is closed when its last answer is there.

        `is_orderly`: wait a little until it is.
        """
        held, self._held = self._held, _Held(self._open)
        closing = _start(held.close)
        if is_orderly:
            closing.join(_CLOSING_SECONDS)


class _Held:
    """One session and the statement that is under way on it."""

    def __init__(self, open_session: Open) -> None:
        self._open = open_session
        self._session: AccountSession | None = None
        self._lock = threading.Lock()

    def ask(self, statement: str, answer: Future[list[Row]]) -> None:
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._open()
                answer.set_result(self._session.rows(statement))
            except Exception as error:  # noqa: BLE001 - who waits is told
                answer.set_exception(error)

    def close(self) -> None:
        with self._lock, suppress(SnowmeltError):
            if self._session is not None:
                self._session.close()


def _start(call: Callable[..., None], *given: object) -> threading.Thread:
    thread = threading.Thread(target=call, args=given, name="account", daemon=True)
    thread.start()
    return thread
