"""Writes runs of tasks, and how tasks stand."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from snowmelt.deploy.harvest.ledger import insert_rows
from snowmelt.deploy.harvest.reading import full_name, moment, text
from snowmelt.deploy.harvest.scope import Scope, TaskScope
from snowmelt.deploy.harvest.task_mapping import (
    graph_runs_of,
    task_runs_of,
    unfinished,
)
from snowmelt.deploy.harvest.window import TASKS
from snowmelt.deploy.snowflake.session import Row
from snowmelt.transform.tasks.attempt import TaskState
from snowmelt.transform.tasks.ledger import (
    Standing,
    record_standing,
    write_graph_run,
    write_task_runs,
)
from snowmelt.transform.tasks.ledger import (
    task_runs_of as runs_of_group,
)
from snowmelt.warehouse.port import Session

TASK_COLUMNS = (
    *("name", "path", "state", "schedule", "condition", "last_suspended_on"),
    "last_suspended_reason",
)


def keep_task_runs(
    scope: Scope, task: TaskScope, now: datetime, session: Session, rows: list[Row]
) -> Collection[datetime]:
    """Write runs of a task, and anew the runs of the graph that they are part of.

    What was put down as its next run is taken back: it is told again, or has begun.
    So is a run that has not ended, and what a graph did of which something went on
    until just now: steps after it are told later, and may be dated by its beginning.
    """
    session.execute(
        "delete from snowmelt.task_runs where state = 'SCHEDULED' and name = $1",
        [task.name],
    )
    runs = list({each.task_run_id: each for each in task_runs_of(rows, scope)}.values())
    write_task_runs(session, runs, [each.task_run_id for each in runs])
    begun = [each for each in runs if each.state is not TaskState.SCHEDULED]
    for group in sorted({each.graph_run_group_id for each in begun} - {""}):
        session.execute(
            "delete from snowmelt.task_graph_runs where graph_run_group_id = $1",
            [group],
        )
        for graph_run in graph_runs_of(runs_of_group(session, group)):
            write_graph_run(session, graph_run)
    return [*unfinished(runs), *_of_graphs_just_now(session, task.root, now)]


def _of_graphs_just_now(
    session: Session, root: str, now: datetime
) -> Collection[datetime]:
    """Return when runs were scheduled that go on, or went on until just now."""
    rows = session.rows(
        "select scheduled_time from snowmelt.task_runs "
        "where root_name = $1 and scheduled_time >= $2 and (state = 'EXECUTING' or "
        "state <> 'SCHEDULED' and coalesce(completed_time, scheduled_time) >= $3)",
        [root, now - TASKS.keeps, now - TASKS.overlap],
    )
    return [at for (at,) in rows]


def keep_standings(
    session: Session, rows: list[Row], scope: Scope, now: datetime
) -> None:
    """Write which tasks run and which are suspended; what changed with its time."""
    found = []
    for row in rows:
        path = full_name(row, "database_name", "schema_name", "name")
        task = scope.tasks_by_path.get(path)
        if task is None:
            continue
        suspended_on = moment(row.get("last_suspended_on"))
        reason = text(row.get("last_suspended_reason"))
        state = str(row["state"])
        found.append(
            [
                *(task.name, task.path, state, text(row.get("schedule"))),
                *(text(row.get("condition")), suspended_on, reason),
            ]
        )
        _record(session, task.name, state, (suspended_on or now, reason))
    session.execute("delete from account.tasks")
    insert_rows(session, "account.tasks", TASK_COLUMNS, found)


def _record(
    session: Session, name: str, state: str, since: tuple[datetime, str | None]
) -> None:
    before = session.value(
        "select arg_max(state, changed_at) from snowmelt.task_states where name = $1",
        [name],
    )
    if state == (before or "started"):
        return
    at, reason = since
    by = "failures" if reason and "FAIL" in reason.upper() else "person"
    is_suspended = state == "suspended"
    record_standing(
        session,
        name,
        Standing(is_suspended, at, by if is_suspended else "person", reason),
    )
