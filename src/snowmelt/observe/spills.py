"""What the engine puts on disk for want of memory, told once per load and run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from snowmelt.events import (
    CopyFinished,
    CopyStarted,
    Event,
    Events,
    RunFinished,
    RunStarted,
    Spilled,
)

LOOK_EVERY_SECONDS = 0.2


class SpillWatch:
    """A sink that looks at the disk while loads and runs are under way.

    The engine lets go of the disk before a load or run ends, so a thread looks now and
    then; while nothing is under way there is none. What is on disk is of the engine as
    a whole: of all that is under way, each is told the most that there was.
    """

    def __init__(
        self, spilled_bytes: Callable[[], int], memory_bytes: int, events: Events
    ) -> None:
        self._spilled_bytes = spilled_bytes
        self._memory_bytes = memory_bytes
        self._events = events
        self._peaks: dict[str, int] = {}
        self._idle = threading.Event()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread."""
        if isinstance(event, CopyStarted):
            self._begin(event.pipe_name)
        elif isinstance(event, RunStarted):
            self._begin(event.run_id)
        elif isinstance(event, CopyFinished):
            self._end(event, event.pipe_name, pipe_name=event.pipe_name)
        elif isinstance(event, RunFinished):
            self._end(event, event.run_id, run_id=event.run_id)

    def look(self) -> None:
        """Take note of what is on disk."""
        spilled = self._spilled_bytes()
        with self._lock:
            for name, peak in self._peaks.items():
                self._peaks[name] = max(peak, spilled)

    def close(self) -> None:
        """Look no more."""
        self._idle.set()

    def _begin(self, name: str) -> None:
        with self._lock:
            is_first = not self._peaks
            self._peaks[name] = 0
            if is_first:
                self._idle = threading.Event()
                watch = threading.Thread(
                    target=self._watch, args=(self._idle,), name="spills", daemon=True
                )
                watch.start()

    def _watch(self, idle: threading.Event) -> None:
        while not idle.wait(LOOK_EVERY_SECONDS):
            self.look()

    def _end(
        self,
        event: CopyFinished | RunFinished,
        name: str,
        *,
        pipe_name: str | None = None,
        run_id: str | None = None,
    ) -> None:
        with self._lock:
            peak = self._peaks.pop(name, 0)
            if not self._peaks:
                self._idle.set()
        if peak:
            times = (event.started_at, event.ended_at)
            self._events.emit(
                Spilled(pipe_name, run_id, peak, self._memory_bytes, *times)
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
