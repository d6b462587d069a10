"""One reading of a file before it is copied: its hash, its header, its records."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from snowmelt.bronze.content import Content
from snowmelt.bronze.intake import Feed, Intake, Taken
from snowmelt.bronze.json_lines import LineCount
from snowmelt.bronze.rawfile import opened_raw
from snowmelt.bronze.records import (
    BOM,
    Checkpoint,
    RecordCount,
    find_records,
    split_record,
)
from snowmelt.errors import FileError
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.file_format import GUESSED_ENCODING, Concrete, CsvFormat, JsonFormat

HEADER_BYTES_MAX = 1 << 18
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Inspection:
    """What one reading of a file showed.

    `problem` says why the file cannot be loaded at all; then `content` may be missing
    and `header` empty. Of JSON, `records` are lines, blank ones among them. What else
    follows is known of CSV. There `records` excludes the header and is -1 where nothing
    was counted; blank lines are among them unless the count was `careful`, but not
    where the engine finds as many. `exact`: it can be relied upon; `ends_exact`: it can
    if the engine finds as many, since no quote is open at the end.
    `line_ends` are those outside quotes; `line_records`: every line is a record.
    """

    file: StagedFile
    content_sha256: str
    content: Content | None = None
    file_format: Concrete | None = None
    header: tuple[str, ...] = ()
    records: int = -1
    careful: bool = False
    exact: bool = True
    ends_exact: bool = True
    line_ends: frozenset[bytes] = frozenset()
    blank_lines: bool = False
    line_records: bool = False
    nul_bytes: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    problem: str | None = None

    @property
    def plain(self) -> Content:
        """Return the content of a file that has no problem."""
        assert self.content is not None, "a file with a problem has no content"
        return self.content

    @property
    def csv(self) -> CsvFormat:
        """Return the format of a CSV file."""
        assert isinstance(self.file_format, CsvFormat), "the file is no CSV"
        return self.file_format


def inspect(file: StagedFile, intake: Intake, record_bytes_max: int) -> Inspection:
    """Read a file once, front to back.

    Raises ChangedError when the file is gone, is no plain file any more, or was
    changed while it was read.
    """
    counts: list[RecordCount] = []
    lines = LineCount()

    def count(known: Concrete) -> Feed:
        if isinstance(known, JsonFormat):
            return lines.feed
        if not isinstance(known, CsvFormat):
            return _ignore
        counts.append(RecordCount(known))
        return counts[0].feed

    taken = intake.take(file, count)
    if isinstance(taken.file_format, CsvFormat) and not taken.problem:
        counts[0].finish()
        return _inspect_csv(taken, taken.file_format, counts[0], record_bytes_max)
    is_json = isinstance(taken.file_format, JsonFormat) and not taken.problem
    return Inspection(
        file,
        taken.content_sha256,
        taken.content,
        taken.file_format,
        records=lines.lines if is_json else -1,
        problem=taken.problem,
    )


def _ignore(chunk: bytes) -> None:
    del chunk


def _inspect_csv(
    taken: Taken, csv: CsvFormat, count: RecordCount, record_bytes_max: int
) -> Inspection:
    file, sha256, content = taken.file, taken.content_sha256, taken.content
    try:
        header = _read_header(taken.first, csv)
    except FileError as error:
        return Inspection(file, sha256, content, csv, problem=error.problem)
    counted = _counted(count)
    inspection = Inspection(file, sha256, content, csv, header=header, **counted)
    # the engine takes a blank line for a header, or for a record of one column
    blank_first = taken.first.removeprefix(BOM)[:1] in (b"\r", b"\n")
    plain = count.exact and len(header) > 1 and not blank_first
    return inspection if plain else count_carefully(inspection, record_bytes_max)


def count_carefully(inspection: Inspection, record_bytes_max: int) -> Inspection:
    """Count a file's records once more, with regard to blank lines.

    Raises ChangedError when it is not the file that was inspected any more.
    """
    count = RecordCount(inspection.csv, careful=True)
    with opened_raw(inspection.plain, inspection.csv, record_bytes_max) as raw:
        for chunk in raw.chunks():
            count.feed(chunk)
    count.finish()
    return replace(inspection, careful=True, **_counted(count))


def _counted(count: RecordCount) -> dict[str, Any]:
    """Return what an inspection takes over from a count."""
    return {
        "records": max(count.records - 1, 0),
        "exact": count.exact,
        "ends_exact": count.ends_exact,
        "line_ends": frozenset(count.line_ends),
        "blank_lines": count.blank_lines,
        "line_records": count.line_records,
        "nul_bytes": count.nul_bytes,
        "checkpoints": tuple(count.checkpoints),
    }


def unreadable(file: StagedFile, problem: str) -> Inspection:
    """Return the inspection of a file that lies there and cannot be opened.

    To offer it again at once would be to do so for ever: its load fails.
    """
    return Inspection(file, "", problem=problem)


def _read_header(first: bytes, csv: CsvFormat) -> tuple[str, ...]:
    if first.startswith(_UTF16):
        raise FileError(
            "", "the file looks like UTF-16 text: set file_format.encoding: utf16"
        )
    if not first.removeprefix(BOM).strip():
        raise FileError("", "the file is empty")
    start = len(BOM) if first.startswith(BOM) else 0
    span = next(find_records(first[:HEADER_BYTES_MAX], csv, start))
    if b"\x00" in first[span.start : span.end]:
        raise FileError("", "the file is not CSV text: its header holds NUL bytes")
    if span.after >= HEADER_BYTES_MAX:
        raise FileError("", f"the header has no end within {HEADER_BYTES_MAX} bytes")
    try:
        text = first[span.start : span.end].decode()
    except UnicodeDecodeError as error:
        raise FileError(
            "",
            f"the header is not UTF-8: byte {span.start + error.start}; if it is "
            "Latin-1, or of an older Windows: set file_format.encoding: "
            f"{GUESSED_ENCODING}",
        ) from None
    return split_record(text, csv)
