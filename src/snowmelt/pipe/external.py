"""The files that external pipes read their rows from: kept by a link, and registered.

Bronze has no copy of these rows. A second link keeps a file's content readable when
its name in landing is replaced, moved or deleted. What a link cannot keep is content
that is written over in place: a registered file of another size or time than it had
is changed, and nothing that was read from it can be read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from snowmelt.errors import RunError
from snowmelt.warehouse.port import LINKS, Session


@dataclass(frozen=True)
class KeptFile:
    """One load's file: `name` in the folder of links, and the query that reads it.

    The query yields `columns`, typed, and `_file_row`. `file_name`: its path in the
    stage when it was loaded.
    """

    load_seq: int
    table_name: str
    file_name: str
    name: str
    size: int
    mtime_ns: int
    columns: tuple[str, ...]
    query: str

    def is_changed(self, folder: Path) -> bool:
        """Is it gone, or written over in place?"""
        try:
            found = (folder / self.name).stat()
        except OSError:
            return True
        return (found.st_size, found.st_mtime_ns) != (self.size, self.mtime_ns)


def kept_files(session: Session, table_name: str | None = None) -> list[KeptFile]:
    """Return the files that rows are read from, of one table or of all."""
    rows = session.rows(
        "select load_seq, table_name, file_name, name, file_size, file_mtime_ns, "
        "columns, query from snowmelt.external_files where gone_by is null "
        "and ($1 is null or table_name = $1) order by load_seq",
        [table_name],
    )
    found = []
    for load_seq, table, file_name, name, size, mtime_ns, columns, query in rows:
        names = tuple(json.loads(columns))
        state = (size, mtime_ns, names, query)
        found.append(KeptFile(load_seq, table, file_name, name, *state))
    return found


def insert_kept(session: Session, kept: Sequence[KeptFile]) -> None:
    """Register files; part of the transaction that records their loads."""
    session.insert(
        "snowmelt.external_files",
        {
            "load_seq": [each.load_seq for each in kept],
            "table_name": [each.table_name for each in kept],
            "file_name": [each.file_name for each in kept],
            "name": [each.name for each in kept],
            "file_size": [each.size for each in kept],
            "file_mtime_ns": [each.mtime_ns for each in kept],
            "columns": [json.dumps(each.columns) for each in kept],
            "query": [each.query for each in kept],
        },
    )


def touch_kept(session: Session, load_seq: int, mtime_ns: int) -> None:
    """Take note that a file has its content under another time of modification."""
    session.execute(
        "update snowmelt.external_files set file_mtime_ns = $2 where load_seq = $1",
        [load_seq, mtime_ns],
    )


def end_superseded(session: Session, load_seq: int) -> None:
    """Take note that a changed file's rows are nowhere any more, if nobody counts them.

    `gone_by` is what superseded them: a run that has not read that load cannot take
    back row by row what was made of them.
    """
    session.execute(
        "update snowmelt.external_files set gone_by = history.superseded_by "
        "from snowmelt.load_history as history "
        "where external_files.load_seq = $1 and history.load_seq = $1 "
        "and history.superseded_by is not null",
        [load_seq],
    )


def forget_kept(session: Session, load_seqs: Sequence[int]) -> tuple[str, ...]:
    """Let go of files whose rows leave bronze; return the names of their links."""
    chosen = [list(load_seqs)]
    names = session.rows(
        "select name from snowmelt.external_files "
        "where load_seq in (select unnest($1::json::bigint[]))",
        chosen,
    )
    session.execute(
        "delete from snowmelt.external_files "
        "where load_seq in (select unnest($1::json::bigint[]))",
        chosen,
    )
    return tuple(name for (name,) in names)


def gone_file(session: Session, after: int) -> str | None:
    """Return a file whose rows are gone since a load, if there is one."""
    found: str | None = session.value(
        "select min(file_name) from snowmelt.external_files where gone_by > $1", [after]
    )
    return found


def require_unchanged(kept: Iterable[KeptFile], folder: Path) -> None:
    """Raise RunError if a file that bronze reads is not what was registered."""
    for each in kept:
        if each.is_changed(folder):
            raise RunError(each.file_name, problem_of(each), REMEDY)


def problem_of(kept: KeptFile) -> str:
    """Say of a changed file what that means."""
    return (
        f"{kept.table_name} is a view of it, and it was written over in place (or its "
        f"link in {LINKS} was deleted): what load {kept.load_seq} read is gone"
    )


REMEDY = (
    "The next version of it that lies in landing is loaded, and everything built anew "
    "from that: run again, or put the file back."
)


def settle_links(session: Session, folder: Path) -> None:
    """Settle what was left: changed files that nobody counts, and links of no load.

    The commit of such a load was never made.
    """
    for each in kept_files(session):
        if each.is_changed(folder):
            end_superseded(session, each.load_seq)
    known = {each.name for each in kept_files(session)}
    for path in _links(folder):
        if path.relative_to(folder).as_posix() not in known:
            path.unlink()


def _links(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if not path.is_dir())
