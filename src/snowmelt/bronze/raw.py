"""Refused records: where they stand in the file, their exact bytes, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from snowmelt.bronze.rawfile import count_lines, mapped
from snowmelt.bronze.records import Content, find_raw, find_records
from snowmelt.pipe.definition import CsvFormat

_CAST = re.compile(r'Could not convert string "(.*)" to \'?([A-Z0-9(), ]+)', re.DOTALL)
_FIELDS = re.compile(r"Expected Number of Columns: (\d+) Found: (\d+)")
_VALUE_SHOWN_MAX = 80


@dataclass(frozen=True)
class RejectReport:
    """One line of the engine's report; positions count from 1."""

    line: int
    line_byte_position: int
    byte_position: int | None
    column_name: str | None
    error_type: str
    error_message: str
    text_length: int


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


@dataclass(frozen=True)
class Found:
    """The rejects of one file, or why their account cannot be exact."""

    rejects: list[Reject] = field(default_factory=list)
    problem: str | None = None


class RejectFinder:
    """Finds refused records in the file they came from."""

    def __init__(self, path: Path, csv: CsvFormat, by_ordinal: bool) -> None:
        self._path = path
        self._csv = csv
        self._by_ordinal = by_ordinal

    def find(self, reports: Sequence[RejectReport]) -> Found:
        """Turn the engine's report on one file into rejects, in file order.

        `by_ordinal` reports are on a normalised copy: there the ordinal is right and
        the position is not.
        """
        if not reports:
            return Found()
        grouped = [
            (list(group), position)
            for position, group in groupby(reports, lambda r: r.line_byte_position)
        ]
        with mapped(self._path) as content:
            places = self._places(content, grouped)
            rejects = []
            for (reports_here, _), place in zip(grouped, places, strict=True):
                ordinal, line, offset, raw = place
                problem = _swallowed(reports_here, raw, line)
                if problem:
                    return Found(problem=problem)
                errors = tuple(_explain(report) for report in reports_here)
                rejects.append(Reject(ordinal, line, offset, errors, raw))
        return Found(rejects)

    def find_nulls(self, columns: dict[int, str]) -> list[Reject]:
        """Return rejects for records, by ordinal, that leave a column empty."""
        with mapped(self._path) as content:
            raws = find_raw(content, self._csv, columns)
            lines = _lines(content, [raws[ordinal][0] for ordinal in sorted(raws)])
            return [
                Reject(
                    ordinal,
                    next(lines),
                    raws[ordinal][0],
                    (RejectError(columns[ordinal], "NULL VALUE", "is empty"),),
                    raws[ordinal][1],
                )
                for ordinal in sorted(raws)
            ]

    def _places(
        self, content: Content, grouped: list[tuple[list[RejectReport], int]]
    ) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield (ordinal, line, byte offset, raw bytes) of each reported record."""
        ordinals = [reports[0].line - 1 for reports, _ in grouped]
        if self._by_ordinal:
            raws = find_raw(content, self._csv, ordinals)
            found = [raws[ordinal] for ordinal in ordinals]
        else:
            found = [self._raw_at(content, position - 1) for _, position in grouped]
        lines = _lines(content, [offset for offset, _ in found])
        for ordinal, (offset, raw) in zip(ordinals, found, strict=True):
            yield ordinal, next(lines), offset, raw

    def _raw_at(self, content: Content, offset: int) -> tuple[int, bytes]:
        """Return a record's true offset and bytes.

        The engine's position may be on the line end before it.
        """
        span = next(find_records(content, self._csv, offset), None)
        if span is None:
            return offset, b""
        return span.start, content[span.start : span.end]


def _lines(content: Content, offsets: list[int]) -> Iterator[int]:
    """Yield the physical line, from 1, of each offset; offsets ascend."""
    line, at = 1, 0
    for offset in offsets:
        line += count_lines(content, at, offset)
        at = offset
        yield line


def _swallowed(reports: list[RejectReport], raw: bytes, line: int) -> str | None:
    """Say so if one reject may hide many records: a quote that never closes."""
    if not any(report.error_type == "UNQUOTED VALUE" for report in reports):
        return None
    if b"\n" in raw.rstrip(b"\r\n") or b"\r" in raw.rstrip(b"\r\n"):
        return (
            f"line {line}: a quoted field does not end where the record does; "
            "what follows cannot be told apart"
        )
    return None


def _explain(report: RejectReport) -> RejectError:
    """Say in a person's words what the engine reported."""
    kind, message = report.error_type, report.error_message
    cast, fields = _CAST.search(message), _FIELDS.search(message)
    text = message.splitlines()[0] if message else kind
    if kind == "CAST" and cast:
        value = cast[1]
        if len(value) > _VALUE_SHOWN_MAX:
            value = value[:_VALUE_SHOWN_MAX] + "…"
        text = f"'{value}' is not a valid {cast[2].strip().lower()}"
    elif kind in ("MISSING COLUMNS", "TOO MANY COLUMNS") and fields:
        text = f"the record has {fields[2]} fields, the header {fields[1]}"
    elif kind == "UNQUOTED VALUE":
        text = "text after a closing quote, or a quote that does not close"
    elif kind == "INVALID ENCODING":
        text = "bytes that are not UTF-8"
    return RejectError(report.column_name, kind, text)
