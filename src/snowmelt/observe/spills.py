"""What the engine puts on disk for want of memory, once per load, run, audit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.events import (
    AuditFinished,
    AuditStarted,
    CopyFinished,
    CopyStarted,
    Event,
    Events,
    ReplayFinished,
    ReplayStarted,
    RunFinished,
    RunStarted,
    Spilled,
)

LOOK_EVERY_SECONDS = 0.2


@dataclass
class _UnderWay:
    """A piece of work: whose it is, since when, and the most that was on disk."""

    pipe_name: str | None
    run_id: str | None
    started_at: datetime
    peak: int = 0


class SpillWatch:
    """A sink that looks at the disk while loads, runs, replays and audits are at work.

    The engine lets go of the disk before a load or run ends, so a thread looks now and
    then: one for all, which sleeps while nothing is under way. What is on disk is of
    the engine as a whole: of all that is under way, each is told the most there was.
    """

    def __init__(
        self, spilled_bytes: Callable[[], int], memory_bytes: int, events: Events
    ) -> None:
        self._spilled_bytes = spilled_bytes
        self._memory_bytes = memory_bytes
        self._events = events
        self._under_way: dict[tuple[str, str], _UnderWay] = {}
        self._busy = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread."""
        if isinstance(event, CopyStarted):
            self._begin("copy", event.pipe_name, None, event.started_at)
        elif isinstance(event, ReplayStarted):
            self._begin("replay", event.pipe_name, None, event.started_at)
        elif isinstance(event, RunStarted):
            self._begin("run", None, event.run_id, event.started_at)
        elif isinstance(event, AuditStarted):
            self._begin("audit", None, event.audit_id, event.started_at)
        else:
            self._end_of(event)

    def _end_of(self, event: Event) -> None:
        if isinstance(event, CopyFinished):
            self._end("copy", event.pipe_name, event.ended_at)
        elif isinstance(event, ReplayFinished):
            self._end("replay", event.pipe_name, event.ended_at)
        elif isinstance(event, RunFinished):
            self._end("run", event.run_id, event.ended_at)
        elif isinstance(event, AuditFinished):
            self._end("audit", event.audit_id, timedelta(seconds=event.seconds))

    def look(self) -> None:
        """Take note of what is on disk."""
        spilled = self._spilled_bytes()
        with self._lock:
            for each in self._under_way.values():
                each.peak = max(each.peak, spilled)

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._busy.set()
        if self._thread is not None:
            self._thread.join()

    def _begin(
        self, kind: str, pipe_name: str | None, run_id: str | None, at: datetime
    ) -> None:
        name = pipe_name or run_id or ""
        with self._lock:
            self._under_way[kind, name] = _UnderWay(pipe_name, run_id, at)
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(
                    target=self._watch, name="spills", daemon=True
                )
                self._thread.start()
            self._busy.set()

    def _watch(self) -> None:
        while self._busy.wait() and not self._closed.wait(LOOK_EVERY_SECONDS):
            self.look()

    def _end(self, kind: str, name: str, ended: datetime | timedelta) -> None:
        with self._lock:
            work = self._under_way.pop((kind, name), None)
            if not self._under_way and not self._closed.is_set():
                self._busy.clear()
        if work is None or not work.peak:
            return
        began = work.started_at
        ended_at = began + ended if isinstance(ended, timedelta) else ended
        self._events.emit(
            Spilled(
                work.pipe_name,
                work.run_id,
                work.peak,
                self._memory_bytes,
                began,
                ended_at,
            )
        )


@contextmanager
def watched_spills(
    spilled_bytes: Callable[[], int], memory_bytes: int, events: Events
) -> Iterator[None]:
    """Tell of what is put on disk while the block lasts."""
    watch = SpillWatch(spilled_bytes, memory_bytes, events)
    events.subscribe(watch)
    try:
        yield
    finally:
        watch.close()
