"""Causes in tasks: one that is suspended, one whose newest run failed.

A project without tasks has no tables of them: then there are none.
"""

from __future__ import annotations

from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import Cause, Evidence
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_TASK = ("task", "name", "task_name")
_TIME = (
    *("ended_at", "completed_time", "completed_at", "started_at"),
    *("query_start_time", "scheduled_time", "scheduled_at"),
)
_ERROR = ("error", "error_message", "detail")


def find_suspended(
    session: Session, _: Rule, __: Around, ___: frozenset[str]
) -> list[Cause]:
    """Return the tasks that are suspended, by whom and why."""
    if not _columns(session, "task_states"):
        return []
    rows = session.rows(
        'select task, changed_at, reason, "by" from snowmelt.task_states '
        "qualify row_number() over (partition by task order by changed_at desc) = 1 "
        "and lower(state) = 'suspended' order by task limit $1",
        [LOOKED_AT_MAX],
    )
    return [
        Cause(
            key=task,
            summary=f"task {task} is suspended" + (f" by {by}" if by else ""),
            since=at,
            command=f"snowmelt tasks resume {task}",
            ended=f"task {task} is not suspended any more",
            evidence=(Evidence(task, reason),) if reason else (),
        )
        for task, at, reason, by in rows
    ]


def find_failed_task(
    session: Session, _: Rule, __: Around, ___: frozenset[str]
) -> list[Cause]:
    """Return the tasks whose newest run that ended failed."""
    there = _columns(session, "task_history")
    task, at = _first(_TASK, there), _first(_TIME, there)
    if task is None or at is None or "state" not in there:
        return []
    error = _first(_ERROR, there)
    told = identifier(error) if error else "null"
    rows = session.rows(
        f"select {identifier(task)}, {identifier(at)}, {told} "  # noqa: S608 - ours
        "from (select * from snowmelt.task_history "
        "where upper(state) in ('SUCCEEDED', 'FAILED', 'FAILED_AND_AUTO_SUSPENDED') "
        "qualify row_number() over "
        f"(partition by {identifier(task)} order by {identifier(at)} desc) = 1) "
        f"where upper(state) <> 'SUCCEEDED' limit {LOOKED_AT_MAX}"
    )
    return [
        Cause(
            key=name,
            summary=f"task {name} failed",
            since=failed_at,
            command="snowmelt tasks",
            ended=f"the newest run of task {name} did not fail",
            evidence=(Evidence(name, problem),) if problem else (),
        )
        for name, failed_at, problem in rows
    ]


def _columns(session: Session, table: str) -> set[str]:
    rows = session.rows(
        "select column_name from duckdb_columns() "
        "where schema_name = 'snowmelt' and table_name = $1",
        [table],
    )
    return {name for (name,) in rows}


def _first(names: tuple[str, ...], there: set[str]) -> str | None:
    return next((name for name in names if name in there), None)
