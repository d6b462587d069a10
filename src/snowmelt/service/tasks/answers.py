"""Tasks as documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from snowmelt.project.project import Project
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.tasks.conditions import condition_documents
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.service.tasks.work import OUTPUT_BYTES_MAX, RETURN_BYTES_MAX
from snowmelt.transform.tasks.checking import TASKS_MAX
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import GraphRun, graph_runs
from snowmelt.warehouse.port import Session

HISTORY_COLUMNS = (
    *("name", "state", "attempt_number", "scheduled_from", "scheduled_time"),
    *("query_start_time", "completed_time", "error_message", "return_value", "kind"),
    *(
        "cause",
        "graph_run_group_id",
        "graph_version",
        "run_id",
        "output",
        "task_run_id",
    ),
)
ATTEMPT_COLUMNS = (
    *("attempt_number", "state", "scheduled_from", "started_at", "ended_at", "cause"),
    *("first_error_task_name", "first_error_message"),
)
LATEST_RUNS = 200
"""So many runs of the graph are looked through for how each task ended last."""
_LATEST = f"""
    select min(scheduled_time) from (
        select scheduled_time from snowmelt.task_graph_runs
        order by started_at desc limit {LATEST_RUNS}
    )
"""  # noqa: S608 - a number of ours
# a root that is tried again keeps the time that it was due
_LAST = """
    with placed as (
        select *, scheduled_time + attempt_number * interval 1 microsecond as place
        from snowmelt.task_runs
        where state <> 'SCHEDULED' and ($1 is null or scheduled_time >= $1)
    )

    select name, arg_max(state, place), max(scheduled_time),
        arg_max_null(query_start_time, place), arg_max_null(completed_time, place),
        arg_max_null(error_message, place)
    from placed group by name
"""
_OF_THE_LOOP = (
    ("load", "every file that lands, as soon as it is whole", ()),
    ("silver", "models that read what was loaded, with their tests", ("load",)),
    ("gold", "models that read silver, with their tests", ("silver",)),
    ("publish", "all of it becomes visible at once, or nothing does", ("gold",)),
    ("finalize", "the run and its nodes are on record, whatever came of it", ()),
)


def default_document(project: Project) -> Document:
    """Return what a service does by itself, as the graph it is."""
    tasks = [
        {"name": name, "kind": "service", "text": text, "after": list(after)}
        | dict.fromkeys(("when", "suspended_by", "reason", "since"))
        | dict.fromkeys(("last_state", "last_scheduled_at", "last_started_at"))
        | dict.fromkeys(("last_ended_at", "last_error", "next_time"))
        | {"state": "started", "finalize": "load" if name == "finalize" else None}
        for name, text, after in _OF_THE_LOOP
    ]
    wait_max = project.settings.publish.wait_max.total_seconds()
    return {
        "schema_version": SCHEMA_VERSION,
        "is_default": True,
        "root": "load",
        "schedule": f"when files land; runs wait {wait_max:g} s at most",
        "graph_version": None,
        "publishes": False,
        "next_time": None,
        "graph_runs_under_way": 0,
        "tasks": tasks,
        "conditions": [],
        "limits": {},
    }


def schedule_text(graph: TaskGraph) -> str:
    """Say when a graph runs."""
    root = graph.root_task
    if graph.timetable is not None:
        on = f" when {root.when}" if root.when else ""
        return f"{graph.timetable.text}{on}"
    return f"when {root.when}" if root.when else "when a person runs it"


def tasks_document(session: Session, tasks: Tasks, *, serving: bool) -> Document:
    """Return every task: what it is, how it stands, how its last run ended."""
    graph = tasks.graph
    names = [*graph.order, *([graph.finalizer] if graph.finalizer else [])]
    last = _last_runs(session, names)
    at = tasks.next_time
    return {
        "schema_version": SCHEMA_VERSION,
        "is_default": False,
        "root": graph.root,
        "schedule": schedule_text(graph),
        "graph_version": tasks.version,
        "publishes": graph.publishes,
        "next_time": plain(at) if serving else None,
        "graph_runs_under_way": len(tasks.runner.runs),
        "tasks": [
            _task(
                tasks, name, last.get(name), plain(at) if name == graph.root else None
            )
            for name in names
        ],
        "conditions": condition_documents(session, tasks),
        "limits": {
            "lanes_max": graph.root_task.lanes_max,
            "tasks_max": TASKS_MAX,
            "return_bytes_max": RETURN_BYTES_MAX,
            "output_bytes_max": OUTPUT_BYTES_MAX,
        },
    }


def _last_runs(session: Session, names: Sequence[str]) -> dict[str, Any]:
    """Return how each task ended last: of the latest runs, else of all."""
    last: dict[str, Any] = {}
    for since in (session.value(_LATEST), None):
        last = {row[0]: row[1:] for row in session.rows(_LAST, [since])}
        if since is None or last.keys() >= set(names):
            break
    return last


def _task(tasks: Tasks, name: str, last: Any, next_time: Any) -> Document:
    task, standing = tasks.graph.tasks[name], tasks.standings[name]
    state, scheduled_at, started_at, ended_at, error = last or [None] * 5
    return {
        "name": name,
        "kind": task.kinds[0],
        "text": task.text,
        "after": list(task.after),
        "finalize": task.finalize,
        "when": task.when,
        "timeout_seconds": tasks.graph.timeout(name)[0].total_seconds(),
        "state": standing.word,
        "suspended_by": standing.by if standing.suspended else None,
        "reason": standing.reason,
        "since": plain(standing.since),
        "last_state": state,
        "last_scheduled_at": plain(scheduled_at),
        "last_started_at": plain(started_at),
        "last_ended_at": plain(ended_at),
        "last_error": error,
        "next_time": next_time,
    }


def history_document(
    session: Session, task: str | None, state: str | None, limit: int
) -> Document:
    """Return runs of tasks, newest first."""
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.task_runs "  # noqa: S608
        "where ($1 is null or name = $1) and ($2 is null or state = upper($2)) "
        "order by coalesce(query_start_time, scheduled_time) desc, task_run_id desc "
        "limit $3",
        [task, state, limit],
    )
    runs = as_documents(HISTORY_COLUMNS, rows)
    return {"schema_version": SCHEMA_VERSION, "task_runs": runs}


def graph_run_document(session: Session, group_id: str) -> Document:
    """Return how a graph run ended: its newest attempt, and the tasks of all."""
    newest, *before = graph_runs(session, "graph_run_group_id = $1", [group_id])
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.task_runs "  # noqa: S608
        "where graph_run_group_id = $1 "
        "order by attempt_number, coalesce(query_start_time, scheduled_time)",
        [group_id],
    )
    return {
        "schema_version": SCHEMA_VERSION,
        "graph_run": _graph_run(newest),
        "attempts": [_attempt(each) for each in (*reversed(before), newest)],
        "task_runs": as_documents(HISTORY_COLUMNS, rows),
    }


def begun_document(record: GraphRun) -> Document:
    """Return a graph run that has just begun, before anything of it is on record."""
    return {
        "schema_version": SCHEMA_VERSION,
        "graph_run": _graph_run(record),
        "attempts": [_attempt(record)],
        "task_runs": [],
    }


def _attempt(record: GraphRun) -> Document:
    return {name: plain(getattr(record, name)) for name in ATTEMPT_COLUMNS}


def _graph_run(record: GraphRun) -> Document:
    return {
        "graph_run_group_id": record.graph_run_group_id,
        "attempt_number": record.attempt_number,
        "root_task_name": record.root_name,
        "state": record.state.value,
        "scheduled_from": record.scheduled_from,
        "scheduled_time": plain(record.scheduled_time),
        "started_at": plain(record.started_at),
        "ended_at": plain(record.ended_at),
        "first_error_task_name": record.first_error_task_name,
        "first_error_message": record.first_error_message,
    }


def standing_document(tasks: Tasks | None, *, serving: bool) -> Document:
    """Return what the status says of tasks."""
    if tasks is None:
        return {"count": 0, "publishes": False, "next_time": None, "suspended": []}
    suspended = [
        {
            "task": name,
            "since": plain(each.since),
            "by": each.by,
            "reason": each.reason,
            "is_root": name == tasks.graph.root,
        }
        for name, each in tasks.standings.items()
        if each.suspended
    ]
    return {
        "count": len(tasks.graph.tasks),
        "publishes": tasks.graph.publishes,
        "next_time": plain(tasks.next_time) if serving else None,
        "suspended": suspended,
    }
