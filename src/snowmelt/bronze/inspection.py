"""One reading of a file before it is copied: its hash, its header, its records."""

from __future__ import annotations

import csv as python_csv
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snowmelt.bronze.records import BOM, RecordCount, find_records
from snowmelt.errors import ChangedError, FileError
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.definition import CsvFormat

CHUNK = 1 << 20
HEADER_BYTES_MAX = 1 << 20
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ": "xz",
    b"PAR1": "Parquet",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xd0\xcf\x11\xe0": "an old Office document",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


@dataclass(frozen=True)
class Inspection:
    """What one reading of a file showed.

    `problem` says why the file cannot be loaded at all; then `header` may be empty.
    `records` excludes the header. `line_ends` are those outside quotes. Ordinals in
    the engine's reports are off by the blank lines before them.
    """

    file: StagedFile
    path: Path
    content_sha256: str
    header: tuple[str, ...] = ()
    records: int = 0
    line_ends: frozenset[bytes] = frozenset()
    blank_lines: bool = False
    problem: str | None = None


def inspect(file: StagedFile, stage: Stage, csv: CsvFormat) -> Inspection:
    """Read a file once, front to back.

    Raises ChangedError when the file is gone, is no plain file any more, or was
    changed while it was read.
    """
    path = stage.path(file.name)
    digest = hashlib.sha256()
    count = RecordCount(csv.field_optionally_enclosed_by.encode())
    first = b""
    for chunk in _chunks(path, file):
        first = first or chunk
        digest.update(chunk)
        count.feed(chunk)
    count.finish()
    sha = digest.hexdigest()
    try:
        header = _read_header(first, csv)
    except FileError as error:
        return Inspection(file, path, sha, problem=error.problem)
    return Inspection(
        file,
        path,
        sha,
        header=header,
        records=max(count.records - 1, 0),
        line_ends=frozenset(count.line_ends),
        blank_lines=count.blank_lines,
    )


def _chunks(path: Path, file: StagedFile) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise ChangedError(file.name, f"cannot be read: {error.strerror}") from None
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        require_same(file, os.fstat(descriptor))
        while chunk := opened.read(CHUNK):
            yield chunk
        require_same(file, os.fstat(descriptor))


def require_same(file: StagedFile, found: os.stat_result | None) -> None:
    """Raise ChangedError unless the file is still the version that was staged."""
    if found is None or (found.st_size, found.st_mtime_ns, found.st_ino) != (
        file.size,
        file.mtime_ns,
        file.inode,
    ):
        raise ChangedError(file.name, "changed while it was read")


def _read_header(first: bytes, csv: CsvFormat) -> tuple[str, ...]:
    for magic, kind in _MAGIC.items():
        if first.startswith(magic):
            raise FileError("", f"the file is not CSV text: it looks like {kind}")
    if b"\x00" in first[: 1 << 16]:
        raise FileError("", "the file is not CSV text: it holds NUL bytes")
    if not first.removeprefix(BOM).strip():
        raise FileError("", "the file is empty")
    span = next(find_records(first[:HEADER_BYTES_MAX], csv))
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
    return tuple(next(reader, ()))


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
    twice = next((name for name in wanted if names.count(name) > 1), None)
    if twice:
        raise FileError("", f"column '{twice}' is in the header twice")
    missing = [
        name
        for name, column in wanted.items()
        if name not in names and not column.optional
    ]
    if not any(name in wanted for name in names):
        raise FileError(
            "",
            "the header has none of the contract's columns: it reads "
            f"{', '.join(header)[:200]!r}, expected {', '.join(wanted)!r}",
        )
    if missing:
        raise FileError("", f"required column '{missing[0]}' is not in the header")
    return Layout(tuple(name if name in wanted else None for name in names))
