"""How long the log is kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from snowmelt.warehouse.port import Session

_OLD = (
    "delete from snowmelt.pipeline_log where started_at < $1",
    "delete from snowmelt.freshness_history where judged_at < $1",
    "delete from snowmelt.task_runs where completed_time < $1",
    # how far the last good run had read has to be known, however old it is
    "delete from snowmelt.task_graph_runs where ended_at < $1 and read_through < "
    "(select max(read_through) from snowmelt.task_graph_runs "
    "where state = 'SUCCEEDED')",
)
_OF_OLD_RUNS = tuple(
    f"delete from snowmelt.{table} where run_id in "  # noqa: S608
    "(select run_id from snowmelt.run_history where started_at < $1)"
    for table in ("node_history", "test_failures")
)
_OLD_ACCOUNTS = """
    delete from snowmelt.reconciliation
    where run_id in (select run_id from snowmelt.run_history where started_at < $1)
        and (model, run_id) not in (
            select model, max(run_id) from snowmelt.reconciliation group by model
        )
"""
_OLD_QUERIES = ("delete from snowmelt.query_history where started_at < $1",)


@dataclass(frozen=True)
class Horizons:
    """The instants before which steps and statements are forgotten."""

    steps: datetime
    queries: datetime


def forget_before(session: Session, horizons: Horizons) -> None:
    """Delete what is older, in one transaction. What the log is about stays.

    So does the newest account of each model.
    """
    with session.transaction():
        for statement in (*_OLD, *_OF_OLD_RUNS, _OLD_ACCOUNTS):
            session.execute(statement, [horizons.steps])
        for statement in _OLD_QUERIES:
            session.execute(statement, [horizons.queries])
