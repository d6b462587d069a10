"""The log in the warehouse: what happened, step by step and statement by statement.

Events become rows that wait in memory, and are written in transactions of their own,
in a lane of its own, best while nothing else is under way. So no file waits for the
log, and no load fails of it: where the warehouse cannot be written to, the oldest
rows are lost in the end, and it is told how many.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.clock import Clock
from snowmelt.events import Event, Events
from snowmelt.landing.config import Duration, duration_field
from snowmelt.observe.log_rows import LogRow, LogRows, Step
from snowmelt.observe.retention import Horizons, forget_before
from snowmelt.warehouse.port import Warehouse

log = logging.getLogger("snowmelt")
ROWS_WRITTEN_MAX = 2000
PAUSE_SECONDS = 1.0
RETRY_SECONDS = 10.0
TIDY_EVERY_LEAST, TIDY_EVERY_MOST = 10.0, 3600.0
TIDIED_IN_A_PERIOD = 100
"""So often what is too old is looked for in the shortest period that rows are kept."""
_BY_LISTING = ("notification", "listing")


class LogConfig(BaseModel):
    """What is kept of the log, and for how long."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    keep: Duration = duration_field(
        "30d", "How long steps, nodes of runs, failing rows and judgements are kept."
    )
    queries_keep: Duration = duration_field(
        "7d", "How long the statements of runs are kept."
    )
    artifacts_max: int = Field(
        500,
        ge=0,
        description="Runs whose dbt artifacts are kept, no longer than `keep`; 0: of "
        "none.",
    )
    history_keep: Duration = duration_field(
        "400d",
        "How long the record of runs, audits and freshness is kept, and of files that "
        "were archived or purged. Load history stays for ever.",
    )
    write_every: Duration = duration_field(
        "5s", "How long a row waits at most before it is written, while files load."
    )
    waiting_rows_max: int = Field(
        20_000, ge=100, description="Rows that may wait; then the oldest are lost."
    )
    waiting_bytes_max: int = Field(
        16 * 1024 * 1024,
        ge=65_536,
        description="Bytes of text that may wait; then the oldest rows are lost.",
    )


class PipelineLog:
    """A sink that keeps events as rows of the warehouse; safe from any thread.

    `turn` is the round of the loop that is under way, 0 before the first. `lost` is
    how many rows could not be kept, `problem` why the last writing failed, if it did.
    """

    def __init__(self, warehouse: Warehouse, config: LogConfig, clock: Clock) -> None:
        self.turn = 0
        self.lost = 0
        self.problem: str | None = None
        self._warehouse = warehouse
        self._config = config
        self._clock = clock
        self._rows = LogRows()
        self._waiting: deque[LogRow] = deque()
        self._waiting_bytes = 0
        self._waits_since: float | None = None
        self._retry_at = 0.0
        shortest = min(config.keep, config.queries_keep, config.history_keep)
        every = shortest.total_seconds() / TIDIED_IN_A_PERIOD
        self._tidy_every = min(max(every, TIDY_EVERY_LEAST), TIDY_EVERY_MOST)
        self._tidied_at = clock.monotonic() - self._tidy_every
        self._told_lost = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread, and at once."""
        with self._lock:
            rows = self._rows.of(event)
            for row in rows:
                self._take(row)
            if self._waiting and self._waits_since is None:
                self._waits_since = self._clock.monotonic()

    @property
    def waiting(self) -> int:
        """How many rows are not written yet."""
        return len(self._waiting)

    def is_due(self, *, busy: bool) -> bool:
        """Is it time for `keep_up`?

        While others are `busy` rows wait longer, and at any time for a moment: what
        arrives file by file is not written file by file.
        """
        now = self._clock.monotonic()
        if now < self._retry_at:
            return False
        with self._lock:
            count, since = len(self._waiting), self._waits_since
        longest = self._config.write_every.total_seconds()
        longest = longest if busy else min(longest, PAUSE_SECONDS)
        waited = since is not None and now - since >= longest
        return count >= ROWS_WRITTEN_MAX or waited or self._to_tidy(busy=busy)

    def keep_up(self, *, busy: bool) -> None:
        """Write what waits, and let go of what is too old, if that is due."""
        if self.write() and self._to_tidy(busy=busy):
            self.tidy()

    def write(self) -> bool:
        """Write what waits; say whether all of it is written now.

        The commit lock is left to those who take positions: nothing here does.
        """
        with self._writing:
            while rows := self._next_rows():
                try:
                    self._insert(rows)
                except BaseException as error:
                    self._put_back(rows)
                    if not isinstance(error, Exception):
                        raise
                    self._failed(error)
                    return False
            self.problem = None
            self._tell_lost()
            return True

    @property
    def horizons(self) -> Horizons:
        """Before which instants things are too old by now."""
        now = self._clock.now()
        config = self._config
        kept = (config.keep, config.queries_keep, config.history_keep)
        return Horizons(*(_before(now, each) for each in kept))

    def tidy(self) -> None:
        """Delete what is older than it is kept."""
        horizons = self.horizons
        self._tidied_at = self._clock.monotonic()
        try:
            with self._warehouse.session() as session:
                forget_before(session, horizons)
        except Exception as error:
            log.warning("the log could not be tidied", exc_info=True)
            self.problem = str(error)

    def close(self) -> None:
        """Write what is left. What cannot be written now is lost."""
        if self.write():
            if self.turn and self._to_tidy(busy=False):
                self.tidy()
            return
        with self._lock:
            self.lost += len(self._waiting)
            self._waiting.clear()
        self._tell_lost()

    def _take(self, row: LogRow) -> None:
        if isinstance(row, Step):
            if row.step in _BY_LISTING and not self.turn:
                return  # a command that only looks loads nothing of what it finds
            row = replace(row, turn=self.turn or None)
        self._waiting.append(row)
        self._waiting_bytes += _weigh(row)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        config = self._config
        while self._waiting and (
            len(self._waiting) > config.waiting_rows_max
            or self._waiting_bytes > config.waiting_bytes_max
        ):
            self._waiting_bytes -= _weigh(self._waiting.popleft())
            self.lost += 1

    def _next_rows(self) -> list[LogRow]:
        with self._lock:
            count = min(len(self._waiting), ROWS_WRITTEN_MAX)
            rows = [self._waiting.popleft() for _ in range(count)]
            self._waiting_bytes -= sum(map(_weigh, rows))
            self._waits_since = None if not self._waiting else self._waits_since
        return rows

    def _put_back(self, rows: Sequence[LogRow]) -> None:
        with self._lock:
            self._waiting.extendleft(reversed(rows))
            self._waiting_bytes += sum(map(_weigh, rows))
            self._waits_since = self._clock.monotonic()
            self._drop_oldest()

    def _insert(self, rows: Sequence[LogRow]) -> None:
        by_kind: dict[type[LogRow], list[LogRow]] = {}
        for row in rows:
            by_kind.setdefault(type(row), []).append(row)
        with self._warehouse.session() as session, session.transaction():
            for kind, found in by_kind.items():
                columns: dict[str, Sequence[object]] = {
                    field.name: [_sound(getattr(row, field.name)) for row in found]
                    for field in fields(kind)
                }
                session.insert(kind.TABLE, columns)

    def _failed(self, error: Exception) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_SECONDS
        if self.problem is None:
            log.warning("the log could not be written: %s", error)
        self.problem = str(error)

    def _tell_lost(self) -> None:
        if self.lost > self._told_lost:
            count = self.lost - self._told_lost
            log.warning("%d rows of the log are lost", count)
            self._told_lost = self.lost

    def _to_tidy(self, *, busy: bool) -> bool:
        """Is tidying due? It is put off while others are busy, but not for ever."""
        longest = self._tidy_every * (2 if busy else 1)
        return self._clock.monotonic() - self._tidied_at >= longest


@contextmanager
def kept_log(
    warehouse: Warehouse, config: LogConfig, clock: Clock, events: Events
) -> Iterator[PipelineLog]:
    """Keep a log of what is told while the block lasts."""
    kept = PipelineLog(warehouse, config, clock)
    events.subscribe(kept)
    try:
        yield kept
    finally:
        kept.close()


def _before(now: datetime, keep: timedelta) -> datetime:
    """Return the instant before which things are too old; there is a first one."""
    first = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
    return now - keep if now - first > keep else first


def _weigh(row: LogRow) -> int:
    return sum(len(each) for each in vars(row).values() if isinstance(each, str))


def _sound(value: object) -> object:
    """Return a text as the engine takes it: UTF-8 without a NUL."""
    if not isinstance(value, str):
        return value
    text = value.replace("\0", "\\0")
    return text.encode("utf-8", "backslashreplace").decode()
