"""Records as they stand in their file, found again by their ordinals.

Where the file is gone, or is another version by now, or is one whose records are no
lines, a record is written anew from its row in bronze: in the form that the load's raw
records have, so that it can be corrected and loaded again like a reject.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from snowmelt.bronze.inspection import Inspection, inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.json_places import LinePlaces
from snowmelt.bronze.json_shape import Shape, tell_shape
from snowmelt.bronze.layout import header_of
from snowmelt.bronze.lines import write_record
from snowmelt.bronze.raw import RejectFinder
from snowmelt.bronze.raw_form import RawForm
from snowmelt.bronze.table import LOAD_COLUMNS, all_rows
from snowmelt.errors import ChangedError, FileError, UnreachableError
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import CsvFormat, JsonFormat
from snowmelt.pipe.history import LoadRecord
from snowmelt.warehouse.port import Session

_FIRST_BYTES = 1 << 16


@dataclass(frozen=True)
class Original:
    """A record's physical line, if its file is still there, and its bytes."""

    line: int | None
    raw: bytes


class Originals:
    """Finds records of loads of one pipe."""

    def __init__(self, stage: Stage, pipe: Pipe, spool: Path) -> None:
        self._stage = stage
        self._pipe = pipe
        self._spool = spool

    def find(self, load: LoadRecord, file_rows: Sequence[int]) -> dict[int, Original]:
        """Return records of a load's file; none unless it is that version still."""
        try:
            staged = self._stage.look(load.file_name)
            if staged is None:
                return {}
            return self._find(staged, load, sorted(file_rows))
        except (ChangedError, FileError, UnreachableError, OSError):
            return {}

    def _find(
        self, staged: StagedFile, load: LoadRecord, file_rows: list[int]
    ) -> dict[int, Original]:
        pipe = self._pipe
        bytes_max = pipe.limits.max_record_bytes
        with closing(Intake(self._stage, pipe, self._spool)) as intake:
            inspection = inspect(staged, intake, bytes_max)
            if inspection.problem or inspection.content_sha256 != load.content_sha256:
                return {}
            if isinstance(inspection.file_format, CsvFormat):
                finder = RejectFinder(inspection, bytes_max)
                found = finder.find_refused(dict.fromkeys(file_rows, ()))
                return {each.file_row: Original(each.line, each.raw) for each in found}
            if not _has_line_records(inspection, pipe):
                return {}
            places = LinePlaces(inspection.plain, bytes_max).find(file_rows)
            return {each.ordinal: Original(each.line, each.raw) for each in places}

    def write(
        self, session: Session, load: LoadRecord, file_rows: Sequence[int]
    ) -> dict[int, Original]:
        """Write records anew, from their rows in bronze."""
        left_out = ", ".join(name for name in LOAD_COLUMNS if name != "_file_row")
        table = session.table(
            f"select * exclude ({left_out}) from {all_rows(self._pipe)} "
            "where _load_seq = $1 and _file_row in (select unnest($2::json::bigint[]))",
            [load.load_seq, list(file_rows)],
        )
        form = RawForm.read(load.header)
        headers = {
            header_of(column): column.name for column in self._pipe.contract.columns
        }
        written = {}
        for row in table.rows:
            values = dict(zip(table.columns, row, strict=True))
            file_row = values.pop("_file_row")
            if form.marks is None:
                text = json.dumps(values, default=str, ensure_ascii=False)
                written[file_row] = Original(None, text.encode())
                continue
            marks = CsvFormat.model_validate(form.marks)
            names = [headers.get(each.strip().lower(), each) for each in form.header]
            fields = [_as_text(values.get(name)) for name in names]
            written[file_row] = Original(None, write_record(fields, marks))
        return written


def _has_line_records(inspection: Inspection, pipe: Pipe) -> bool:
    known = inspection.file_format
    if not isinstance(known, JsonFormat):
        return False
    with inspection.plain.path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    whole = len(first) == inspection.plain.state.size
    return tell_shape(first, whole, known, pipe.contract) is Shape.LINES


def _as_text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
