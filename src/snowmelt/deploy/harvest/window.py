"""Which stretch of an account's history to ask for next. Pure.

History arrives late: a copy that began an hour ago may be told only now, and an hour
of credits is corrected later. So every question begins a while before the end of the
one before it, and rows are known by keys: what is told twice is written once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

ROWS_MAX = 10_000
"""How many rows a function tells at most (RESULT_LIMIT of TASK_HISTORY and
QUERY_HISTORY, https://docs.snowflake.com/en/sql-reference/functions/task_history)."""
_MARGIN = timedelta(minutes=5)
"""So much of what an account still remembers is not asked for: it would be gone, and
the question refused, before it is read."""
_SHORTEST = timedelta(seconds=1)


@dataclass(frozen=True)
class Source:
    """A function that tells history, and how long it remembers."""

    name: str
    keeps: timedelta
    overlap: timedelta
    limit: int = ROWS_MAX


COPIES = Source("COPY_HISTORY", timedelta(days=14), timedelta(hours=1))
TASKS = Source("TASK_HISTORY", timedelta(days=7), timedelta(hours=1))
QUERIES = Source("QUERY_HISTORY_BY_WAREHOUSE", timedelta(days=7), timedelta(minutes=30))
PIPE_USAGE = Source("PIPE_USAGE_HISTORY", timedelta(days=14), timedelta(days=1))
METERING = Source("WAREHOUSE_METERING_HISTORY", timedelta(days=180), timedelta(days=1))
LOG = Source("PIPELINE_LOG", timedelta(days=3650), timedelta(hours=1))
"""Our own table in the account: it forgets nothing."""


@dataclass(frozen=True)
class Window:
    """From one moment to another, both included."""

    start: datetime
    end: datetime

    @property
    def halves(self) -> tuple[Window, Window] | None:
        """Return the earlier and the later half; None where it is too short."""
        if self.end - self.start <= _SHORTEST:
            return None
        middle = self.start + (self.end - self.start) / 2
        return Window(self.start, middle), Window(middle, self.end)


@dataclass(frozen=True)
class Ask:
    """What to ask for, and what nobody can tell any more."""

    window: Window
    lost: Window | None = None


@dataclass(frozen=True)
class Mark:
    """How far a function was read, and from when on things had not ended yet."""

    through: datetime
    again_from: datetime | None = None


def next_ask(source: Source, mark: Mark | None, now: datetime) -> Ask:
    """Return what to ask a function that was read up to a mark.

    What had not ended then is asked for again. What was read so long ago that the
    account forgot what came next is lost, and is said to be.
    """
    oldest = now - source.keeps + _MARGIN
    if mark is None:
        return Ask(Window(oldest, now))
    wanted = mark.through - source.overlap
    if mark.again_from is not None:
        wanted = min(wanted, mark.again_from)
    lost = Window(mark.through, oldest) if mark.through < oldest else None
    return Ask(Window(min(max(wanted, oldest), now), now), lost)
