"""What is beside every page, and what needs a person."""

from __future__ import annotations

from typing import Any

from snowmelt.bronze.rejects import OPEN
from snowmelt.pipe.held import HeldReason
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.remembered import remembered
from snowmelt.warehouse.port import Session

FAILED_SHOWN = 50
_FAILED = """
    with failed as (
        select
            load_seq, file_name, pipe_name, first_error_message, last_load_time,
            error_count
        from snowmelt.load_history
        where status = 'Load failed' and superseded_by is null
    )

    select * from failed
    where not exists (
        select 1 from snowmelt.load_history as later
        where later.file_name = failed.file_name
            and later.load_seq > failed.load_seq
    )
    order by load_seq desc
"""


def shell_document(loop: Loop, session: Session) -> Document:
    """Return the counts beside every page, and the run that this snapshot shows."""
    with loop.lock:
        held = len(loop.parts.pending.held)
        drifted = sum(
            each.reason is HeldReason.DRIFT for each in loop.parts.pending.held.values()
        )
        pending = loop.parts.pending.count
    rows = session.rows(
        "select run_id, ended_at from snowmelt.run_history "
        "where state = 'SUCCEEDED' order by started_at desc limit 1"
    )
    last = session.value(
        "select state from snowmelt.run_history order by started_at desc limit 1"
    )
    run_id, ended_at = rows[0] if rows else (None, None)
    return {
        "schema_version": SCHEMA_VERSION,
        "project": loop.parts.project.settings.name,
        "target": loop.parts.project.target_name,
        "run_id": run_id,
        "published_at": plain(ended_at),
        "last_run_failed": last == "FAILED",
        "held": held,
        "drifted": drifted,
        "open_alerts": session.value(
            "select count(*) from snowmelt.alerts where resolved_at is null"
        ),
        "tasks_failed": _tasks_failed(loop, session),
        "pending": pending,
        "failed_files": len(failed_files(loop, session)),
        "open_rejects": remembered(loop.parts.warehouse, session, _open_rejects),
        "as_of": plain(loop.parts.clock.now()),
    }


def _tasks_failed(loop: Loop, session: Session) -> bool:
    """Did the last run of the graph fail, or is it suspended because too many did?"""
    tasks = loop.tasks.tasks
    if tasks is None:
        return False
    root = tasks.standings[tasks.graph.root]
    last = session.value(
        "select state from snowmelt.task_graph_runs where state <> 'SKIPPED' "
        "order by started_at desc limit 1"
    )
    return last == "FAILED" or (root.suspended and root.by == "failures")


def failed_files(loop: Loop, session: Session) -> list[Document]:
    """Return the newest loads that failed, of files that nothing was done about."""
    return remembered(loop.parts.warehouse, session, _failed_files)


def _failed_files(session: Session) -> list[Document]:
    names = (
        *("load_seq", "file_name", "pipe_name", "first_error_message", "at"),
        "error_count",
    )
    rows = session.rows(f"{_FAILED} limit {FAILED_SHOWN}")
    return [dict(zip(names, plain(row), strict=True)) for row in rows]


def _open_rejects(session: Session) -> int:
    """Return how many records wait for a fix and a replay."""
    count: Any = session.value(f"select count(*) {OPEN}")
    return int(count)
