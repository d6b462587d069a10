"""The driver: it lets files arrive by the clock, and asks gold for them.

It is a process of its own beside the service, and asks by the service's own door. A
poll asks for one small row: which run was published last. Only after a new one are
the keys of all files asked for that are not there yet, in one query.

A query costs the service a millisecond or two of CPU, so that asking all the time
would slow down what is measured. Each commit is written to the warehouse's files;
whether they changed costs a microsecond to see, from outside. The service is asked as
often as it may be for a while after they did, and else only now and then.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

from bench.live.stream import Arriving, markers_query, version_shown
from snowmelt.clock import SystemClock
from snowmelt.serve.client import ServiceClient

LAST_RUN = (
    "select count(*), max(run_id) from snowmelt.run_history where state = 'SUCCEEDED'"
)
ALERT_SECONDS = 0.05
HEARTBEAT_SECONDS = 0.05


@dataclass
class Arrived:
    """A file that was renamed into place, and when gold was seen to have it."""

    file: Arriving
    landed_at: float
    visible_at: float | None = None

    @property
    def seconds(self) -> float:
        assert self.visible_at is not None
        return self.visible_at - self.landed_at


@dataclass
class Watch:
    """Asks for files until they are there. Instants are those of perf_counter."""

    client: ServiceClient
    warehouse: Path
    arrived: list[Arrived] = field(default_factory=list)
    polls: int = 0
    key_polls: int = 0
    cpu_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._outstanding: list[Arrived] = []
        self._lock = threading.Lock()
        self._last: Any = None
        self._files: tuple[float, ...] = ()
        self._changed_at = self._polled_at = perf_counter()

    def expect(self, file: Arriving) -> None:
        """Note a file that is renamed now."""
        each = Arrived(file, perf_counter())
        with self._lock:
            self.arrived.append(each)
            self._outstanding.append(each)

    @property
    def outstanding(self) -> Sequence[Arrived]:
        with self._lock:
            return list(self._outstanding)

    def poll_if_due(self) -> None:
        """Ask, if the warehouse changed lately or was not asked for a while."""
        before, now = thread_time(), perf_counter()
        files = self._look_at_files()
        if files != self._files:
            self._files, self._changed_at = files, now
        is_alert = now - self._changed_at < ALERT_SECONDS
        if is_alert or now - self._polled_at >= HEARTBEAT_SECONDS:
            self._polled_at = now
            self._poll()
        self.cpu_seconds += thread_time() - before

    def _look_at_files(self) -> tuple[float, ...]:
        found: list[float] = []
        for path in (self.warehouse, Path(f"{self.warehouse}.wal")):
            try:
                seen = path.stat()
            except FileNotFoundError:
                continue
            found += [seen.st_size, seen.st_mtime_ns]
        return tuple(found)

    def _poll(self) -> None:
        """Ask once; note the files that are there."""
        last = self.client.query(LAST_RUN, None)["rows"][0]
        self.polls += 1
        if last != self._last:
            self._last = last
            self._ask_for_keys()

    def _ask_for_keys(self) -> None:
        wanted = self.outstanding
        if not wanted:
            return
        query = markers_query(each.file for each in wanted)
        rows = self.client.query(query, None)["rows"]
        self.key_polls += 1
        now = perf_counter()
        values = {(kind, key): value for kind, key, value in rows}
        for each in wanted:
            value = values.get((each.file.kind, each.file.marker))
            if value is None or version_shown(each.file, value) < each.file.version:
                continue
            each.visible_at = now
            with self._lock:
                self._outstanding.remove(each)


def poll_until(
    watch: Watch,
    poll_seconds: float,
    is_done: Callable[[], bool],
    is_idle: Callable[[], bool] = lambda: False,
) -> None:
    """Poll when it is due, seen to by the clock; not at all while `is_idle`."""
    clock, nobody = SystemClock(), threading.Event()
    due = perf_counter()
    while not is_done():
        if not is_idle():
            watch.poll_if_due()
        due = max(due + poll_seconds, perf_counter())
        clock.wait(nobody, max(due - perf_counter(), 0.001))


def bring_by_the_clock(
    files: Sequence[tuple[Arriving, Path]],
    landing: Path,
    watch: Watch,
    every_seconds: float,
    stopping: threading.Event,
) -> None:
    """Rename files into `landing`, one by one; their time of change is then."""
    clock = SystemClock()
    begun = perf_counter()
    for number, (file, path) in enumerate(files):
        wait = begun + number * every_seconds - perf_counter()
        if wait > 0 and clock.wait(stopping, wait):
            return
        os.utime(path)
        watch.expect(file)
        path.replace(landing / file.name)
