"""The record of tasks: versions of the graph, its runs, runs of tasks, their states."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

from snowmelt.transform.tasks.attempt import TaskState
from snowmelt.transform.tasks.due import LastTriggered
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.warehouse.port import Session

INTERRUPTED = "the process ended before the task did"
_RUN_COLUMNS = (
    *("graph_run_group_id", "attempt_number", "root_name", "graph_version", "state"),
    *("cause", "scheduled_from", "scheduled_time", "started_at", "ended_at", "config"),
    *("read_through", "first_error_task_name", "first_error_message"),
)


@dataclass(frozen=True)
class TaskRun:
    """A row of `task_runs`: one task in one attempt at a graph run."""

    task_run_id: str
    graph_run_group_id: str
    attempt_number: int
    name: str
    root_name: str
    kind: str
    query_text: str
    condition_text: str | None
    state: TaskState
    scheduled_time: datetime
    graph_version: int
    graph_scheduled_time: datetime
    scheduled_from: str
    config: str | None = None
    cause: str | None = None
    error_message: str | None = None
    query_start_time: datetime | None = None
    next_scheduled_time: datetime | None = None
    completed_time: datetime | None = None
    return_value: str | None = None
    output: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class GraphRun:
    """A row of `task_graph_runs`: one attempt at a run of the graph."""

    graph_run_group_id: str
    attempt_number: int
    root_name: str
    graph_version: int
    state: TaskState
    scheduled_from: str
    scheduled_time: datetime
    started_at: datetime
    config: str
    read_through: int
    cause: str | None = None
    ended_at: datetime | None = None
    first_error_task_name: str | None = None
    first_error_message: str | None = None


def keep_version(session: Session, graph: TaskGraph, now: datetime) -> int:
    """Return the version of a graph; a new one if the newest that is known differs."""
    newest = session.rows(
        "select graph_version, digest from snowmelt.task_versions "
        "order by graph_version desc limit 1"
    )
    if newest and newest[0][1] == graph.digest:
        return int(newest[0][0])
    version = newest[0][0] + 1 if newest else 1
    session.insert(
        "snowmelt.task_versions",
        {
            "graph_version": [version],
            "root_name": [graph.root],
            "digest": [graph.digest],
            "definition": [graph.document],
            "created_at": [now],
        },
    )
    return version


def read_version(session: Session, version: int, today: TaskGraph) -> TaskGraph:
    """Return the graph as a version of it was; addresses are today's."""
    definition = session.value(
        "select definition from snowmelt.task_versions where graph_version = $1",
        [version],
    )
    return TaskGraph.from_document(definition, today.tasks)


def write_task_runs(
    session: Session, rows: Sequence[TaskRun], known: Sequence[str] = ()
) -> None:
    """Write rows; those of `known` ids instead of what stands there."""
    if known:
        session.execute(
            "delete from snowmelt.task_runs where task_run_id in "
            "(select unnest($1::json::varchar[]))",
            [list(known)],
        )
    if rows:
        session.insert("snowmelt.task_runs", _columns(rows))


def write_graph_run(session: Session, run: GraphRun) -> None:
    """Write the row of an attempt; instead of the one it had, if it ended or is to."""
    if run.ended_at is not None or run.cause is not None:
        session.execute(
            "delete from snowmelt.task_graph_runs "
            "where graph_run_group_id = $1 and attempt_number = $2",
            [run.graph_run_group_id, run.attempt_number],
        )
    session.insert("snowmelt.task_graph_runs", _columns([run]))


def forget_scheduled(session: Session) -> None:
    """Take back what was put down as the next run."""
    session.execute("delete from snowmelt.task_runs where state = 'SCHEDULED'")


def _columns(rows: Sequence[Any]) -> dict[str, Sequence[object]]:
    names = [field.name for field in fields(rows[0])]
    return {name: [getattr(row, name) for row in rows] for name in names}


def close_interrupted_tasks(session: Session, now: datetime) -> int:
    """Close tasks whose process ended before they did; return how many.

    What was built and is published all the same has succeeded: the commit of a
    publication tells.
    """
    count = session.value(
        "select count(*) from snowmelt.task_runs where state = 'EXECUTING'"
    )
    if count:
        session.execute(
            "update snowmelt.task_runs set state = 'SUCCEEDED', completed_time = "
            "(select ended_at from snowmelt.run_history as runs "
            "where runs.run_id = task_runs.run_id) "
            "where state = 'EXECUTING' and run_id in "
            "(select run_id from snowmelt.run_history where state = 'SUCCEEDED')"
        )
        session.execute(
            "update snowmelt.task_runs set state = 'FAILED', cause = 'interrupted', "
            "completed_time = $1, error_message = $2 || case when run_id is null "
            "then '' else '; nothing of run ' || run_id || ' was published' end "
            "where state = 'EXECUTING'",
            [now, INTERRUPTED],
        )
    return int(count)


def task_runs_of(session: Session, group_id: str) -> list[TaskRun]:
    """Return the runs of tasks of all attempts at a graph run, oldest first."""
    names = [field.name for field in fields(TaskRun)]
    rows = session.rows(
        f"select {', '.join(names)} from snowmelt.task_runs "  # noqa: S608
        "where graph_run_group_id = $1 order by attempt_number, scheduled_time",
        [group_id],
    )
    found = [TaskRun(**dict(zip(names, row, strict=True))) for row in rows]
    return [replace(each, state=TaskState(each.state)) for each in found]


def graph_runs(
    session: Session, where: str, parameters: Sequence[object] = (), limit: int = 100
) -> list[GraphRun]:
    """Return attempts at graph runs, newest first; `where` is SQL of ours."""
    rows = session.rows(
        f"select {', '.join(_RUN_COLUMNS)} "  # noqa: S608
        f"from snowmelt.task_graph_runs where {where} "
        f"order by started_at desc, attempt_number desc limit {limit}",
        list(parameters),
    )
    found = [GraphRun(**dict(zip(_RUN_COLUMNS, row, strict=True))) for row in rows]
    return [replace(each, state=TaskState(each.state)) for each in found]


def failures_in_a_row(session: Session, root: str, but: str) -> int:
    """Return how many graph runs failed one after the other, up to the newest.

    Not counting one, from when the root was last resumed. What was skipped, cancelled
    or cut off by the end of a process does not count, and does not end the row.
    """
    since = session.value(
        "select max(changed_at) from snowmelt.task_states "
        "where name = $1 and state = 'started'",
        [root],
    )
    states = session.rows(
        "select arg_max(state, attempt_number), "
        "bool_or(cause = 'interrupted' and state <> 'SUCCEEDED') "
        "from snowmelt.task_graph_runs where root_name = $1 and ended_at is not null "
        "and started_at >= coalesce($2, '-infinity'::timestamptz) "
        "and graph_run_group_id <> $3 "
        "group by graph_run_group_id order by min(started_at) desc limit 1000",
        [root, since, but],
    )
    count = 0
    for state, interrupted in states:
        if state == TaskState.SUCCEEDED:
            break
        count += state == TaskState.FAILED and not interrupted
    return count


def last_triggered(session: Session, root: str) -> LastTriggered | None:
    """Return the newest run that data triggered."""
    rows = session.rows(
        "select started_at, read_through from snowmelt.task_graph_runs "
        "where root_name = $1 and scheduled_from = 'TRIGGER' "
        "order by started_at desc limit 1",
        [root],
    )
    return LastTriggered(*rows[0]) if rows else None


def next_scheduled(session: Session) -> TaskRun | None:
    """Return the run that was put down as the next one."""
    found = session.rows(
        "select graph_run_group_id from snowmelt.task_runs "
        "where state = 'SCHEDULED' order by scheduled_time limit 1"
    )
    return task_runs_of(session, found[0][0])[0] if found else None


@dataclass(frozen=True)
class Standing:
    """Is a task suspended, since when, by whom and why?"""

    suspended: bool
    since: datetime | None = None
    by: str | None = None
    reason: str | None = None

    @property
    def word(self) -> str:
        return "suspended" if self.suspended else "started"


def standings(session: Session, graph: TaskGraph) -> dict[str, Standing]:
    """Return how each task stands: the newest word holds, without one the file's."""
    told = session.rows(
        "select name, arg_max(state, changed_at), max(changed_at), "
        "arg_max(changed_by, changed_at), arg_max_null(reason, changed_at) "
        "from snowmelt.task_states group by name"
    )
    known = {name: Standing(state == "suspended", *rest) for name, state, *rest in told}
    return {
        name: known.get(
            name,
            Standing(task.suspended, by="snowmelt.yml" if task.suspended else None),
        )
        for name, task in graph.tasks.items()
    }


def record_standing(session: Session, name: str, standing: Standing) -> None:
    """Put down that a task is suspended or resumed."""
    session.insert(
        "snowmelt.task_states",
        {
            "name": [name],
            "state": [standing.word],
            "changed_at": [standing.since],
            "changed_by": [standing.by],
            "reason": [standing.reason],
        },
    )


def config_text(config: object) -> str:
    """Write a config as it is kept."""
    return json.dumps(config, ensure_ascii=False)
