"""Rows as files that spreadsheets open: CSV and XLSX."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from snowmelt.errors import EngineError
from snowmelt.serve.cells import harmless, write_csv
from snowmelt.serve.questions import Flow

FILE_BYTES_MAX = 1 << 30
XLSX_ROWS_MAX = 1_048_575
_EXACT_MAX = 10**15
_CELL_LENGTH_MAX = 32_767
_NUMERIC = (
    *("INTEGER", "BIGINT", "SMALLINT", "TINYINT", "HUGEINT", "UINTEGER", "UBIGINT"),
    *("USMALLINT", "UTINYINT", "DOUBLE", "FLOAT", "DECIMAL"),
)


def write_csv_file(flow: Flow, path: Path, rows_max: int) -> None:
    """Write what a query returns as CSV. Raises EngineError when it is too large."""
    rows = _capped(flow, rows_max)
    with path.open("w", encoding="utf-8", newline="") as file:
        for line in write_csv(chain([flow.columns], rows)):
            file.write(line)
            if file.tell() > FILE_BYTES_MAX:
                raise EngineError("download", "it is larger than 1 GB")


def write_xlsx_file(flow: Flow, path: Path, rows_max: int) -> None:
    """Write what a query returns as one sheet; texts stay texts, numbers numbers."""
    import xlsxwriter

    options = {
        "constant_memory": True,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "strings_to_urls": False,
        "tmpdir": os.fspath(path.parent),
    }
    is_number = [kind.upper().startswith(_NUMERIC) for kind in flow.types]
    with xlsxwriter.Workbook(os.fspath(path), options) as book:
        sheet = book.add_worksheet("Result")
        head = book.add_format({"bold": True, "bottom": 1})
        for place, name in enumerate(flow.columns):
            sheet.write_string(0, place, str(harmless(name)), head)
        sheet.freeze_panes(1, 0)
        rows = _capped(flow, min(rows_max, XLSX_ROWS_MAX))
        for number, row in enumerate(rows, 1):
            for place, value in enumerate(row):
                _write_cell(sheet, number, place, _as_number(value, is_number[place]))


def _write_cell(sheet: Any, row: int, place: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, place, value)
    elif isinstance(value, int | float) and abs(value) < _EXACT_MAX:
        sheet.write_number(row, place, value)
    else:
        text = str(harmless(value) if isinstance(value, str) else value)
        sheet.write_string(row, place, text[:_CELL_LENGTH_MAX])


def _as_number(value: Any, is_number: bool) -> Any:
    """Return a decimal, which JSON holds as text, as a number if it stays exact."""
    if not is_number or not isinstance(value, str):
        return value
    digits = len(value.lstrip("-").replace(".", "").lstrip("0"))
    try:
        return float(value) if digits <= 15 else value
    except ValueError:
        return value


def _capped(flow: Flow, rows_max: int) -> Iterator[list[Any]]:
    rows: Iterable[list[Any]] = (row for batch in flow.rows for row in batch)
    for number, row in enumerate(rows):
        if number >= rows_max:
            return
        yield row
