"""Refused records, tried again under today's contract.

The raw records of one load, or a person's corrections of them, are written out behind
that file's header and read like any file. What passes is loaded once, with its true
origin: the file and ordinal it came from, the load that refused it, and its version,
so that an old record never beats a newer one. What does not pass stays refused, as it
was.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

from snowmelt.bronze.append import Rows, Step, append_rows
from snowmelt.bronze.fileread import FileRead, ordinal_of
from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.json_split import on_one_line
from snowmelt.bronze.raw_form import RawForm
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.records import find_records, unclosed_field
from snowmelt.bronze.reject_file import Edits
from snowmelt.bronze.rejects import OPEN, RejectFilter
from snowmelt.bronze.table import live_rows
from snowmelt.clock import Clock
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.pipe.file_format import Concrete, CsvFormat
from snowmelt.pipe.history import (
    COLUMNS,
    LoadRecord,
    LoadStatus,
    insert_loads,
    load_record,
    next_load_seq,
)
from snowmelt.warehouse.port import Session, Warehouse

Quarantined = Mapping[int, Collection[int]]
"""Rows that silver refuses, by load: their ordinals in its file."""


@dataclass(frozen=True)
class Replayed:
    """What a replay of one load's rejects came to; `problem`: why none was loaded."""

    file_name: str
    origin: int
    tried: int
    loaded: int = 0
    load_seq: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class _Origin:
    """A load, and those of its open rejects that are tried: ordinals and bytes.

    `tried` counts those too that turn out to be no whole record. `in_quarantine`: they
    were loaded, and silver refused their rows.
    """

    load: LoadRecord
    file_rows: list[int]
    raws: list[bytes]
    tried: int
    in_quarantine: bool = False

    def result(self, problem: str | None = None) -> Replayed:
        load = self.load
        return Replayed(load.file_name, load.load_seq, self.tried, problem=problem)


class Replayer:
    """Replays the open rejects of pipes."""

    def __init__(self, warehouse: Warehouse, clock: Clock, spool: Path) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._spool = spool

    def replay(
        self,
        pipe: Pipe,
        chosen: RejectFilter,
        edits: Edits | None = None,
        quarantined: Quarantined = MappingProxyType({}),
    ) -> list[Replayed]:
        """Try a pipe's open rejects again, all that are chosen.

        With `edits` only the records that are in them, as they stand there; those of
        `quarantined` rows too.
        """
        chosen = replace(chosen, pipe_name=pipe.name)
        with self._warehouse.session() as session:
            pipe = effective_pipe(session, pipe)
            return [
                self._replay_load(session, pipe, origin)
                for origin in (
                    *_origins(session, chosen, edits),
                    *_quarantined(session, pipe, edits or {}, quarantined),
                )
            ]

    def _replay_load(self, session: Session, pipe: Pipe, origin: _Origin) -> Replayed:
        if pipe.external:
            return origin.result("the pipe is external: correct the file itself")
        started_at = self._clock.now()
        written = RawForm.read(origin.load.header)
        known = written.format_of(pipe)
        origin = _sound(origin, known)
        if not origin.raws:
            return origin.result("no text of these is one whole record")
        form = pipe.model_copy(update={"file_format": known})
        content = written.compose(origin.raws)
        with self._read(session, form, content) as read:
            if read.problem or read.row_parsed != len(origin.raws):
                told = read.problem or "they cannot be told apart as records"
                return origin.result(told)
            if not read.row_count:
                return origin.result(read.rejects[0].errors[0].error)
            with self._warehouse.commit_lock, session.transaction():
                if not _still_open(session, pipe, origin):
                    return origin.result("they changed meanwhile: replay again")
                record = replace(
                    _record(origin.load, read, started_at),
                    load_seq=next_load_seq(session),
                    last_load_time=self._clock.now(),
                )
                self._commit(session, pipe, record, read, origin.file_rows)
        return replace(
            origin.result(), loaded=record.row_count, load_seq=record.load_seq
        )

    @contextmanager
    def _read(self, session: Session, form: Pipe, content: bytes) -> Iterator[FileRead]:
        """Read records as a file of their own."""
        folder = LocalFolder(self._spool)
        name = f"replay-{uuid.uuid4().hex}"
        path = self._spool / name
        path.write_bytes(content)
        intake = Intake(folder, form, self._spool)
        reading = Reading(session, form, self._spool)
        try:
            staged = folder.look(name)
            assert staged is not None
            inspection = inspect(staged, intake, form.limits.max_record_bytes)
            (read,) = reading.read([inspection])
            yield read
        finally:
            reading.close()
            intake.close()
            path.unlink(missing_ok=True)

    def _commit(
        self,
        session: Session,
        pipe: Pipe,
        record: LoadRecord,
        read: FileRead,
        file_rows: Sequence[int],
    ) -> None:
        """Append what passed and close its rejects, in the caller's transaction."""
        insert_loads(session, [record])
        steps = []
        refused = set(read.refused_rowids)
        passed = []
        for rank in range(read.row_span):
            rowid = read.first_rowid + rank
            file_row = file_rows[ordinal_of(rank, read.engine_rejects) - 1]
            steps.append(Step(rowid, file_row - rowid, record))
            if rowid not in refused:
                passed.append(file_row)
        steps.append(Step(read.first_rowid + read.row_span, 0, None))
        rows = Rows(read.table, False, steps, read.refused_rowids)
        append_rows(session, pipe, rows, record.last_load_time)
        session.execute(
            "update snowmelt.rejects set replayed_by = $1, replayed_at = $2 "
            "where load_seq = $3 and file_row in (select unnest($4::json::bigint[]))",
            [record.load_seq, record.last_load_time, record.replay_of, passed],
        )


def _origins(
    session: Session, chosen: RejectFilter, edits: Edits | None
) -> Iterator[_Origin]:
    """Yield the loads that have chosen rejects, with these, oldest first."""
    where, parameters = chosen.condition()
    names = ", ".join(f"history.{name}" for name in COLUMNS)
    loads = session.rows(
        f"select distinct {names} {OPEN} {where} order by history.load_seq",
        parameters,
    )
    for load in (LoadRecord(*each) for each in loads):
        if edits is not None and load.load_seq not in edits:
            continue
        rows = session.rows(
            f"select rejects.file_row, rejects.rejected_record {OPEN} {where} "
            "and rejects.load_seq = ? order by rejects.file_row",
            [*parameters, load.load_seq],
        )
        if edits is not None:
            edited = edits[load.load_seq]
            rows = [(row, edited[row]) for row, _ in rows if row in edited]
        if rows:
            raws = [bytes(raw) for _, raw in rows]
            yield _Origin(load, [row for row, _ in rows], raws, len(rows))


def _sound(origin: _Origin, known: Concrete) -> _Origin:
    """Leave out what is not one whole record: it would swallow its neighbours."""
    raws = origin.raws
    if not isinstance(known, CsvFormat):
        raws = [on_one_line(raw) for raw in raws]
    kept = [
        (file_row, raw)
        for file_row, raw in zip(origin.file_rows, raws, strict=True)
        if _is_one_record(raw, known)
    ]
    rows, raws = [row for row, _ in kept], [raw for _, raw in kept]
    return replace(origin, file_rows=rows, raws=raws)


def _is_one_record(raw: bytes, known: Concrete) -> bool:
    if isinstance(known, CsvFormat):
        spans = list(find_records(raw, known))
        whole = len(spans) == 1 and (spans[0].start, spans[0].after) == (0, len(raw))
        return whole and spans[0].end == len(raw) and unclosed_field(raw, known) is None
    try:
        return isinstance(json.loads(raw), dict)
    except (ValueError, RecursionError):
        return False


def _quarantined(
    session: Session, pipe: Pipe, edits: Edits, quarantined: Quarantined
) -> Iterator[_Origin]:
    """Yield the loads whose quarantined rows were corrected, with the corrections."""
    for load_seq in sorted(edits):
        wanted = quarantined.get(load_seq, frozenset())
        rows = sorted(row for row in edits[load_seq] if row in wanted)
        load = load_record(session, load_seq) if rows else None
        if load is not None and load.pipe_name == pipe.name:
            raws = [edits[load_seq][row] for row in rows]
            yield _Origin(load, rows, raws, len(rows), in_quarantine=True)


def _still_open(session: Session, pipe: Pipe, origin: _Origin) -> bool:
    """Is none of them replayed by now, and the load not superseded?"""
    if origin.in_quarantine:
        return not session.value(
            "select (select count(*) from snowmelt.load_history "
            "where load_seq = $1 and superseded_by is not null) + "
            f"(select count(*) from {live_rows(pipe)} "
            "where _replayed_from = $1 "
            "and _file_row in (select unnest($2::json::bigint[])))",
            [origin.load.load_seq, origin.file_rows],
        )
    found = session.value(
        f"select count(*) {OPEN} and rejects.load_seq = $1 "
        "and rejects.file_row in (select unnest($2::json::bigint[]))",
        [origin.load.load_seq, origin.file_rows],
    )
    return bool(found == len(origin.file_rows))


def _record(origin: LoadRecord, read: FileRead, started_at: datetime) -> LoadRecord:
    still = read.row_parsed - read.row_count
    return replace(
        origin,
        row_count=read.row_count,
        row_parsed=read.row_parsed,
        first_error_message=None,
        first_error_line_number=None,
        first_error_character_pos=None,
        first_error_column_name=None,
        error_count=still,
        status=LoadStatus.PARTIALLY_LOADED if still else LoadStatus.LOADED,
        content_sha256=read.inspection.content_sha256,
        superseded_by=None,
        duplicate_of=None,
        replay_of=origin.load_seq,
        started_at=started_at,
        first_commit_time=None,
        etag=None,
        bytes_read=None,
    )
