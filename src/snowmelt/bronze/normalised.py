"""Copies of files that the engine does not take as they are."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.raw import Reject, RejectError, RejectReport
from snowmelt.bronze.rawfile import RawFile, RawRecord, opened_raw
from snowmelt.bronze.records import (
    Checkpoint,
    find_records,
    is_well_quoted,
    split_record,
    unclosed_field,
)
from snowmelt.errors import FileError
from snowmelt.pipe.file_format import CsvFormat

_CHECKPOINT_EVERY = 1000


@dataclass(frozen=True)
class Copied:
    """A copy of a file, and how many records it has, the header left out.

    `checkpoints` are places in the copy at which records begin. `unclosed` is the
    file's last record, if a quote in it never closes: it is not in the copy, because
    the engine may leave it out without a word.
    """

    path: Path
    records: int
    checkpoints: Sequence[Checkpoint]
    unclosed: Reject | None

    def number(
        self, reports: Sequence[RejectReport], csv: CsvFormat
    ) -> list[RejectReport]:
        """Return the engine's reports on the copy, each with the line of its position.

        The line that the engine tells may be wrong by one from some place on.
        """
        lines: dict[int, int] = {}
        with self.path.open("rb") as copy:
            for position in {report.line_byte_position for report in reports}:
                end = position - 1
                at = bisect_right(self.checkpoints, end, key=lambda each: each.offset)
                start = self.checkpoints[at - 1]
                copy.seek(start.offset)
                before = find_records(copy.read(end - start.offset), csv)
                lines[position] = start.records + sum(1 for _ in before) + 1
        return [
            replace(report, line=lines[report.line_byte_position]) for report in reports
        ]


def write_normalised(
    inspection: Inspection, path: Path, record_bytes_max: int
) -> Copied:
    r"""Write a copy in which every record ends with \n and no line is blank.

    Raises FileError when a quoted field runs on into what may be further records:
    they cannot be told apart. Raises ChangedError when the file changed meanwhile.
    """
    written = -1
    unclosed = None
    checkpoints = []
    csv, content = inspection.csv, inspection.plain
    with (
        opened_raw(content, csv, record_bytes_max) as raw,
        path.open("wb") as copy,
    ):
        for record in raw.records():
            _require_whole(raw, record, inspection)
            last = record.offset + len(record.raw) == content.state.size
            if last and unclosed_field(record.raw, csv) is not None:
                unclosed = _refuse(raw, record, written + 1, inspection)
                break
            if (written + 1) % _CHECKPOINT_EVERY == 0:
                checkpoints.append(Checkpoint(copy.tell(), written + 1))
            copy.write(record.raw + b"\n")
            written += 1
        raw.require_same()
    return Copied(path, written, checkpoints, unclosed)


def _require_whole(raw: RawFile, record: RawRecord, inspection: Inspection) -> None:
    """Refuse the file if a badly quoted record may hide others.

    It may if one of its lines after the first has as many fields as a record.
    """
    csv, fields = inspection.csv, len(inspection.header)
    _, *inner = record.raw.rstrip(b"\r\n").splitlines() or [b""]
    if not inner or is_well_quoted(record.raw, csv):
        return
    if any(len(split_record(line.decode("latin-1"), csv)) == fields for line in inner):
        line = _line(raw, record, inspection)
        raise FileError(
            "",
            f"line {line}: a quoted field does not end where the record does; "
            "what follows cannot be told apart",
        )


def _refuse(
    raw: RawFile, record: RawRecord, ordinal: int, inspection: Inspection
) -> Reject:
    header = inspection.header
    index = unclosed_field(record.raw, inspection.csv)
    known = index is not None and index < len(header)
    name = header[index].strip().lower() if index is not None and known else None
    error = RejectError(name, "UNQUOTED VALUE", "a quote that does not close")
    offset = record.offset + inspection.plain.bytes_before
    line = _line(raw, record, inspection)
    return Reject(ordinal, line, offset, (error,), record.raw)


def _line(raw: RawFile, record: RawRecord, inspection: Inspection) -> int:
    """Return the line of the file, from 1, on which a record begins."""
    return 1 + raw.count_lines(0, record.offset) + inspection.plain.lines_before
