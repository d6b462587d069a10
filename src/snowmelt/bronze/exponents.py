"""Decimals written with exponents, of which the engine may make a unit too much.

It takes what is far below half a unit of a decimal's last place for a whole unit if it
is written with an exponent: '5e-5' with two places is 0.01 to it. Only values of
exactly one unit can be such, so that few records have to be looked at.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence

from snowmelt.bronze.csv_statement import CsvStatement
from snowmelt.bronze.fileread import FileRead, ordinal_of
from snowmelt.errors import ChangedError
from snowmelt.landing.opened import OpenedFile
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

_EXPONENT = re.compile(rb"[0-9.][eE]-[0-9]")
_LOOKED_AT_MAX = 10_000
_PIECE_BYTES = 1 << 18


def is_unit(statement: CsvStatement) -> str:
    """Return a condition: a decimal that the engine read typed is of one unit."""
    units = [
        f"abs({identifier(column.name)}) = 1e-{scale}::{column.type}"
        for column, scale in statement.native_decimals
    ]
    return " or ".join(units) or "false"


def take_misread(
    session: Session,
    statement: CsvStatement,
    table: str,
    reads: dict[int, FileRead],
) -> list[FileRead]:
    """Take out the files in which a value of one unit may be a misread exponent.

    `reads` are the files in `table`, by their index there.
    """
    rowids: dict[int, list[int]] = defaultdict(list)
    for index, rowid in session.rows(
        f"select _file_index, rowid from {table} where {is_unit(statement)} "
        f"limit {_LOOKED_AT_MAX + 1}"
    ):
        rowids[index].append(rowid)
    many = sum(map(len, rowids.values())) > _LOOKED_AT_MAX
    misread = [
        index
        for index, read in reads.items()
        if (many or index in rowids)
        and _is_misread(read, () if many else rowids[index])
    ]
    return [reads.pop(index) for index in misread]


def _is_misread(read: FileRead, rowids: Sequence[int]) -> bool:
    """May one of these records have an exponent, or any record if none is named?

    Looked through are the parts of the file in which they are.
    """
    try:
        with read.inspection.plain.opened() as file:
            return any(
                _has_exponent(file, start, end) for start, end in _parts(read, rowids)
            )
    except ChangedError:
        read.changed = True
        return False


def _parts(read: FileRead, rowids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the parts of a file, from offset to offset, that hold these records."""
    known, size = read.inspection, read.inspection.plain.state.size
    points = known.checkpoints
    if not rowids or not points or not known.exact or b"\r" in known.line_ends:
        return [(0, size)]
    ordinals = (
        ordinal_of(rowid - read.first_rowid, read.engine_rejects) for rowid in rowids
    )
    places = {
        bisect_right(points, ordinal, key=lambda point: point.records)
        for ordinal in ordinals
    }
    offsets = [0, *(point.offset for point in points), size]
    return [(offsets[place], offsets[place + 1]) for place in sorted(places)]


def _has_exponent(file: OpenedFile, start: int, end: int) -> bool:
    before = b""
    for at in range(start, end, _PIECE_BYTES):
        piece = before + file.read(at, min(_PIECE_BYTES, end - at))
        if (b"e-" in piece or b"E-" in piece) and _EXPONENT.search(piece):
            return True
        before = piece[-3:]
    return False
