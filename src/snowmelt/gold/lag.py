"""How stale what is published is, and how stale it was each time a run ended it.

Both are in load history and in the history of runs: a load is published by the first
run that read it, and until then what is downstream of it is staler by the day. Nothing
else is kept, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.gold.run_history import find_changes
from snowmelt.warehouse.port import Session

RUNS_LOOKED_AT = 100
RUNS_TIMED = 10
_PUBLISHED_THROUGH = """
    select coalesce(max(read_through), 0) from snowmelt.run_history
    where state = 'SUCCEEDED'
"""
# A load without rows is news where it supersedes one.
_UNPUBLISHED = """
    select table_name, min(last_load_time)
    from snowmelt.load_history
    where load_seq > $1 and (row_count > 0 or load_seq in (
        select superseded_by from snowmelt.load_history where superseded_by > $1
    ))
    group by table_name
"""
_NEWEST = """
    select pipe_name, max(last_load_time)
    from snowmelt.load_history
    where load_seq <= $1 and row_count > 0
    group by pipe_name
"""
_PUBLISHED = """
    with runs as (
        select
            run_id,
            ended_at,
            read_through,
            lag(read_through) over (order by started_at) as after
        from snowmelt.run_history
        where state = 'SUCCEEDED'
        order by started_at desc
        limit $1 + 1
    )
    select run_id, table_name, ended_at - min(last_load_time)
    from runs
    join snowmelt.load_history
        on load_seq > runs.after and load_seq <= runs.read_through and row_count > 0
    where load_seq > (select min(read_through) from runs)
    group by run_id, table_name, ended_at
"""
_RUN_TIME = """
    with runs as (
        select
            ended_at - started_at as took,
            full_refresh = 'everything' as anew,
            row_number() over (
                partition by full_refresh = 'everything' order by started_at desc
            ) as back
        from snowmelt.run_history
        where state = 'SUCCEEDED'
    )
    select coalesce(
        max(took) filter (not anew and back <= $1), max(took) filter (back = 1)
    )
    from runs
"""


@dataclass(frozen=True)
class TableLag:
    """How old the oldest load of a table was when a run published it."""

    run_id: str
    table: str
    lag: timedelta


def unpublished_since(session: Session, digest: str) -> Mapping[str, datetime] | None:
    """Return when each table's first load came that no run published.

    None where everything has to be built, whatever was loaded.
    """
    changes, _ = find_changes(session, digest)
    return None if changes.everything else waiting_since(session)


def waiting_since(session: Session) -> Mapping[str, datetime]:
    """Return when each table's first load came that readers do not see."""
    return dict(session.rows(_UNPUBLISHED, [published_through(session)]))


def published_through(session: Session) -> int:
    """Return the newest load that readers see."""
    return int(session.value(_PUBLISHED_THROUGH))


def published_until(session: Session, through: int) -> Mapping[str, datetime]:
    """Return when the newest rows came of each pipe, up to a load."""
    return dict(session.rows(_NEWEST, [through]))


def published_lags(session: Session) -> list[TableLag]:
    """Return how stale tables were, of the last runs."""
    return [TableLag(*row) for row in session.rows(_PUBLISHED, [RUNS_LOOKED_AT])]


def longest_run(session: Session) -> timedelta:
    """Return how long a run may take, going by the last ones.

    By those that built everything only where there are no others.
    """
    found: timedelta | None = session.value(_RUN_TIME, [RUNS_TIMED])
    return found or timedelta()
