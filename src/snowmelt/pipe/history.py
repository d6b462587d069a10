"""What became of every file: load history, and what was last seen at each path.

Load history is written in the transaction that writes the rows. It decides what is
new; notifications and listings only say where to look.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.identity import LiveLoad
from snowmelt.warehouse.port import Session


class LoadStatus(StrEnum):
    """How the load of one file ended. The words are Snowflake's."""

    LOADED = "Loaded"
    PARTIALLY_LOADED = "Partially loaded"
    LOAD_FAILED = "Load failed"
    LOAD_SKIPPED = "Load skipped"


@dataclass(frozen=True)
class LoadRecord:
    """One file's passage through a copy, as it stands in load history.

    `Loaded` and `Partially loaded`: row_parsed = row_count + error_count. `Load
    failed`: row_count = 0. `last_load_time` is when the load was committed.
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


COLUMNS = [field.name for field in fields(LoadRecord)]


@dataclass(frozen=True)
class Settled:
    """What a path held when it was last dealt with."""

    size: int
    mtime_ns: int
    ctime_ns: int
    pipe_name: str
    pipe_digest: str
    settled: str


def next_load_seq(session: Session) -> int:
    """Return the next position in commit order. Call under the commit lock."""
    last = session.value("select max(load_seq) from snowmelt.load_history")
    return (last or 0) + 1


def live_loads(
    session: Session, pipe_name: str, names: Sequence[str], contents: Sequence[str]
) -> list[LiveLoad]:
    """Return the pipe's live loads under one of these names or contents.

    A skipped duplicate stands under its own name too, so that the same bytes there
    are known, and other bytes are a new version.
    """
    rows = session.rows(
        """
        select load_seq, file_name, content_sha256, row_parsed, replay_of is not null,
               status
        from snowmelt.load_history
        where pipe_name = $1
          and superseded_by is null
          and status <> 'Load failed'
          and (file_name in (select unnest($2::json::varchar[]))
               or content_sha256 in (select unnest($3::json::varchar[])))
        order by load_seq
        """,
        [pipe_name, list(names), list(contents)],
    )
    return [
        LiveLoad(seq, name, sha, parsed if status != "Load skipped" else 0, replay)
        for seq, name, sha, parsed, replay, status in rows
    ]


def settled_files(session: Session, names: Sequence[str]) -> dict[str, Settled]:
    """Return what is known of these paths; a path never seen is absent."""
    rows = session.rows(
        """
        select file_name, file_size, file_mtime_ns, file_ctime_ns, pipe_name,
               pipe_digest, settled
        from snowmelt.staged_files
        where file_name in (select unnest($1::json::varchar[]))
        """,
        [list(names)],
    )
    return {name: Settled(*rest) for name, *rest in rows}


def insert_loads(session: Session, records: Sequence[LoadRecord]) -> None:
    """Append records; part of the caller's transaction."""
    session.insert(
        "snowmelt.load_history",
        {name: [getattr(record, name) for record in records] for name in COLUMNS},
    )


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
    session.execute(
        "delete from snowmelt.staged_files "
        "where file_name in (select unnest($1::json::varchar[]))",
        [[file_name for *_, file_name in duplicates]],
    )
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
) -> None:
    """Remember (file, pipe name, pipe digest, status, load_seq) as last seen."""
    known = list(settled)
    names = [file.name for file, *_ in known]
    session.execute(
        "delete from snowmelt.staged_files "
        "where file_name in (select unnest($1::json::varchar[]))",
        [names],
    )
    session.insert(
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
        },
    )


def open_attempts(
    session: Session, names: Sequence[str], pipe_name: str, now: datetime
) -> None:
    """Note, in a commit of its own, that these files are about to be read."""
    session.insert(
        "snowmelt.attempts",
        {
            "file_name": list(names),
            "pipe_name": [pipe_name] * len(names),
            "started_at": [now] * len(names),
        },
    )


def close_attempts(session: Session, names: Sequence[str]) -> None:
    """Forget the attempts at these files; part of the load's transaction."""
    session.execute(
        "delete from snowmelt.attempts "
        "where file_name in (select unnest($1::json::varchar[]))",
        [list(names)],
    )


def interrupted_attempts(session: Session) -> dict[str, int]:
    """Return how often each file's load was begun and never ended."""
    rows = session.rows(
        "select file_name, count(*) from snowmelt.attempts group by file_name"
    )
    return {name: int(count) for name, count in rows}
