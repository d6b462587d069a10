"""Refused records as a file that a person can correct and give back.

Each record stands with the load that refused it, its place in the file and the
reason. `load_seq` and `file_row` say which record it is; `rejected_record` is what to
correct, written as in the original file. Bytes that are no text stand in base64, and
`encoding` says so.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from snowmelt.bronze.rejects import EXPORTED, RejectFilter, open_rejects
from snowmelt.errors import UsageError
from snowmelt.warehouse.port import Session

FORMATS = ("csv", "ndjson")
COLUMNS = (*EXPORTED, "encoding")
Edits = dict[int, dict[int, bytes]]
"""Corrected records: load, ordinal in its file, bytes."""
RECORD_CHARACTERS_MAX = 1 << 29
_PAGE = 10_000
_TEXT, _BASE64 = "utf-8", "base64"


def export_rejects(
    session: Session, chosen: RejectFilter, path: Path, file_format: str
) -> int:
    """Write the open rejects to a new file; see `write_records`."""
    return write_records(path, file_format, _open_records(session, chosen))


def write_records(
    path: Path, file_format: str, records: Iterable[dict[str, Any]]
) -> int:
    """Write records with EXPORTED to a new file, whole or not at all; return how many.

    Raises UsageError when the file is there already or cannot be written.
    """
    if path.exists():
        raise UsageError(str(path), "it exists already", "Choose another name.")
    hidden = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write = _write_csv if file_format == "csv" else _write_ndjson
    try:
        with hidden.open("w", encoding="utf-8", newline="") as file:
            count = write(file, map(_as_text, records))
        hidden.rename(path)
    except OSError as error:
        raise UsageError(str(path), f"it cannot be written: {error.strerror}") from None
    finally:
        hidden.unlink(missing_ok=True)
    return count


def _open_records(session: Session, chosen: RejectFilter) -> Iterator[dict[str, Any]]:
    after = (0, 0)
    while rows := open_rejects(session, chosen, after=after, limit=_PAGE):
        yield from (dict(zip(EXPORTED, row, strict=True)) for row in rows)
        after = rows[-1][0], rows[-1][1]


def _as_text(record: dict[str, Any]) -> dict[str, Any]:
    raw = bytes(record["rejected_record"])
    try:
        text, encoding = raw.decode(), _TEXT
    except UnicodeDecodeError:
        text, encoding = base64.b64encode(raw).decode(), _BASE64
    return record | {"rejected_record": text, "encoding": encoding}


def _write_csv(file: TextIO, records: Iterable[dict[str, Any]]) -> int:
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    count = 0
    for record in records:
        writer.writerow(record)
        count += 1
    return count


def _write_ndjson(file: TextIO, records: Iterable[dict[str, Any]]) -> int:
    count = 0
    for record in records:
        file.write(json.dumps(record, ensure_ascii=False) + "\n")
        count += 1
    return count


def read_edits(path: Path) -> Edits:
    """Read a file that was exported and corrected; a row may have been left out.

    Raises UsageError naming the line when it is not such a file, and when a record
    is in it twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            edits: Edits = {}
            for line, record in _lines(path, file):
                load_seq, file_row, raw = _edit(f"{path}:{line}", record)
                if file_row in edits.setdefault(load_seq, {}):
                    raise UsageError(
                        f"{path}:{line}",
                        f"record {file_row} of load {load_seq} is in the file twice",
                    )
                edits[load_seq][file_row] = raw
    except OSError as error:
        raise UsageError(str(path), f"it cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            str(path), f"it is not UTF-8 at byte {error.start}", "Save it as UTF-8."
        ) from None
    return edits


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    first = file.read(1)
    file.seek(0)
    if first == "{":
        for line, text in enumerate(file, start=1):
            try:
                yield line, json.loads(text)
            except json.JSONDecodeError as error:
                raise UsageError(f"{path}:{line}", f"not JSON: {error.msg}") from None
        return
    csv.field_size_limit(RECORD_CHARACTERS_MAX)
    sample = file.readline()
    file.seek(0)
    delimiter = ";" if ";" in sample and "," not in sample else ","
    reader = csv.DictReader(file, delimiter=delimiter, strict=True)
    try:
        for record in reader:
            yield reader.line_num, record
    except csv.Error as error:
        raise UsageError(f"{path}:{reader.line_num}", f"not CSV: {error}") from None


def _edit(where: str, record: dict[str, Any]) -> tuple[int, int, bytes]:
    try:
        text = record["rejected_record"]
        raw = text.encode()
        if record.get("encoding") == _BASE64:
            raw = base64.b64decode(text, validate=True)
        return int(record["load_seq"]), int(record["file_row"]), raw
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise UsageError(
            where,
            "it has no load_seq, file_row and rejected_record",
            "Give back a file that was written by: snowmelt rejects export",
        ) from None
