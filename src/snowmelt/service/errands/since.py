"""What happened since an instant, also by itself, before an errand was asked.

A service loads files as they land. Who lands one and then asks for a run wants to hear
of that file, whether it was loaded a moment before or after the question.
"""

from __future__ import annotations

from datetime import datetime

from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    HISTORY_COLUMNS,
    as_documents,
    last_run_document,
)
from snowmelt.warehouse.port import Session

LOADS_MAX = 1000
_LOADS = f"""
    select {", ".join(HISTORY_COLUMNS)} from snowmelt.load_history
    where last_load_time >= $1 and ($2 is null or pipe_name = $2)
        and file_name glob $3 || '*'
    qualify row_number() over (partition by file_name order by load_seq desc) = 1
    order by load_seq desc limit {LOADS_MAX}
"""  # noqa: S608 - columns of ours


def loads_of(
    session: Session, since: datetime, pipe: str | None, prefix: str | None
) -> list[Document]:
    """Return the newest load of each file that was loaded since, newest first."""
    rows = session.rows(_LOADS, [since, pipe, _literal(prefix or "")])
    return as_documents(HISTORY_COLUMNS, rows)


def run_of(session: Session, since: datetime) -> Document | None:
    """Return the newest run, if it ended since."""
    run = last_run_document(session)
    if run is None or run["ended_at"] is None:
        return None
    return run if datetime.fromisoformat(run["ended_at"]) >= since else None


def _literal(prefix: str) -> str:
    """Return a prefix as a pattern that means it letter by letter."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in prefix)
