"""Samples of what was refused for one reason, across files: records, and rows."""

from __future__ import annotations

import json

from snowmelt.bronze.rejects import OPEN, REASON
from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    as_documents,
    plain,
    reject_document,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.transform.quarantine import COLUMNS as ROW_COLUMNS
from snowmelt.transform.quarantine import count_refused, quarantines, refused_rows

LIMIT_MAX = 200
COLUMNS = (
    *("file_name", "file_row", "line", "byte_offset", "column_name", "category"),
    *("error", "errors", "rejected_record", "load_seq", "pipe_name"),
)


def samples_document(
    loop: Loop,
    *,
    pipe: str | None,
    category: str | None,
    column: str | None,
    reason: str | None,
    limit: int,
) -> Document:
    """Return open rejects of one kind, oldest first, and how many there are."""
    where = (
        " and ($1 is null or rejects.pipe_name = $1)"
        " and ($2 is null or lower(rejects.category) = lower($2))"
        " and ($3 is null or rejects.column_name = $3)"
        f" and ($4 is null or {REASON} = $4)"
    )
    given = [pipe, category, column, reason]
    wanted = ", ".join(f"rejects.{name}" for name in COLUMNS)
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        count = session.value(f"select count(*) {OPEN} {where}", given)
        rows = session.rows(
            f"select {wanted} {OPEN} {where} "
            "order by rejects.load_seq, rejects.file_row limit $5",
            [*given, max(1, min(limit, LIMIT_MAX))],
        )
    samples = [reject_document(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "count": count,
        "rejects": samples,
    }


def quarantine_samples_document(
    loop: Loop, model: str | None, rule: str | None, limit: int
) -> Document:
    """Return open rows that a rule refused, oldest first, and how many there are.

    No file is read for them: a page must not wait for that. `quarantine` has the
    lines, too. Raises UsageError for a model that has no quarantine.
    """
    limit = max(1, min(limit, LIMIT_MAX))
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        known = quarantines(session)
        chosen = [each for each in known if model in (None, each.model)]
        if not chosen and known:
            names = ", ".join(each.model for each in known)
            raise UsageError(
                f"model {model}", "no such model has a quarantine", f"Known: {names}."
            )
        counts = count_refused(session, chosen, rule)
        found = refused_rows(session, chosen, rule=rule, only_open=True, limit=limit)
    rows = as_documents(ROW_COLUMNS, found)
    for row in rows:
        row.pop("pipe_table")
        row["values"] = plain(json.loads(row.pop("refused_row")))
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "count": counts["open"],
        "replayed": counts["replayed"],
        "rows": rows,
    }
