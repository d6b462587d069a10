"""Tasks: the graph, its runs page by page, everything about one of them."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.service.streaming import streams_document
from snowmelt.service.tasks.answers import (
    HISTORY_COLUMNS,
    default_document,
    graph_run_document,
    tasks_document,
)
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.transform.tasks.attempt import TaskState
from snowmelt.warehouse.port import Session

LIMIT_MAX = 200
MESSAGE_MAX = 300
_SHORT = {
    "dbt": "select",
    "sql": "file",
    "python": "function",
    "shell": "command",
    "webhook": "url",
    "refresh": "pipe",
}
"""Kind → the key of it that its short form stands for."""
_DURATION = re.compile(r"\d+\.\d{6}s")
RUN_COLUMNS = (
    *("graph_run_group_id", "root_task_name", "state", "attempts", "scheduled_from"),
    *("scheduled_time", "started_at", "ended_at", "first_error_task_name"),
    "first_error_message",
)
_RUNS = f"""
    with last as (
        select
            graph_run_group_id,
            any_value(root_name) as root_task_name,
            arg_max(state, attempt_number) as state,
            max(attempt_number) as attempts,
            arg_min(scheduled_from, attempt_number) as scheduled_from,
            min(scheduled_time) as scheduled_time,
            min(started_at) as started_at,
            arg_max_null(ended_at, attempt_number) as ended_at,
            arg_max_null(first_error_task_name, attempt_number)
                as first_error_task_name,
            left(arg_max_null(first_error_message, attempt_number), {MESSAGE_MAX})
                as first_error_message
        from snowmelt.task_graph_runs
        where graph_run_group_id in (select unnest($1::json::varchar[]))
        group by graph_run_group_id
    )

    select {", ".join(RUN_COLUMNS)} from last
    order by started_at desc, graph_run_group_id desc
"""
# a run stands where its first attempt began
_FIRST = "from snowmelt.task_graph_runs where attempt_number = 1"
_ENDED_SO = """
    select graph_run_group_id from snowmelt.task_graph_runs as attempts
    where state = upper({state}) and not exists (
        select 1 from snowmelt.task_graph_runs as later
        where later.attempt_number > 1
            and later.graph_run_group_id = attempts.graph_run_group_id
            and later.attempt_number > attempts.attempt_number
    )
"""
TASK_COLUMNS = ("name", "state", "attempt_number", "started_at", "ended_at", "error")
_TASKS_OF = f"""
    select
        graph_run_group_id, name, state, attempt_number, query_start_time,
        completed_time, left(error_message, {MESSAGE_MAX})
    from snowmelt.task_runs
    where graph_run_group_id in (select unnest($1::json::varchar[]))
        and state <> 'SCHEDULED'
    qualify row_number() over (
        partition by graph_run_group_id, name order by attempt_number desc
    ) = 1
"""


def board_document(
    loop: Loop,
    *,
    task: str | None,
    state: str | None,
    before: str | None,
    limit: int,
    serving: bool,
) -> Document:
    """Return the graph and its streams as they stand, and runs before one.

    With a task chosen, `state` is that of this task, else that of the graph run.
    """
    tasks, parts = loop.tasks.tasks, loop.parts
    _require_state(state)
    limit = max(1, min(limit, LIMIT_MAX))
    stale_after = parts.project.settings.retention.stale_after
    with loop.lock, parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        told = default_document(parts.project)
        _add_standing(session, told["tasks"])
        names: list[str] = []
        if tasks is not None:
            told = tasks_document(session, tasks, serving=serving)
            names = [each["name"] for each in told["tasks"]]
        streams = streams_document(session, stale_after)["streams"]
        runs = _runs(session, (task, state), before, limit + 1)
        _add_tasks(session, runs[:limit], names)
    return {
        **told,
        "shell": shell,
        "streams": streams,
        "graph_runs": runs[:limit],
        "next": runs[limit - 1]["graph_run_group_id"] if len(runs) > limit else None,
    }


def _add_standing(session: Session, tasks: list[Document]) -> None:
    """Say how the service's own steps ended last: its newest load, its newest run."""
    loads = session.rows(
        "select case status when 'Load failed' then 'FAILED' else 'SUCCEEDED' end, "
        "started_at, last_load_time, first_error_message from snowmelt.load_history "
        "where load_seq = (select max(load_seq) from snowmelt.load_history)"
    )
    runs = session.rows(
        "select state, started_at, ended_at, error from snowmelt.run_history "
        "order by started_at desc limit 1"
    )
    for each in tasks:
        found = loads if each["name"] == "load" else runs
        for state, started_at, ended_at, error in plain(found):
            each["last_state"] = state
            each["last_started_at"], each["last_ended_at"] = started_at, ended_at
            each["last_error"] = error


def _require_state(state: str | None) -> None:
    if state is not None and state.upper() not in set(TaskState):
        known = ", ".join(TaskState)
        raise UsageError(f"state {state[:40]}", "there is none", f"One of: {known}.")


def _runs(
    session: Session,
    chosen: tuple[str | None, str | None],
    before: str | None,
    limit: int,
) -> list[Document]:
    """Return runs of the graph before one, newest first."""
    task, state = chosen
    where, parameters = "", []

    def put(value: object) -> str:
        parameters.append(value)
        return f"${len(parameters)}"

    if task is not None:
        of_state = f" and state = upper({put(state)})" if state else ""
        where += (
            " and graph_run_group_id in (select graph_run_group_id "
            f"from snowmelt.task_runs where name = {put(task)}{of_state})"
        )
    elif state is not None:
        ended_so = _ENDED_SO.format(state=put(state))
        where += f" and graph_run_group_id in ({ended_so})"
    if before is not None:
        anchor = session.value(
            f"select started_at {_FIRST} and graph_run_group_id = $1", [before]
        )
        where += (
            f" and (started_at, graph_run_group_id) < ({put(anchor)}, {put(before)})"
        )
    groups = session.rows(
        f"select graph_run_group_id {_FIRST}{where} "
        f"order by started_at desc, graph_run_group_id desc limit {limit:d}",
        parameters,
    )
    if not groups:
        return []
    rows = session.rows(_RUNS, [[group for (group,) in groups]])
    return as_documents(RUN_COLUMNS, rows)


def _add_tasks(session: Session, runs: list[Document], names: list[str]) -> None:
    """Say of each run how each of its tasks ended, in the order of the graph."""
    known: dict[str, dict[str, Document]] = {
        run["graph_run_group_id"]: {} for run in runs
    }
    for group, *rest in session.rows(_TASKS_OF, [list(known)]) if runs else []:
        (told,) = as_documents(TASK_COLUMNS, [rest])
        known[group][told["name"]] = told
    for run in runs:
        found = known[run["graph_run_group_id"]]
        others = sorted(set(found) - set(names))
        run["tasks"] = [found[name] for name in (*names, *others) if name in found]


def run_detail_document(loop: Loop, group: str) -> Document:
    """Return everything about one run of the graph. Raises UsageError for none."""
    with loop.parts.warehouse.snapshot() as session:
        known = session.value(
            "select count(*) from snowmelt.task_graph_runs "
            "where graph_run_group_id = $1",
            [group],
        )
        if not known:
            raise UsageError(
                group[:80], "there is no such graph run", "See: snowmelt tasks history"
            )
        shell = shell_document(loop, session)
        return {**graph_run_document(session, group), "shell": shell}


def task_detail_document(
    loop: Loop,
    name: str,
    *,
    state: str | None,
    before: str | None,
    limit: int,
    serving: bool,
) -> Document:
    """Return what a task is, how it stands, and its runs before one."""
    tasks = loop.tasks.tasks
    if tasks is None or name not in tasks.graph.tasks:
        raise UsageError(name[:80], "there is no such task", "See: snowmelt tasks")
    _require_state(state)
    limit = max(1, min(limit, LIMIT_MAX))
    with loop.lock, loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        told = tasks_document(session, tasks, serving=serving)
        runs = _task_runs(session, (name, state), before, limit + 1)
    (task,) = (each for each in told["tasks"] if each["name"] == name)
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "task": task,
        "root": told["root"],
        "schedule": told["schedule"],
        "graph_version": told["graph_version"],
        "before_it": list(tasks.graph.tasks[name].after),
        "after_it": list(tasks.graph.children[name]),
        "finalizer": tasks.graph.finalizer,
        "definition": definition_of(tasks, name),
        "condition": next(
            (each for each in told["conditions"] if each["task"] == name), None
        ),
        "task_runs": runs[:limit],
        "next": runs[limit - 1]["task_run_id"] if len(runs) > limit else None,
    }


def definition_of(tasks: Tasks, name: str) -> str:
    """Return a task as snowmelt.yml has it; of an address no more than its host."""
    known: dict[str, Any] = json.loads(tasks.graph.document)
    told = {key: _as_written(key, value) for key, value in known[name].items()}
    return yaml.safe_dump({name: told}, sort_keys=False, allow_unicode=True, width=78)


def _as_written(key: str, value: Any) -> Any:
    """Return a key's value in its short form, if it has one."""
    if isinstance(value, dict) and list(value) == [_SHORT.get(key)]:
        value = value[_SHORT[key]]
    if isinstance(value, list) and len(value) == 1:
        return value[0]
    if isinstance(value, str) and _DURATION.fullmatch(value):
        return f"{float(value.removesuffix('s')):g}s"
    return value


def _task_runs(
    session: Session,
    chosen: tuple[str, str | None],
    before: str | None,
    limit: int,
) -> list[Document]:
    """Return runs of a task before one, newest first."""
    at = "coalesce(query_start_time, scheduled_time)"
    anchor = None
    if before is not None:
        anchor = session.value(
            f"select {at} from snowmelt.task_runs where task_run_id = $1", [before]
        )
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.task_runs "
        "where name = $1 and ($2 is null or state = upper($2)) and state <> 'SCHEDULED'"
        f" and ($3 is null or ({at}, task_run_id) < ($4, $3)) "
        f"order by {at} desc, task_run_id desc limit {limit:d}",
        [*chosen, before, anchor],
    )
    return as_documents(HISTORY_COLUMNS, rows)
