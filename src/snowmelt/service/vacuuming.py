"""When the vacuum works, when the log of commits is taken in, and the verb `vacuum`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from snowmelt.gold.vacuum import FOREVER, Due, Slice, Vacuum, survey
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.parts import Parts
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")
LOOK_EVERY_LEAST, LOOK_EVERY_MOST = timedelta(seconds=10), timedelta(hours=1)
"""The vacuum looks a hundred times in the period that rows are kept, within these."""
OVERDUE_AFTER = 2
"""So many times as long it waits for a service that is never idle."""
LOG_BYTES_IDLE = 1 << 20
"""A longer log of commits is taken in when nothing else is under way."""
IDLE = timedelta(seconds=1)


@dataclass
class Vacuuming:
    """Chooses slices of the vacuum, and checkpoints, for a service that has the time.

    The engine takes its log into the file by itself, within a commit, once the log is
    16 MB; who commits then waits for that. An idle service does it before. After each
    slice too: only then can the space be used again.
    """

    vacuum: Vacuum
    started_at: datetime
    _look_at: datetime = field(init=False)
    _freed: bool = False
    _more: bool = False
    _went_first: bool = False
    _log: tuple[int, datetime] = field(init=False)

    def __post_init__(self) -> None:
        self._look_at = self.started_at + LOOK_EVERY_LEAST
        self._log = (0, self.started_at)

    @property
    def every(self) -> timedelta:
        """How often the vacuum looks for what is due."""
        kept = min(self.vacuum.config.superseded, timedelta(days=36_500)) / 100
        return min(max(kept, LOOK_EVERY_LEAST), LOOK_EVERY_MOST)

    def choose(self, now: datetime) -> Callable[[], None] | None:
        """Return what an idle service can do."""
        log_bytes = self.vacuum.warehouse.log_bytes()
        if log_bytes != self._log[0]:
            self._log = (log_bytes, now)
        rests = now - self._log[1] >= IDLE
        if log_bytes and (self._freed or (rests and log_bytes >= LOG_BYTES_IDLE)):
            return self._checkpoint
        return self._work(now, timedelta(0))

    def overdue(self, now: datetime) -> Callable[[], None] | None:
        """Return a slice that has waited for long, for a service that is never idle.

        Where more is due than one slice, there is one between any two runs.
        """
        if self._went_first:
            self._went_first = False  # now the run
            return None
        waited = timedelta(0) if self._more else self.every * OVERDUE_AFTER
        work = self._work(now, waited)
        self._went_first = work is not None
        return work

    def _work(self, now: datetime, waited: timedelta) -> Callable[[], None] | None:
        if self.vacuum.config.superseded == FOREVER:
            return None
        if self._look_at - self.every > now:  # the clock was put back
            self._look_at = now
        return self._step if now >= self._look_at + waited else None

    def _step(self) -> None:
        now = self.vacuum.clock.now()
        self._look_at = now + self.every
        try:
            done = self.vacuum.step()
        except Exception:  # nothing depends on it; it is tried again
            log.warning("superseded rows could not be let go", exc_info=True)
            return
        self._freed = self._freed or bool(done.rows or done.rejects)
        self._more = done.more
        if done.more:
            self._look_at = now

    def _checkpoint(self) -> None:
        self._freed = False
        try:
            self.vacuum.warehouse.checkpoint()
        except Exception:
            log.warning("the log of commits could not be taken in", exc_info=True)


def vacuum_document(parts: Parts, *, dry_run: bool) -> Document:
    """Vacuum all that is due, unless only asked; say what went, and what stays why."""
    before, gone = _size(parts.warehouse), Slice()
    while not dry_run:
        done = parts.vacuum.step()
        gone.rows += done.rows
        gone.rejects += done.rejects
        gone.loads += done.loads
        gone.stale += done.stale
        parts.warehouse.checkpoint()
        if not done.more:
            break
    config = parts.project.settings.retention
    with parts.warehouse.snapshot() as session:
        tables, rejects = survey(session, Due.at(parts.clock.now(), config))
    return {
        "schema_version": SCHEMA_VERSION,
        "dry_run": dry_run,
        "kept_seconds": _seconds(config.superseded),
        "stale_after_seconds": _seconds(config.stale_after),
        "vacuumed": None if dry_run else _document_of(gone),
        "tables": [plain(dict(each)) for each in tables],
        "rejects": dict(rejects),
        "size": {"before": before, "after": _size(parts.warehouse)},
    }


def _document_of(gone: Slice) -> Document:
    return {
        "rows": gone.rows,
        "rejects": gone.rejects,
        "loads": len(gone.loads),
        "stale": list(gone.stale),
    }


def _seconds(period: timedelta) -> float | None:
    return None if period == FOREVER else period.total_seconds()


def _size(warehouse: Warehouse) -> dict[str, int]:
    with warehouse.session() as session:
        return size_of(session) | {"log_bytes": warehouse.log_bytes()}


def size_of(session: Session) -> dict[str, int]:
    """Return the bytes of the database file, and those of them that are free."""
    row: tuple[Any, ...] = session.rows(
        "select block_size, total_blocks, free_blocks from pragma_database_size() "
        "where database_name = current_database()"
    )[0]
    block, total, free = map(int, row)
    return {"file_bytes": block * total, "free_bytes": block * free}
