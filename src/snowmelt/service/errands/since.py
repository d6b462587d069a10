"""What happened since an instant, also by itself, before an errand was asked.

A service loads files as they land. Who lands one and then asks for a run wants to hear
of that file, whether it was loaded a moment before or after the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from snowmelt.landing.stage import Stage
from snowmelt.serve.commands import Document
from snowmelt.service.documents import last_run_document
from snowmelt.service.errands.failing import FAILURES_MAX, failed_loads
from snowmelt.warehouse.port import Session

FILES_SHOWN = 100
UNMENDED_MAX = 1000
"""Of so many files that failed long ago it is looked if they are still there."""
# Each file counts as its newest version. All of them are counted; only names are few.
_NEWEST = """
    select * from snowmelt.load_history
    where last_load_time >= $1 and ($2 is null or pipe_name = $2)
        and file_name glob $3 || '*'
    qualify row_number() over (partition by file_name order by load_seq desc) = 1
"""
_COUNTS = f"""
    select count(*), coalesce(sum(row_count), 0)::bigint,
        coalesce(sum(error_count), 0)::bigint,
        count(*) filter (status = 'Load failed')
    from ({_NEWEST})
"""  # noqa: S608 - texts of ours
_FILES = f"""
    select file_name from ({_NEWEST}) order by load_seq desc limit {FILES_SHOWN}
"""  # noqa: S608 - texts of ours
_FAILED_COLUMNS = (
    *("file_name", "first_error_line_number", "first_error_column_name"),
    *("first_error_message", "status"),
)
_FAILED = f"""
    select {", ".join(_FAILED_COLUMNS)} from ({_NEWEST}) where status = 'Load failed'
    order by load_seq desc limit {FAILURES_MAX}
"""  # noqa: S608 - texts of ours
_UNMENDED = f"""
    select {", ".join(_FAILED_COLUMNS)} from ({_NEWEST})
    where status = 'Load failed' and last_load_time < $4
    order by load_seq desc limit {UNMENDED_MAX}
"""  # noqa: S608 - texts of ours


@dataclass(frozen=True)
class Loaded:
    """Loads that an errand tells of: all are counted, the newest are named.

    `failed`: the newest that could not be loaded, of `failed_count` in all.
    """

    count: int
    row_count: int
    error_count: int
    files: list[str]
    failed: list[Document]
    failed_count: int

    def and_failed(self, more: Sequence[Document]) -> Loaded:
        """Return them with loads that failed before, and fail it still."""
        return replace(
            self,
            failed=[*self.failed, *failed_loads(more)][:FAILURES_MAX],
            failed_count=self.failed_count + len(more),
        )

    @classmethod
    def of(cls, loads: Sequence[Document]) -> Loaded:
        """Return them of load records, newest first."""
        broken = [each for each in loads if each["status"] == "Load failed"]
        return cls(
            len(loads),
            sum(each["row_count"] for each in loads),
            sum(each["error_count"] for each in loads),
            [each["file_name"] for each in loads[:FILES_SHOWN]],
            failed_loads(broken),
            len(broken),
        )


def loads_of(
    session: Session, since: datetime, pipe: str | None, prefix: str | None
) -> Loaded:
    """Return the newest load of each file that was loaded since."""
    given = [since, pipe, _literal(prefix or "")]
    ((count, rows, errors, failed_count),) = session.rows(_COUNTS, given)
    broken = [
        dict(zip(_FAILED_COLUMNS, row, strict=True))
        for row in session.rows(_FAILED, given)
    ]
    files = [name for (name,) in session.rows(_FILES, given)]
    failed = failed_loads(broken)
    return Loaded(count, rows, errors, files, failed, failed_count)


def unmended(
    session: Session,
    stage: Stage,
    times: tuple[datetime, datetime],
    pipe: str | None,
    prefix: str | None,
) -> list[Document]:
    """Return loads that failed between two instants, of files that are as they were.

    A file is none of them once a version of it is loaded, or it is gone.
    """
    since, before = times
    given = [since, pipe, _literal(prefix or ""), before]
    found = [
        dict(zip(_FAILED_COLUMNS, row, strict=True))
        for row in session.rows(_UNMENDED, given)
    ]
    there = stage.looks([each["file_name"] for each in found])
    return [each for each in found if there[each["file_name"]] is not None]


def run_of(session: Session, since: datetime) -> Document | None:
    """Return the newest run, if it ended since."""
    run = last_run_document(session)
    if run is None or run["ended_at"] is None:
        return None
    return run if datetime.fromisoformat(run["ended_at"]) >= since else None


def _literal(prefix: str) -> str:
    """Return a prefix as a pattern that means it letter by letter."""
    return "".join(f"[{each}]" if each in "*?[" else each for each in prefix)
