"""What of this machine is shipped: rows of bronze and of load history, piece by piece.

A piece is what lies between two positions in commit order: a load and a part of it, so
that a load larger than a piece is cut by the number of its records. Positions never
change, so whoever was stopped goes on after the last piece that arrived.

A row's version there is told by `_CONTENT_KEY`: the load that brought it first, and the
content of the file. It begins with a word of ours, which Snowflake's keys do not, so
that shipped rows are known from those that a pipe copied. `_VERSION_AT` never falls
from one load of a name to the next, since the view there goes by it; what a later load
does never changes what an earlier one was shipped as.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

from snowmelt.bronze.table import LOAD_COLUMNS, all_rows, live_rows
from snowmelt.deploy.migration.digest import DUCKDB, JSON, Digest, Typed, digest_query
from snowmelt.deploy.migration.staged import json_of, some, texts
from snowmelt.deploy.snowflake import sql
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.identity import SameName
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

OURS = "snowmelt-"
"""What the content key of a shipped row begins with."""
ROWS_MAX = 2_000_000
HISTORY = "load_history"
LOADED_COLUMNS = (
    Typed("_FILE", "varchar"),
    Typed("_FILE_ROW", "bigint"),
    Typed("_CONTENT_KEY", "varchar"),
    Typed("_VERSION_AT", "timestamp"),
    Typed("_LOADED_AT", "timestamptz"),
    Typed("_REPLAYED_FROM", "bigint"),
)
HISTORY_COLUMNS = (
    Typed("LOAD_SEQ", "bigint"),
    Typed("PIPE_NAME", "varchar"),
    Typed("TABLE_NAME", "varchar"),
    Typed("FILE_NAME", "varchar"),
    Typed("STATUS", "varchar"),
    Typed("ROW_COUNT", "bigint"),
    Typed("ROW_PARSED", "bigint"),
    Typed("ERROR_COUNT", "bigint"),
    Typed("FILE_SIZE", "bigint"),
    Typed("CONTENT_SHA256", "varchar"),
    Typed("LAST_LOAD_TIME", "timestamptz"),
)
Cut: TypeAlias = tuple[int, int]
"""A position in commit order: a load, and which part of it."""


@dataclass(frozen=True)
class Piece:
    """What lies from one position to another, both included."""

    first: Cut
    last: Cut
    rows: int

    @classmethod
    def read(cls, document: dict[str, Any]) -> Piece:
        """Read what `document` wrote."""
        first, last = (
            (int(a), int(b)) for a, b in (document["first"], document["last"])
        )
        return cls(first, last, int(document["rows"]))

    @property
    def document(self) -> dict[str, Any]:
        return asdict(self)

    def name(self, digest: Digest, of_texts: Digest | None) -> str:
        """Return the name of the file with these rows: the same for the same rows.

        It has an ending, so that none is the beginning of another: a stage is asked for
        all files that begin so.
        """
        (one, part), (two, other) = self.first, self.last
        said = f"{digest}-{of_texts}" if of_texts else f"{digest}"
        return f"{one:012d}.{part}-{two:012d}.{other}-{said}.moved"


@dataclass(frozen=True)
class Source:
    """Something that is shipped: its columns, and a query that has them.

    The query has `__seq` and `__part` beside them: the position of each row.
    """

    columns: tuple[Typed, ...]
    query: str

    def cut(self, session: Session, after: Cut, rows_max: int) -> list[Piece]:
        """Return the pieces after a position, each of about so many rows."""
        return [
            Piece((a, b), (c, d), rows)
            for a, b, c, d, rows in session.rows(
                f"""
                with units as (
                    select __seq, __part, count(*) as number
                    from ({self.query}) where {_after(after)} group by all
                ), placed as (
                    select *, (sum(number) over (order by __seq, __part) - number)
                        // {rows_max:d} as piece
                    from units
                )
                select first(__seq order by __seq, __part),
                    first(__part order by __seq, __part),
                    last(__seq order by __seq, __part),
                    last(__part order by __seq, __part), sum(number)::bigint
                from placed group by piece order by 1, 2
                """
            )
        ]

    def digest(self, session: Session, piece: Piece) -> Digest:
        """Return the digest of a piece's rows."""
        return self._digest(session, self.columns, _within(piece))

    def texts(self, session: Session, piece: Piece) -> Digest | None:
        """Return the digest of a piece's texts of JSON, if it has such columns."""
        if not json_of(self.columns):
            return None
        where = f"{_within(piece)} and {some(self.columns)}"
        return self._digest(session, texts(self.columns), where)

    def _digest(self, session: Session, columns: Sequence[Typed], where: str) -> Digest:
        source = f"(select * from ({self.query}) where {where})"
        [row] = session.rows(digest_query(columns, source, DUCKDB))
        return Digest.read(row)

    def write(self, session: Session, piece: Piece, path: Path) -> None:
        """Write a piece's rows as Parquet, without holding them."""
        names = ", ".join(
            f"cast({each.name} as varchar) as {each.name}"
            if each.type == JSON
            else each.name
            for each in self.columns
        )
        session.execute(
            f"copy (select {names} from ({self.query}) where {_within(piece)}) "
            f"to {literal(str(path))} (format parquet, compression zstd)"
        )


def _after(cut: Cut) -> str:
    seq, part = cut
    return f"(__seq > {seq:d} or (__seq = {seq:d} and __part > {part:d}))"


def _within(piece: Piece) -> str:
    (one, part), (two, other) = piece.first, piece.last
    from_first = f"(__seq > {one:d} or __part >= {part:d})"
    to_last = f"(__seq < {two:d} or __part <= {other:d})"
    return f"__seq between {one:d} and {two:d} and {from_first} and {to_last}"


def bronze_source(
    pipe: Pipe,
    folder: str,
    columns: Sequence[str],
    rows_max: int,
    without: Collection[str],
) -> Source:
    """Return the rows of a pipe's table that are shipped.

    `folder` is where files arrive in the bucket; `columns` are those that the table
    there has; `without` are files whose rows a pipe copied there by itself. Rows that
    were superseded go along where the view there knows them for that, and only then.
    """
    kept = [each for each in pipe.contract.columns if each.name in set(columns)]
    own = [f"arrived.{identifier(e.name)} as {sql.name(e.name)}" for e in kept]
    wanted = f"({_counts(pipe)})"
    if without:
        listed = ", ".join(literal(each) for each in sorted(without))
        wanted += f" and arrived._file not in ({listed})"
    shown = ", ".join(
        [
            *own,
            f"{literal(folder)} || arrived._file as _FILE",
            "arrived._file_row as _FILE_ROW",
            f"coalesce(version.content_key, {_key('arrived._load_seq', 'null')}) "
            "as _CONTENT_KEY",
            "coalesce(version.version_at, arrived._version_at) at time zone 'UTC' "
            "as _VERSION_AT",
            "arrived._loaded_at as _LOADED_AT",
            "arrived._replayed_from as _REPLAYED_FROM",
            "arrived._load_seq as __seq",
            f"(greatest(arrived._file_row, 1) - 1) // {rows_max:d} as __part",
        ]
    )
    query = (
        f"select {shown} from {all_rows(pipe)} as arrived "
        f"left join ({_versions(pipe)}) as version on version.load_seq = "
        f"coalesce(arrived._replayed_from, arrived._load_seq) where {wanted}"
    )
    typed = tuple(Typed(sql.name(each.name), each.type) for each in kept)
    return Source((*typed, *LOADED_COLUMNS), query)


def _of_table(pipe: Pipe) -> str:
    return (
        f"table_schema_name = {literal(pipe.schema_name)} "
        f"and table_name = {literal(pipe.table_name)}"
    )


def _key(seq: str, content: str) -> str:
    return (
        f"'{OURS}' || lpad({seq}::varchar, 19, '0') || '-' "
        f"|| coalesce(left({content}, 32), '')"
    )


def _versions(pipe: Pipe) -> str:
    """Return the query of what each load's rows are known by there.

    A version is not of later than it was loaded: of a date that is to come nobody
    would ever send a newer one.
    """
    return (
        f"select load_seq, {_key('load_seq', 'content_sha256')} as content_key, "
        "max(least(version_at, last_load_time)) over "
        "(partition by file_name order by load_seq) as version_at "
        f"from snowmelt.load_history where {_of_table(pipe)} and replay_of is null"
    )


def _goes_by_version(pipe: Pipe) -> bool:
    """Does the view there show, of the rows of a name, those of the newest version?"""
    newest = pipe.on_same_name_changed is SameName.SUPERSEDE and pipe.mode != "snapshot"
    return newest and not pipe.snowpipe_compat


def _followed(pipe: Pipe) -> str:
    """Return the query of files whose newest version has rows."""
    return (
        f"select file_name from snowmelt.load_history where {_of_table(pipe)} "
        "and superseded_by is null and row_count > 0 and replay_of is null"
    )


def _counts(pipe: Pipe) -> str:
    """Return the condition of rows that are shipped."""
    alive = (
        "arrived._load_seq not in (select load_seq from snowmelt.load_history "
        "where superseded_by is not null)"
    )
    if not _goes_by_version(pipe):
        return alive
    return f"{alive} or arrived._file in ({_followed(pipe)})"


def withdrawn_query(pipe: Pipe, after: Cut) -> str:
    """Return the query of content keys whose rows have to go there, if they are there.

    They counted when they were shipped, were superseded after that, and are none that
    the view there knows for that: such a file is empty now, or versions do not decide.
    """
    unseen = (
        f" and file_name not in ({_followed(pipe)})" if _goes_by_version(pipe) else ""
    )
    since = (
        f"select file_name from snowmelt.load_history where {_of_table(pipe)} "
        f"and superseded_by > {after[0]:d}"
    )
    return (
        f"select {_key('load_seq', 'content_sha256')} from snowmelt.load_history "
        f"where {_of_table(pipe)} and replay_of is null and row_count > 0 "
        f"and superseded_by is not null and load_seq <= {after[0]:d} "
        f"and file_name in ({since}){unseen} order by 1"
    )


def history_source(pipes: Collection[Pipe], folder: str) -> Source:
    """Return what is shipped of load history: which file became what."""
    names = ", ".join(literal(pipe.name) for pipe in pipes)
    query = (
        "select load_seq as LOAD_SEQ, pipe_name as PIPE_NAME, "
        "upper(table_schema_name || '.' || table_name || '__all') as TABLE_NAME, "
        f"{literal(folder)} || file_name as FILE_NAME, status as STATUS, "
        "row_count as ROW_COUNT, row_parsed as ROW_PARSED, error_count as ERROR_COUNT, "
        "file_size as FILE_SIZE, content_sha256 as CONTENT_SHA256, "
        "last_load_time as LAST_LOAD_TIME, load_seq as __seq, 0 as __part "
        f"from snowmelt.load_history where pipe_name in ({names})"
    )
    return Source(HISTORY_COLUMNS, query)


def live_columns(pipe: Pipe, columns: Sequence[str]) -> tuple[Typed, ...]:
    """Return what is compared of the rows that count: what the view there shows."""
    own = tuple(
        Typed(sql.name(each.name), each.type)
        for each in pipe.contract.columns
        if each.name in set(columns)
    )
    return (*own, Typed("_FILE", "varchar"), Typed("_FILE_ROW", "bigint"))


def live_query(pipe: Pipe, columns: Sequence[str], *, by_file: bool) -> str:
    """Return the query of the digest of the rows that count."""
    listed = live_columns(pipe, columns)
    by = "_FILE" if by_file else None
    return digest_query(listed, live_rows(pipe), DUCKDB, by=by)


def local_columns(pipe: Pipe) -> dict[str, str]:
    """Return the columns of a pipe's table, by name, with their types."""
    return {
        each.name: each.type
        for each in pipe.contract.columns
        if each.name not in LOAD_COLUMNS
    }
