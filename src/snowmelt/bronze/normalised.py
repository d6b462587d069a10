"""Copies of files that the engine does not take as they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from snowmelt.bronze.inspection import Inspection, split_record
from snowmelt.bronze.raw import Reject, RejectError
from snowmelt.bronze.rawfile import RawFile, RawRecord, opened
from snowmelt.bronze.records import is_well_quoted, unclosed_field
from snowmelt.errors import FileError
from snowmelt.pipe.definition import CsvFormat


@dataclass(frozen=True)
class Copied:
    """A copy of a file, and how many records it has.

    `unclosed` is the file's last record, if a quote in it never closes: it is not in
    the copy, because the engine may leave it out without a word.
    """

    path: Path
    records: int
    unclosed: Reject | None


def write_normalised(inspection: Inspection, csv: CsvFormat, path: Path) -> Copied:
    r"""Write a copy in which every record ends with \n and no line is blank.

    Raises FileError when a quoted field runs on into what may be further records:
    they cannot be told apart. Raises ChangedError when the file changed meanwhile.
    """
    written = -1
    unclosed = None
    with opened(inspection.path, inspection.file, csv) as raw, path.open("wb") as copy:
        for record in raw.records():
            _require_whole(raw, record, csv, len(inspection.header))
            last = record.offset + len(record.raw) == inspection.file.size
            if last and unclosed_field(record.raw, csv) is not None:
                unclosed = _refuse(raw, record, written + 1, inspection.header, csv)
                break
            copy.write(record.raw + b"\n")
            written += 1
        raw.require_same()
    return Copied(path, written, unclosed)


def _require_whole(
    raw: RawFile, record: RawRecord, csv: CsvFormat, fields: int
) -> None:
    """Refuse the file if a badly quoted record may hide others.

    It may if one of its lines after the first has as many fields as a record.
    """
    _, *inner = record.raw.rstrip(b"\r\n").splitlines() or [b""]
    if not inner or is_well_quoted(record.raw, csv):
        return
    if any(len(split_record(line.decode("latin-1"), csv)) == fields for line in inner):
        line = 1 + raw.count_lines(0, record.offset)
        raise FileError(
            "",
            f"line {line}: a quoted field does not end where the record does; "
            "what follows cannot be told apart",
        )


def _refuse(
    raw: RawFile,
    record: RawRecord,
    ordinal: int,
    header: tuple[str, ...],
    csv: CsvFormat,
) -> Reject:
    index = unclosed_field(record.raw, csv)
    known = index is not None and index < len(header)
    name = header[index].strip().lower() if index is not None and known else None
    error = RejectError(name, "UNQUOTED VALUE", "a quote that does not close")
    line = 1 + raw.count_lines(0, record.offset)
    return Reject(ordinal, line, record.offset, (error,), record.raw)
