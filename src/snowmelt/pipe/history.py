"""What became of every file: load history, and what was last seen at each path.

Load history is written in the transaction that writes the rows. It decides what is
new; notifications and listings only say where to look. What one file costs here does
not grow with what was loaded before: names and contents are looked up by index.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from snowmelt.landing.s3_version import StagedVersion
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.identity import LiveLoad
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import literal

LOOKUP_MAX = 50
"""The engine looks up as many values by index; for more it reads the whole table."""
ROWS_PER_LOOKUP = 25_000
"""To read so many rows costs as much as to look up as many values as that."""
_NO_LIMIT = " limit 9223372036854775807"
_FEW_ROWS = 8


class LoadStatus(StrEnum):
    """How the load of one file ended. The words are Snowflake's."""

    LOADED = "Loaded"
    PARTIALLY_LOADED = "Partially loaded"
    LOAD_FAILED = "Load failed"
    LOAD_SKIPPED = "Load skipped"

    @property
    def has_rows(self) -> bool:
        """May a load that ended so have rows?"""
        return self in (LoadStatus.LOADED, LoadStatus.PARTIALLY_LOADED)


@dataclass(frozen=True)
class LoadRecord:
    """One file's passage through a copy, as it stands in load history.

    `Loaded` and `Partially loaded`: row_parsed = row_count + error_count. `Load
    failed`: row_count = 0. `last_load_time` is when the load was committed, and so is
    `first_commit_time`, which is written with the record. `bytes_read` are the file's
    bytes as inflated.
    """

    file_name: str
    stage_location: str
    last_load_time: datetime
    row_count: int
    row_parsed: int
    file_size: int
    first_error_message: str | None
    first_error_line_number: int | None
    first_error_character_pos: int | None
    first_error_column_name: str | None
    error_count: int
    error_limit: str
    status: LoadStatus
    table_schema_name: str
    table_name: str
    pipe_name: str
    pipe_received_time: datetime
    load_seq: int
    content_sha256: str | None
    version_at: datetime
    superseded_by: int | None
    duplicate_of: int | None
    replay_of: int | None
    header: str | None
    started_at: datetime
    first_commit_time: datetime | None = None
    etag: str | None = None
    bytes_read: int | None = None


COLUMNS = [field.name for field in fields(LoadRecord)]


class Settled(NamedTuple):
    """What a path held when it was last dealt with."""

    file_name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    pipe_name: str
    pipe_digest: str
    settled: str


def load_record(session: Session, load_seq: int) -> LoadRecord | None:
    """Return the record of one load."""
    rows = session.rows(
        f"select {', '.join(COLUMNS)} from snowmelt.load_history "  # noqa: S608
        "where load_seq = $1",
        [load_seq],
    )
    return LoadRecord(*rows[0]) if rows else None


def next_load_seq(session: Session) -> int:
    """Return the next position in commit order. Call under the commit lock."""
    last = session.value("select max(load_seq) from snowmelt.load_history")
    return (last or 0) + 1


class _Written:
    """What was written last by this process; another one cannot write meanwhile."""

    loads = object()


class LoadSeqs:
    """The next position, remembered while nobody else writes load history.

    A position is remembered once its commit was made: what a failed commit took is
    asked for again. Call every method under the commit lock.
    """

    def __init__(self) -> None:
        self._known: tuple[object, int] = (None, 0)
        self._taken: tuple[object, int] = (None, 0)

    def next(self, session: Session) -> int:
        """Return the next position in commit order."""
        written, load_seq = self._known
        return load_seq if written is _Written.loads else next_load_seq(session)

    def taken(self, load_seq: int) -> None:
        """Loads were inserted; `load_seq` follows them once they are committed."""
        self._taken = (_Written.loads, load_seq)

    def committed(self) -> None:
        """What was taken last is committed."""
        self._known = self._taken


def live_loads(
    session: Session, pipe_name: str, names: Sequence[str], contents: Sequence[str]
) -> list[LiveLoad]:
    """Return the pipe's live loads under one of these names or contents.

    A skipped duplicate stands under its own name too, so that the same bytes there
    are known, and other bytes are a new version. A load without records is found by
    its name alone: its content says nothing.
    """
    lookups = [
        (*one_of(column, chosen), len(chosen) <= LOOKUP_MAX)
        for column, values in (("file_name", names), ("content_sha256", contents))
        for chosen in in_parts(session, "load_history", values)
    ]
    written = [each for each in lookups if not each[1]]
    asked = [written] if written else []
    asked += [[each] for each in lookups if each[1]]
    by_name = frozenset(names)
    found = {
        load.load_seq: load
        for each in asked
        for load in _find_live(session, pipe_name, each)
        if load.row_parsed > 0 or load.file_name in by_name
    }
    return [found[load_seq] for load_seq in sorted(found)]


def _find_live(
    session: Session, pipe_name: str, lookups: Sequence[tuple[str, list[object], bool]]
) -> Iterator[LiveLoad]:
    """Find live loads by the values of columns that have an index, in one statement.

    The limit keeps the conditions out of the inner query: the engine takes an index
    only if nothing else is asked of the table.
    """
    columns = (
        "load_seq, file_name, content_sha256, row_parsed, replay_of, status, "
        "pipe_name, superseded_by, duplicate_of"
    )
    arms = " union all ".join(
        f"(select {columns} from snowmelt.load_history where {wanted}"  # noqa: S608
        f"{_NO_LIMIT if by_index else ''})"
        for wanted, _, by_index in lookups
    )
    rows = session.rows(
        f"""
        select load_seq, file_name, content_sha256,
               case when status = 'Load skipped' then 0 else row_parsed end,
               replay_of is not null,
               status = 'Load skipped' and duplicate_of is null
        from ({arms})
        where pipe_name = {literal(pipe_name)}
          and superseded_by is null
          and status <> 'Load failed'
        """,  # noqa: S608 - names of ours, and texts as literals
        [parameter for _, parameters, _ in lookups for parameter in parameters],
    )
    yield from (LiveLoad(*row) for row in rows)


def in_parts(
    session: Session, table: str, values: Iterable[str]
) -> Iterator[list[str]]:
    """Yield the values, each once, in as many at a time as a lookup takes.

    All at once, where to read the whole table costs less than the lookups.
    """
    distinct = list(dict.fromkeys(values))
    size = LOOKUP_MAX
    if len(distinct) > LOOKUP_MAX:
        rows = session.value(f"select count(*) from snowmelt.{table}")  # noqa: S608
        if rows * LOOKUP_MAX <= ROWS_PER_LOOKUP * len(distinct):
            size = len(distinct)
    for start in range(0, len(distinct), size):
        yield distinct[start : start + size]


def one_of(column: str, chosen: list[str]) -> tuple[str, list[object]]:
    """Return the condition that a column has one of these texts, and its parameters.

    A single one is written into the statement: the engine need not take a list apart,
    nor the driver find out what a parameter is. A text with a NUL cannot be written.
    """
    if len(chosen) == 1 and "\0" not in chosen[0]:
        return f"{column} = {literal(chosen[0])}", []
    return f"{column} in (select unnest($1::json::varchar[]))", [chosen]


def settled_files(session: Session, names: Collection[str]) -> dict[str, Settled]:
    """Return what is known of these paths; a path never seen is absent."""
    return {known.file_name: known for known in settled_rows(session, names)}


def settled_rows(session: Session, names: Collection[str]) -> Iterator[Settled]:
    """Yield what is known of these paths, one by one: there may be very many."""
    for chosen in in_parts(session, "staged_files", names):
        wanted, parameters = one_of("file_name", chosen)
        rows: list[Row] = session.rows(
            f"""
            select file_name, file_size, file_mtime_ns, file_ctime_ns, pipe_name,
                   pipe_digest, settled
            from snowmelt.staged_files
            where {wanted}
            """,  # noqa: S608 - a condition of ours
            parameters,
        )
        yield from map(Settled._make, rows)


def failed_files(session: Session, pipe_name: str) -> list[str]:
    """Return the pipe's paths that failed when they were last dealt with."""
    rows = session.rows(
        "select file_name from snowmelt.staged_files "
        "where pipe_name = $1 and settled = 'Load failed' order by load_seq",
        [pipe_name],
    )
    return [name for (name,) in rows]


def freed_files(session: Session, load_seqs: Sequence[int]) -> list[str]:
    """Return the copies that ended when these loads superseded what they repeat."""
    rows = session.rows(
        "select distinct file_name from snowmelt.load_history "
        "where duplicate_of is not null "
        "and superseded_by in (select unnest($1::json::bigint[]))",
        [list(load_seqs)],
    )
    return [name for (name,) in rows]


def insert_loads(session: Session, records: Sequence[LoadRecord]) -> None:
    """Append records; part of the caller's transaction, whose commit is their first."""
    columns: dict[str, Sequence[object]] = {
        name: [getattr(record, name) for record in records] for name in COLUMNS
    }
    columns["first_commit_time"] = columns["last_load_time"]
    _Written.loads = object()
    _insert(session, "snowmelt.load_history", columns)


def supersede(session: Session, superseded: dict[int, int]) -> None:
    """Mark loads as superseded: {load: the load that replaces it}.

    Files that were skipped as duplicates of such a load end with it and are
    forgotten, so that they are offered again: their content is nowhere any more.
    Call after `settle_files`: a duplicate may be of this very transaction.
    """
    if not superseded:
        return
    duplicates = session.rows(
        """
        select load_seq, duplicate_of, file_name from snowmelt.load_history
        where duplicate_of in (select unnest($1::json::bigint[]))
          and superseded_by is null
        """,
        [list(superseded)],
    )
    _forget_settled(session, [file_name for *_, file_name in duplicates])
    replaced_by = superseded | {
        load_seq: superseded[origin]
        for load_seq, origin, _ in duplicates
        if load_seq not in superseded
    }
    session.execute(
        """
        update snowmelt.load_history as history
        set superseded_by = pair.new
        from (
            select
                unnest($1::json::bigint[]) as old,
                unnest($2::json::bigint[]) as new
        ) as pair
        where history.load_seq = pair.old
        """,
        [list(replaced_by), list(replaced_by.values())],
    )


def settle_files(
    session: Session,
    settled: Iterable[tuple[StagedFile, str, str, str, int]],
    seen: Sequence[str] | None = None,
) -> None:
    """Remember (file, pipe name, pipe digest, status, load_seq) as last seen.

    `seen`: the only names of which something is remembered already; not given: any.
    """
    known = list(settled)
    names = [file.name for file, *_ in known]
    _forget_settled(session, names if seen is None else seen)
    objects = [file if isinstance(file, StagedVersion) else None for file, *_ in known]
    _insert(
        session,
        "snowmelt.staged_files",
        {
            "file_name": names,
            "file_size": [file.size for file, *_ in known],
            "file_mtime_ns": [file.mtime_ns for file, *_ in known],
            "file_ctime_ns": [file.ctime_ns for file, *_ in known],
            "pipe_name": [pipe for _, pipe, *_ in known],
            "pipe_digest": [digest for _, _, digest, *_ in known],
            "settled": [status for *_, status, _ in known],
            "load_seq": [seq for *_, seq in known],
            "etag": [each.etag if each else "" for each in objects],
            "version_id": [(each and each.version_id) or "" for each in objects],
        },
    )


def _insert(session: Session, table: str, columns: dict[str, Sequence[object]]) -> None:
    """Append rows, each with a file name.

    Of many rows the engine takes each column apart once; a column in which all have
    the same is written into the statement.
    """
    if len(columns["file_name"]) <= _FEW_ROWS:
        session.insert(table, columns)
        return
    chosen: list[str] = []
    lists: list[object] = []
    for name, values in columns.items():
        written = None if name == "file_name" else _write_once(values)
        if written is None:
            lists.append(list(values))
            written = f"unnest(${len(lists)}::json::varchar[])"
        chosen.append(written)
    session.execute(
        f"insert into {table} ({', '.join(columns)}) select {', '.join(chosen)}",
        lists,
    )


def _write_once(values: Sequence[object]) -> str | None:
    """Write the one value that all are as a literal; None if that cannot be."""
    first = values[0]
    if values.count(first) != len(values):
        return None
    if first is None:
        return "null"
    text = first.isoformat() if isinstance(first, datetime) else str(first)
    return None if "\0" in text else literal(text)


def _forget_settled(session: Session, names: Sequence[str]) -> None:
    for chosen in in_parts(session, "staged_files", names):
        wanted, parameters = one_of("file_name", chosen)
        session.execute(
            f"delete from snowmelt.staged_files where {wanted}",  # noqa: S608 - ours
            parameters,
        )
