"""Samples of the records that were refused for one reason, across files."""

from __future__ import annotations

from snowmelt.bronze.rejects import OPEN, REASON
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, reject_document
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document

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
