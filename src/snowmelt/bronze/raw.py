"""Refused records: where they stand in the file, their exact bytes, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby

from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.rawfile import RawFile, RawRecord, opened_raw
from snowmelt.errors import FileError
from snowmelt.pipe.file_format import NOT_UTF8

_CAST = re.compile(r'Could not convert string "(.*)" to \'?([A-Z0-9(), ]+)', re.DOTALL)
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_LINE_SIZE = re.compile(r"Maximum line size of (\d+) bytes")
_TOO_LONG = "LINE SIZE OVER MAXIMUM"
VALUE_SHOWN_MAX = 80
# The name, with its place, of a column that the contract does not name.
UNKNOWN = "_unknown_"


@dataclass(frozen=True)
class RejectReport:
    """One line of the engine's report; positions count from 1."""

    line: int
    line_byte_position: int
    byte_position: int | None
    column_name: str | None
    error_type: str
    error_message: str


@dataclass(frozen=True)
class RejectError:
    """One thing that is wrong with a record."""

    column_name: str | None
    category: str
    error: str


@dataclass(frozen=True)
class Reject:
    """A record that was not loaded. `file_row` counts records from 1, `line` lines."""

    file_row: int
    line: int
    byte_offset: int
    errors: tuple[RejectError, ...]
    raw: bytes


class RejectFinder:
    """Finds refused records in the file they came from.

    Its methods raise FileError when the account cannot be exact, and ChangedError
    when the file is not the one that was read.
    """

    def __init__(self, inspection: Inspection, record_bytes_max: int) -> None:
        self._inspection = inspection
        self._record_bytes_max = record_bytes_max
        lone = b"\r" in inspection.line_ends
        known = inspection.exact and not lone
        self._checkpoints = inspection.checkpoints if known else ()

    def find(self, reports: Sequence[RejectReport], by_ordinal: bool) -> list[Reject]:
        """Turn the engine's report on one file into rejects, in file order.

        `by_ordinal` reports are on a normalised copy: there the ordinal is right and
        the position is not. In the file itself the position is right; the ordinal is
        counted once more, because the engine's may be wrong by one from some place on.
        """
        if not reports:
            return []
        ordered = sorted(reports, key=lambda report: report.line)
        grouped = {
            line - 1: list(group)
            for line, group in groupby(ordered, lambda report: report.line)
        }
        with self._opened() as raw:
            if by_ordinal:
                places = raw.find(grouped, self._checkpoints)
            else:
                records = [_record_at(raw, group) for group in grouped.values()]
                ordinals = self._find_ordinals(raw, records, list(grouped))
                places = dict(zip(ordinals, records, strict=True))
                grouped = dict(zip(ordinals, grouped.values(), strict=True))
            header = self._inspection.header
            errors = {
                ordinal: _explain_all(group, header)
                for ordinal, group in grouped.items()
            }
            return self._rejects(raw, places, errors)

    def find_refused(
        self, errors: Mapping[int, tuple[RejectError, ...]]
    ) -> list[Reject]:
        """Return rejects for records, by ordinal, that break the contract."""
        with self._opened() as raw:
            return self._rejects(raw, raw.find(errors, self._checkpoints), errors)

    def _find_ordinals(
        self, raw: RawFile, records: Sequence[RawRecord], reported: list[int]
    ) -> list[int]:
        """Return the ordinals of records by our own count of what is before them.

        Raises FileError when it is not the engine's and ours cannot be relied upon.
        """
        known = self._inspection
        count = raw.count_lines if known.line_records else raw.count_records
        offsets = [record.offset for record in records]
        if offsets != sorted(set(offsets)):
            raise FileError("", "the engine's positions of refused records disagree")
        ordinals = raw.find_ordinals(offsets, self._checkpoints, count)
        if ordinals != reported and not known.exact:
            raise FileError("", "the engine's count of records is not ours")
        return ordinals

    def _opened(self) -> AbstractContextManager[RawFile]:
        return opened_raw(
            self._inspection.plain, self._inspection.csv, self._record_bytes_max
        )

    def _rejects(
        self,
        raw: RawFile,
        places: Mapping[int, RawRecord],
        errors: Mapping[int, tuple[RejectError, ...]],
    ) -> list[Reject]:
        ordinals = sorted(places)
        offsets = [places[ordinal].offset for ordinal in ordinals]
        if offsets != sorted(set(offsets)):
            raise FileError("", "the engine's positions of refused records disagree")
        if self._inspection.line_records:
            lines = iter([ordinal + 1 for ordinal in ordinals])  # after the header
        else:
            lines = _lines(raw, offsets)
        content = self._inspection.plain
        return [
            Reject(
                ordinal,
                next(lines) + content.lines_before,
                places[ordinal].offset + content.bytes_before,
                errors[ordinal],
                places[ordinal].raw,
            )
            for ordinal in ordinals
        ]


def is_too_long(report: RejectReport) -> bool:
    """Was a record refused because of its length?"""
    return report.error_type == _TOO_LONG


def _record_at(raw: RawFile, reports: Sequence[RejectReport]) -> RawRecord:
    """Return the record that begins at a position the engine reported.

    The position may be on the line end before the record. Raises FileError if there
    is none, or if it is badly quoted over several lines: it may hide others.
    """
    offset = reports[0].line_byte_position - 1
    record = raw.record_at(offset) if raw.is_after_line_end(offset) else None
    if record is None:
        raise FileError("", f"the engine refused a record at byte {offset}: none there")
    badly_quoted = any(report.error_type == "UNQUOTED VALUE" for report in reports)
    if badly_quoted and (b"\n" in record.raw or b"\r" in record.raw):
        raise FileError("", f"the record at byte {offset} may hide others")
    return record


def _lines(raw: RawFile, offsets: Sequence[int]) -> Iterator[int]:
    """Yield the physical line, from 1, of each offset; offsets ascend."""
    line, at = 1, 0
    for offset in offsets:
        line += raw.count_lines(at, offset)
        at = offset
        yield line


def _explain_all(
    reports: Sequence[RejectReport], header: Sequence[str]
) -> tuple[RejectError, ...]:
    """Return what is wrong with one record; fields that are missing count once."""
    errors = [_explain(report, header) for report in reports]
    first = next((e for e in errors if e.category == "MISSING COLUMNS"), None)
    return tuple(e for e in errors if e.category != "MISSING COLUMNS" or e is first)


def _explain(report: RejectReport, header: Sequence[str]) -> RejectError:
    """Say in a person's words what the engine reported.

    A column that the contract does not name has the engine's name for its place.
    """
    kind, message = report.error_type, report.error_message
    cast, fields = _CAST.search(message), _FIELDS.search(message)
    size = _LINE_SIZE.search(message)
    text = message.splitlines()[0] if message else kind
    if kind == "CAST" and cast:
        value = cast[1]
        if len(value) > VALUE_SHOWN_MAX:
            value = value[:VALUE_SHOWN_MAX] + "…"
        text = f"'{value}' is not a valid {cast[2].strip().lower()}"
    elif kind in ("MISSING COLUMNS", "TOO MANY COLUMNS") and fields:
        text = f"the record has {fields[2]} fields, the header {fields[1]}"
    elif kind == "UNQUOTED VALUE":
        text = "text after a closing quote"
    elif kind == "INVALID ENCODING":
        text = NOT_UTF8
    elif kind == _TOO_LONG and size:
        text = f"the record is longer than {size[1]} bytes"
    name = report.column_name
    if name and name.startswith(UNKNOWN):
        name = header[int(name.removeprefix(UNKNOWN))]
    return RejectError(name, kind, text)
