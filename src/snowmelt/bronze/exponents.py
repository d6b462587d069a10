"""Decimals written with exponents, of which the engine may make a unit too much.

It takes what is far below half a unit of a decimal's last place for a whole unit if it
is written with an exponent: '5e-5' with two places is 0.01 to it. Only values of
exactly one unit can be such, so that few records have to be looked at.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from snowmelt.bronze.conversion import identifier
from snowmelt.bronze.csv_statement import CsvStatement
from snowmelt.bronze.fileread import FileRead, ordinal_of
from snowmelt.bronze.raw import RejectError, RejectFinder
from snowmelt.bronze.rawfile import opened_raw
from snowmelt.errors import ChangedError, FileError
from snowmelt.warehouse.port import Session

_EXPONENT = re.compile(rb"[0-9.][eE]-[0-9]")
_LOOKED_AT_MAX = 200


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
    record_bytes_max: int,
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
        and _is_misread(read, () if many else rowids[index], record_bytes_max)
    ]
    return [reads.pop(index) for index in misread]


def _is_misread(read: FileRead, rowids: Iterable[int], record_bytes_max: int) -> bool:
    """Has one of these records an exponent, or any record if none is named?"""
    ordinals: dict[int, tuple[RejectError, ...]] = {
        ordinal_of(rowid - read.first_rowid, read.engine_rejects): ()
        for rowid in rowids
    }
    try:
        if not ordinals:
            return _has_exponents(read, record_bytes_max)
        finder = RejectFinder(read.inspection, record_bytes_max)
        return any(_EXPONENT.search(each.raw) for each in finder.find_refused(ordinals))
    except ChangedError:
        read.changed = True
        return False
    except FileError:  # a record was not found again
        return True


def _has_exponents(read: FileRead, record_bytes_max: int) -> bool:
    """Is there an exponent anywhere in a file?"""
    content, csv = read.inspection.plain, read.inspection.csv
    before = b""
    with opened_raw(content, csv, record_bytes_max) as raw:
        for chunk in raw.chunks():
            edge = before + chunk[:3]
            if _EXPONENT.search(edge):
                return True
            if (b"e-" in chunk or b"E-" in chunk) and _EXPONENT.search(chunk):
                return True
            before = chunk[-3:]
    return False
