"""Runs of tasks, as an account tells them, as records of tasks here. Pure.

https://docs.snowflake.com/en/sql-reference/functions/task_history: a run of a graph is
GRAPH_RUN_GROUP_ID with ATTEMPT_NUMBER; RUN_ID is not unique.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from snowmelt.deploy.harvest.reading import full_name, moment, text, whole
from snowmelt.deploy.harvest.scope import Scope, TaskScope
from snowmelt.deploy.snowflake.session import Row
from snowmelt.transform.tasks.attempt import FAILURES, TaskState
from snowmelt.transform.tasks.ledger import GraphRun, TaskRun

_ENDED = frozenset(TaskState) - {TaskState.SCHEDULED, TaskState.EXECUTING}


def task_runs_of(rows: Iterable[Row], scope: Scope) -> list[TaskRun]:
    """Return the runs of this project's tasks; those of others are left out."""
    found = []
    for row in rows:
        path = full_name(row, "database_name", "schema_name", "name")
        task = scope.tasks_by_path.get(path)
        if task is not None:
            found.append(_task_run(row, task))
    return found


def _task_run(row: Row, task: TaskScope) -> TaskRun:
    scheduled_at = moment(row["scheduled_time"])
    assert scheduled_at is not None, "every run of a task has a scheduled time"
    group = text(row.get("graph_run_group_id")) or text(row.get("run_id")) or ""
    attempt = whole(row.get("attempt_number")) or 1
    return TaskRun(
        task_run_id=_id(task.path, group, attempt, scheduled_at, row),
        graph_run_group_id=group,
        attempt_number=attempt,
        name=task.name,
        root_name=task.root,
        kind=task.kind,
        query_text=str(row.get("query_text") or ""),
        condition_text=text(row.get("condition_text")),
        state=TaskState(str(row["state"]).upper()),
        scheduled_time=scheduled_at,
        graph_version=whole(row.get("graph_version")) or 0,
        graph_scheduled_time=scheduled_at,
        scheduled_from=str(row.get("scheduled_from") or "SCHEDULE"),
        config=text(row.get("config")),
        error_message=_error(row),
        query_start_time=moment(row.get("query_start_time")),
        next_scheduled_time=moment(row.get("next_scheduled_time")),
        completed_time=moment(row.get("completed_time")),
        return_value=text(row.get("return_value")),
    )


def _id(path: str, group: str, attempt: int, at: datetime, row: Row) -> str:
    """Name a run, the same each time that it is told.

    A root that is triggered may run twice in a group only as another attempt.
    """
    key = f"{path}|{group}|{attempt}" if group else f"{path}|{at.isoformat()}"
    if not group and row.get("query_id"):
        key = f"{path}|{row['query_id']}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _error(row: Row) -> str | None:
    message, code = text(row.get("error_message")), text(row.get("error_code"))
    if message is None:
        return None
    return f"{code}: {message}" if code and code not in message else message


def graph_runs_of(runs: Sequence[TaskRun]) -> list[GraphRun]:
    """Return the attempts at graph runs that runs of tasks are part of.

    What is only scheduled has not begun: it is no attempt yet.
    """
    groups: dict[tuple[str, int], list[TaskRun]] = {}
    for run in runs:
        if run.graph_run_group_id and run.state is not TaskState.SCHEDULED:
            key = (run.graph_run_group_id, run.attempt_number)
            groups.setdefault(key, []).append(run)
    return [_graph_run(of_group) for of_group in groups.values()]


def _graph_run(runs: list[TaskRun]) -> GraphRun:
    runs = sorted(runs, key=lambda run: (run.scheduled_time, run.name))
    root = next((run for run in runs if run.name == run.root_name), runs[0])
    failed = [run for run in runs if run.state in FAILURES]
    failed.sort(key=lambda run: run.completed_time or run.scheduled_time)
    ends = [run.completed_time for run in runs if run.completed_time is not None]
    state = graph_state(root, runs)
    return GraphRun(
        graph_run_group_id=root.graph_run_group_id,
        attempt_number=root.attempt_number,
        root_name=root.root_name,
        graph_version=root.graph_version,
        state=state,
        scheduled_from=root.scheduled_from,
        scheduled_time=root.scheduled_time,
        started_at=root.query_start_time or root.scheduled_time,
        config=root.config or "",
        read_through=0,
        ended_at=max(ends, default=root.scheduled_time) if state in _ENDED else None,
        first_error_task_name=failed[0].name if failed else None,
        first_error_message=failed[0].error_message if failed else None,
    )


def graph_state(root: TaskRun, runs: Sequence[TaskRun]) -> TaskState:
    """Return how an attempt stands: by its tasks, and by its root if it was skipped."""
    states = {run.state for run in runs}
    if TaskState.EXECUTING in states:
        return TaskState.EXECUTING
    if states & FAILURES:
        return TaskState.FAILED
    if TaskState.CANCELLED in states:
        return TaskState.CANCELLED
    return TaskState.SKIPPED if root.state is TaskState.SKIPPED else TaskState.SUCCEEDED


def unfinished(runs: Iterable[TaskRun]) -> list[datetime]:
    """Return when those were scheduled that have not ended: they are told again.

    One may wait for its warehouse for longer than questions overlap.
    """
    return [run.scheduled_time for run in runs if run.state not in _ENDED]
