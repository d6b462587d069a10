"""Refused records, tried again under today's contract.

The raw records of one load are written out behind that file's header and read like
any file. What passes is loaded with its true origin: the file and ordinal it came
from, and its version, so that an old record never beats a newer one. What does not
pass stays refused, as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from snowmelt.bronze.append import Step, append_rows
from snowmelt.bronze.fileread import FileRead, ordinal_of
from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.raw_form import RawForm
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.rejects import OPEN
from snowmelt.clock import Clock
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import (
    COLUMNS,
    LoadRecord,
    LoadStatus,
    insert_loads,
    next_load_seq,
)
from snowmelt.warehouse.port import Session, Warehouse


@dataclass(frozen=True)
class Replayed:
    """What a replay of one load's rejects came to."""

    file_name: str
    tried: int
    loaded: int
    load_seq: int | None


class Replayer:
    """Replays the open rejects of pipes."""

    def __init__(self, warehouse: Warehouse, clock: Clock, spool: Path) -> None:
        self._warehouse = warehouse
        self._clock = clock
        self._spool = spool

    def replay(self, pipe: Pipe, file_name: str | None = None) -> list[Replayed]:
        """Try a pipe's open rejects again, those of one file or of all."""
        with self._warehouse.session() as session:
            names = ", ".join(f"history.{name}" for name in COLUMNS)
            loads = session.rows(
                f"select distinct {names} {OPEN} "
                "and history.pipe_name = $1 and ($2 is null or history.file_name = $2) "
                "order by history.load_seq",
                [pipe.name, file_name],
            )
            return [
                self._replay_load(session, pipe, LoadRecord(*load)) for load in loads
            ]

    def _replay_load(
        self, session: Session, pipe: Pipe, origin: LoadRecord
    ) -> Replayed:
        rows = session.rows(
            "select file_row, rejected_record from snowmelt.rejects "
            "where load_seq = $1 and replayed_by is null order by file_row",
            [origin.load_seq],
        )
        file_rows = [file_row for file_row, _ in rows]
        started_at = self._clock.now()
        folder = LocalFolder(self._spool)
        name = f"replay-{origin.load_seq}"
        path = self._spool / name
        written = RawForm.read(origin.header)
        path.write_bytes(written.compose([bytes(raw) for _, raw in rows]))
        form = pipe.model_copy(update={"file_format": written.format_of(pipe)})
        intake = Intake(folder, form, self._spool)
        reading = Reading(session, form, self._spool)
        try:
            staged = folder.look(name)
            assert staged is not None
            inspection = inspect(staged, intake, pipe.limits.max_record_bytes)
            (read,) = reading.read([inspection])
            if read.problem or not read.row_count or read.row_parsed != len(rows):
                return Replayed(origin.file_name, len(rows), 0, None)
            with self._warehouse.commit_lock, session.transaction():
                record = replace(
                    _record(origin, read, inspection.content_sha256, started_at),
                    load_seq=next_load_seq(session),
                    last_load_time=self._clock.now(),
                )
                self._commit(session, pipe, record, read, file_rows)
        finally:
            reading.close()
            intake.close()
            path.unlink(missing_ok=True)
        return Replayed(origin.file_name, len(rows), record.row_count, record.load_seq)

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
        append_rows(
            session,
            pipe,
            read.table,
            steps,
            read.refused_rowids,
            record.last_load_time,
        )
        session.execute(
            "update snowmelt.rejects set replayed_by = $1 "
            "where load_seq = $2 and file_row in (select unnest($3::json::bigint[]))",
            [record.load_seq, record.replay_of, passed],
        )


def _record(
    origin: LoadRecord, read: FileRead, sha: str, started_at: datetime
) -> LoadRecord:
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
        content_sha256=sha,
        superseded_by=None,
        duplicate_of=None,
        replay_of=origin.load_seq,
        started_at=started_at,
    )
