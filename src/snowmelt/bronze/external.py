"""Bronze without a copy: the rows of external pipes are read from their files.

`bronze.orders__all` is a view here: one branch a load, which reads that load's file as
the copy did and adds what is the same for all its rows. So everything that reads
bronze finds the rows that a table would have, and a bound of `_load_seq` that is known
before a statement runs leaves the files of other loads unread.
"""

from __future__ import annotations

from collections.abc import Mapping

from snowmelt.bronze.fileread import PLACE
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.external import KeptFile, kept_files, problem_of
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import identifier, literal


def view_sql(
    session: Session, pipe: Pipe, columns: Mapping[str, str], origin: Mapping[str, str]
) -> str:
    """Return the query of a pipe's bronze: `columns` and `origin` by name and type."""
    loads = {
        load_seq: (version_at, loaded_at)
        for load_seq, version_at, loaded_at in session.rows(
            "select load_seq, version_at, last_load_time from snowmelt.load_history "
            "where load_seq in (select load_seq from snowmelt.external_files "
            "where table_name = $1)",
            [pipe.full_table_name],
        )
    }
    nothing = [
        f"null::{t} as {identifier(n)}" for n, t in {**columns, **origin}.items()
    ]
    branches = [f"select {', '.join(nothing)} where false"]
    for kept in kept_files(session, pipe.full_table_name):
        branches.append(_branch(pipe, kept, columns, loads[kept.load_seq]))
    return " union all ".join(branches)


def _branch(pipe: Pipe, kept: KeptFile, columns: Mapping[str, str], times: Row) -> str:
    """Return the query of one load; it fails, when asked, if its file is changed."""
    version_at, loaded_at = (literal(each.isoformat()) for each in times)
    changed = kept.is_changed(pipe.external_folder)
    there = () if changed else kept.columns
    chosen = [
        (f"{identifier(name)}::{kind}" if name in there else f"null::{kind}")
        + f" as {identifier(name)}"
        for name, kind in columns.items()
    ]
    ordinal = "null::bigint as _file_row" if changed else "_file_row"
    chosen += [
        *(f"{literal(kept.file_name)} as _file", ordinal),
        f"{kept.load_seq}::bigint as _load_seq",
        f"{version_at}::timestamptz as _version_at",
        f"{loaded_at}::timestamptz as _loaded_at",
        "null::bigint as _replayed_from",
    ]
    if changed:
        told = literal(f"{kept.file_name}: {problem_of(kept)}")
        return f"select {', '.join(chosen)} where error({told})::boolean"
    path = literal(str(pipe.external_folder / kept.name))
    source = kept.query.replace(literal(PLACE), path)
    return f"select {', '.join(chosen)} from ({source})"


def superseded_files(session: Session, pipe: Pipe) -> list[int]:
    """Return the loads of a pipe's files that no reader of live rows needs."""
    rows = session.rows(
        "select load_seq from snowmelt.external_files join snowmelt.load_history "
        "using (load_seq) where external_files.table_name = $1 "
        "and superseded_by is not null order by load_seq",
        [pipe.full_table_name],
    )
    return [load_seq for (load_seq,) in rows]
