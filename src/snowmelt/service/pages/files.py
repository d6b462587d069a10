"""Files: what became of each, page by page, and everything about one."""

from __future__ import annotations

import json
from typing import Any

from snowmelt.bronze.rejects import REASON
from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    HISTORY_COLUMNS,
    SCHEMA_VERSION,
    as_documents,
    plain,
    reject_document,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.service.standing import held_document
from snowmelt.warehouse.port import Session

LIMIT_MAX = 500
REJECTS_SHOWN = 200
PENDING_SHOWN = 200
PAST_SHOWN = 50
SPAN = 5000
"""How many loads back an unfiltered page looks at first; most find enough there."""


def files_document(
    loop: Loop,
    *,
    pipe: str | None,
    status: str | None,
    name: str | None,
    before: int | None,
    limit: int,
) -> Document:
    """Return load records before a position, newest first, and what is pending.

    `next`: where the next page begins; None on the last one.
    """
    limit = max(1, min(limit, LIMIT_MAX))
    with loop.lock:
        waiting = loop.parts.pending.states()
        held = [held_document(each) for each in loop.parts.pending.held.values()]
        unmatched = sorted(loop.parts.pending.unmatched)
    waiting = [
        each
        for each in waiting
        if (pipe is None or each["pipe_name"] == pipe)
        and (name is None or name.lower() in str(each["file_name"]).lower())
    ]
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        chosen = (pipe, status, name)
        rows = _page(session, chosen, before, limit + 1)
    loads = as_documents(HISTORY_COLUMNS, rows[:limit])
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "pipes": [each.name for each in loop.parts.project.pipes],
        "loads": loads,
        "next": loads[-1]["load_seq"] if len(rows) > limit else None,
        "pending": plain(waiting[:PENDING_SHOWN]),
        "pending_count": len(waiting),
        "held": held,
        "unmatched": unmatched[:PENDING_SHOWN],
    }


def _page(
    session: Session,
    chosen: tuple[str | None, str | None, str | None],
    before: int | None,
    limit: int,
) -> list[Any]:
    """Return a page: of the newest loads if they are enough, else of all.

    `load_seq` grows with time, so that the engine skips what is older than the span.
    """
    newest = session.value("select max(load_seq) from snowmelt.load_history") or 0
    upper = newest + 1 if before is None else before
    rows: list[Any] = []
    for lower in (upper - SPAN, 0):
        rows = session.rows(
            f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
            "where load_seq < $1 and load_seq >= $2 "
            "and ($3 is null or pipe_name = $3) "
            "and ($4 is null or lower(status) = lower($4)) "
            "and ($5 is null or contains(lower(file_name), lower($5))) "
            "order by load_seq desc limit $6",
            [upper, lower, *chosen, limit],
        )
        if len(rows) >= limit or lower <= 0:
            break
    return rows


def file_document(loop: Loop, load: int) -> Document:
    """Return everything about one load. Raises UsageError for an unknown number."""
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        rows = session.rows(
            f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
            "where load_seq = $1",
            [load],
        )
        if not rows:
            raise UsageError(
                f"load {load}", "there is no such load", "snowmelt history"
            )
        (record,) = as_documents(HISTORY_COLUMNS, rows)
        return {
            "schema_version": SCHEMA_VERSION,
            "shell": shell,
            "load": record,
            "groups": _groups(session, load),
            "rejects": _rejects(session, load),
            "rejects_shown_max": REJECTS_SHOWN,
            "past": _past(session, str(record["file_name"])),
            "steps": _steps(session, record),
            "after_load": _after_load(session, load),
        }


def _groups(session: Session, load: int) -> list[Document]:
    """Return what was refused of a load, counted by column and reason."""
    names = ("category", "column_name", "reason", "count", "first_line", "replayed")
    rows = session.rows(
        f"select category, column_name, {REASON} as reason, count(*), min(line), "
        "count(replayed_by) from snowmelt.rejects as rejects where load_seq = $1 "
        "group by category, column_name, reason order by count(*) desc limit 100",
        [load],
    )
    return as_documents(names, rows)


REJECT_COLUMNS = (
    *("file_row", "line", "byte_offset", "column_name", "category", "error"),
    *("errors", "rejected_record", "replayed_by"),
)


def _rejects(session: Session, load: int) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(REJECT_COLUMNS)} from snowmelt.rejects "
        f"where load_seq = $1 order by file_row limit {REJECTS_SHOWN}",
        [load],
    )
    return [
        reject_document(dict(zip(REJECT_COLUMNS, row, strict=True))) for row in rows
    ]


def _past(session: Session, file_name: str) -> list[Document]:
    """Return the loads of one name, newest first."""
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
        f"where file_name = $1 order by load_seq desc limit {PAST_SHOWN}",
        [file_name],
    )
    return as_documents(HISTORY_COLUMNS, rows)


def _steps(session: Session, record: Document) -> list[Document]:
    """Return what the log tells of the copy of a file: attempts too."""
    names = ("step", "started_at", "ended_at", "status", "error", "details")
    rows = session.rows(
        f"select {', '.join(names)} from snowmelt.pipeline_log "
        "where object = $1 and started_at >= $2::timestamptz - interval 7 day "
        "order by started_at desc limit 50",
        [record["file_name"], record["started_at"]],
    )
    steps = as_documents(names, rows)
    for each in steps:
        each["details"] = json.loads(each["details"] or "{}")
    return steps


def _after_load(session: Session, load: int) -> list[Document]:
    names = ("action", "target", "state", "error", "changed_at")
    rows = session.rows(
        f"select {', '.join(names)} from snowmelt.after_load where load_seq = $1",
        [load],
    )
    return as_documents(names, rows)
