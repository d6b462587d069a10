"""One reading of a file before it is copied: its hash, its header, its records."""

from __future__ import annotations

import csv as python_csv
import io
import re
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from snowmelt.bronze.digest import Digest
from snowmelt.bronze.rawfile import opened
from snowmelt.bronze.records import BOM, Checkpoint, RecordCount, find_records
from snowmelt.errors import FileError
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.definition import CsvFormat

HEADER_BYTES_MAX = 1 << 18
_HEADER_SHOWN_MAX = 200
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_MAGIC = {
    rb"\x1f\x8b": "gzip",
    rb"PK\x03\x04": "zip",
    rb"BZh[1-9]1AY&SY": "bzip2",
    rb"\x28\xb5\x2f\xfd": "zstd",
    rb"\xfd7zXZ\x00": "xz",
    rb"PAR1[\x00-\x1f]": "Parquet",
    rb"%PDF-": "PDF",
    rb"\x89PNG": "PNG",
    rb"\xd0\xcf\x11\xe0": "an old Office document",
    rb"\xff\xfe": "UTF-16 text",
    rb"\xfe\xff": "UTF-16 text",
}


@dataclass(frozen=True)
class Inspection:
    """What one reading of a file showed.

    `problem` says why the file cannot be loaded at all; then `header` may be empty.
    `records` excludes the header; blank lines are among them unless the count was
    `careful`, but not where the engine finds as many. `exact`: it can be relied
    upon; `ends_exact`: it can if the engine finds as many, since no quote is open at
    the end.
    `line_ends` are those outside quotes; `line_records`: every line is a record.
    """

    file: StagedFile
    path: Path
    content_sha256: str
    header: tuple[str, ...] = ()
    records: int = 0
    careful: bool = False
    exact: bool = True
    ends_exact: bool = True
    line_ends: frozenset[bytes] = frozenset()
    blank_lines: bool = False
    line_records: bool = False
    nul_bytes: bool = False
    checkpoints: tuple[Checkpoint, ...] = ()
    problem: str | None = None


def inspect(file: StagedFile, stage: Stage, csv: CsvFormat) -> Inspection:
    """Read a file once, front to back.

    Raises ChangedError when the file is gone, is no plain file any more, or was
    changed while it was read.
    """
    path = stage.path(file.name)
    digest = Digest(file.size)
    count = RecordCount(csv)
    first = b""
    with opened(path, file, csv) as raw, closing(digest):
        for chunk in raw.chunks():
            first = first or chunk
            digest.update(chunk)
            count.feed(chunk)
    count.finish()
    inspection = Inspection(file, path, digest.hexdigest())
    try:
        header = _read_header(first, csv)
    except FileError as error:
        return replace(inspection, problem=error.problem)
    inspection = _with_count(replace(inspection, header=header), count)
    # the engine takes a blank line for a header, or for a record of one column
    blank_first = first.removeprefix(BOM)[:1] in (b"\r", b"\n")
    plain = count.exact and len(header) > 1 and not blank_first
    return inspection if plain else count_carefully(inspection, csv)


def count_carefully(inspection: Inspection, csv: CsvFormat) -> Inspection:
    """Count a file's records once more, with regard to blank lines.

    Raises ChangedError when it is not the file that was inspected any more.
    """
    count = RecordCount(csv, careful=True)
    with opened(inspection.path, inspection.file, csv) as raw:
        for chunk in raw.chunks():
            count.feed(chunk)
    count.finish()
    return replace(_with_count(inspection, count), careful=True)


def _with_count(inspection: Inspection, count: RecordCount) -> Inspection:
    return replace(
        inspection,
        records=max(count.records - 1, 0),
        exact=count.exact,
        ends_exact=count.ends_exact,
        line_ends=frozenset(count.line_ends),
        blank_lines=count.blank_lines,
        line_records=count.line_records,
        nul_bytes=count.nul_bytes,
        checkpoints=tuple(count.checkpoints),
    )


def unreadable(file: StagedFile, stage: Stage, problem: str) -> Inspection:
    """Return the inspection of a file that lies there and cannot be opened.

    To offer it again at once would be to do so for ever: its load fails.
    """
    return Inspection(file, stage.path(file.name), "", problem=problem)


def _read_header(first: bytes, csv: CsvFormat) -> tuple[str, ...]:
    for magic, kind in _MAGIC.items():
        if re.match(magic, first):
            raise FileError("", f"the file is not CSV text: it looks like {kind}")
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
            "", f"the header is not UTF-8: byte {span.start + error.start}"
        ) from None
    return split_record(text, csv)


def split_record(text: str, csv: CsvFormat) -> tuple[str, ...]:
    """Split one record into its fields, quotes and escapes taken off."""
    doubled = csv.escape == csv.field_optionally_enclosed_by
    reader = python_csv.reader(
        io.StringIO(text, newline=""),
        delimiter=csv.field_delimiter,
        quotechar=csv.field_optionally_enclosed_by,
        doublequote=doubled,
        escapechar=None if doubled else csv.escape,
    )
    try:
        return tuple(next(reader, ()))
    except python_csv.Error as error:
        raise FileError("", f"the header cannot be split: {error}") from None


@dataclass(frozen=True)
class Layout:
    """How a file's columns meet the contract: for each, its column or None."""

    columns: tuple[str | None, ...]

    @property
    def present(self) -> frozenset[str]:
        return frozenset(name for name in self.columns if name)


def match_header(header: tuple[str, ...], contract: Contract) -> Layout:
    """Match a header with a contract by name, whatever the order and the case.

    Raises FileError when a column is missing that is not optional, or is there
    twice. Columns that the contract does not name are not loaded.
    """
    wanted = {column.name: column for column in contract.columns}
    names = [name.strip().lower() for name in header]
    if not any(name in wanted for name in names):
        raise FileError("", _no_match(header, list(wanted)))
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice:
        raise FileError("", f"column '{twice}' is in the header twice")
    missing = [
        f"'{name}'"
        for name, column in wanted.items()
        if name not in names and not column.optional
    ]
    if missing:
        many = len(missing) > 1
        raise FileError(
            "",
            f"required column{'s' if many else ''} {', '.join(missing)} "
            f"{'are' if many else 'is'} not in the header",
        )
    return Layout(tuple(name if name in wanted else None for name in names))


def _no_match(header: tuple[str, ...], wanted: list[str]) -> str:
    """Say that a header has no known column, and why that may be."""
    shown = ", ".join(header)[:_HEADER_SHOWN_MAX]
    text = (
        "the header has none of the contract's columns: it reads "
        f"{shown!r}, expected {', '.join(wanted)!r}"
    )
    for mark, name in _DELIMITERS.items():
        if len(header) == 1 and {
            part.strip(" \"'").lower() for part in header[0].split(mark)
        } & set(wanted):
            return f"{text}; its fields are divided by {name}"
    return text
