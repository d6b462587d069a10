"""Telling others of events without waiting for them.

An event is put down in a few microseconds, on whatever thread it is told. A thread of
the outbox's own loads the library, puts events together and sends. Whoever listens may
be slow or gone: beyond a limit the oldest events are lost, and it is told how many.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from snowmelt.events import Event, StatementFinished
from snowmelt.observe.export.told import TAKEN, Gathering, Told

log = logging.getLogger("snowmelt")
QUERY_CHARS_MAX = 4000
IDLE_SECONDS = 1.0
PROBLEMS_EVERY = 100
"""Of problems one after the other, one of so many is logged."""


class Exporter(Protocol):
    """Sends what is told to a receiver; it may wait, and it may raise."""

    def send(self, told: Told) -> None:
        """Send what is told, or raise."""

    def close(self, seconds: float) -> None:
        """Send what is left, for so long at most."""


class Outbox:
    """A sink whose events are sent by a thread of its own.

    `lost`: how many could not be kept, `failed`: how often sending failed.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Exporter],
        *,
        waiting_max: int,
        statements: bool = True,
    ) -> None:
        self.lost = 0
        self.failed = 0
        self._name = name
        self._make = make
        self._statements = statements
        self._waiting: deque[Event] = deque(maxlen=waiting_max)
        self._came = threading.Condition()
        self._closing = False
        self._close_seconds = 0.0
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._begun = False

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread, and at once."""
        if not isinstance(event, TAKEN):
            return
        if isinstance(event, StatementFinished):
            if not self._statements:
                return
            if len(event.sql) > QUERY_CHARS_MAX:
                event = replace(event, sql=event.sql[:QUERY_CHARS_MAX])
        with self._came:
            if self._closing:
                return
            self.lost += len(self._waiting) == self._waiting.maxlen
            self._waiting.append(event)
            if not self._begun:
                self._begun = True
                self._thread.start()
            self._came.notify()

    def end(self, seconds: float) -> None:
        """Take no more; what waits is sent, for so long at most."""
        with self._came:
            self._closing = True
            self._close_seconds = seconds
            self._came.notify()

    def close(self, seconds: float) -> None:
        """Wait so long for what was to be sent; what is left then is lost."""
        self.end(seconds)
        if self._begun:
            self._thread.join(seconds)
        left = len(self._waiting)
        if self.lost or left:
            log.warning("%s: %d events were not told", self._name, self.lost + left)

    def _work(self) -> None:
        try:
            exporter = self._make()
        except Exception as error:  # noqa: BLE001 - the library's, whichever
            log.warning("%s could not be begun: %s", self._name, error)
            with self._came:
                self._closing = True
                self._waiting.clear()
            return
        gathering = Gathering()
        while True:
            event = self._next()
            told = gathering.settle() if event is None else gathering.of(event)
            for each in told:
                self._send(exporter, each)
            if event is None and self._closing:
                break
        try:
            exporter.close(self._close_seconds)
        except Exception as error:  # noqa: BLE001 - the receiver's, whichever
            self._note(error)

    def _next(self) -> Event | None:
        """Return the next event; None when none came for a while, or none will."""
        with self._came:
            if not self._waiting and not self._closing:
                self._came.wait(IDLE_SECONDS)
            return self._waiting.popleft() if self._waiting else None

    def _send(self, exporter: Exporter, told: Told) -> None:
        try:
            exporter.send(told)
        except Exception as error:  # noqa: BLE001 - the receiver's, whichever
            self._note(error)

    def _note(self, error: Exception) -> None:
        if self.failed % PROBLEMS_EVERY == 0:
            log.warning("%s: what happened could not be told: %s", self._name, error)
        self.failed += 1
