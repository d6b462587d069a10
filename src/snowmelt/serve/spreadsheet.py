"""Rows as files that spreadsheets open: CSV and XLSX."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from snowmelt.errors import EngineError
from snowmelt.serve.cells import harmless, write_csv
from snowmelt.serve.questions import Flow

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILE_BYTES_MAX = 1 << 30
XLSX_ROWS_MAX = 1_048_575
_EXACT_MAX = 10**15
_CELL_LENGTH_MAX = 32_767
_TEXTS = dict.fromkeys(
    ("strings_to_formulas", "strings_to_numbers", "strings_to_urls"), False
)
"""What is a text stays one, whatever it looks like."""
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

    options = {**_TEXTS, "constant_memory": True, "tmpdir": os.fspath(path.parent)}
    rows = _capped(flow, min(rows_max, XLSX_ROWS_MAX))
    with xlsxwriter.Workbook(os.fspath(path), options) as book:
        _write_sheet(book, flow.columns, flow.types, rows)


def xlsx_of(
    columns: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]
) -> bytes:
    """Return rows that are at hand as such a file."""
    import xlsxwriter

    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {**_TEXTS, "in_memory": True}) as book:
        _write_sheet(book, columns, types, rows)
    return content.getvalue()


def _write_sheet(
    book: Any,
    columns: Sequence[str],
    types: Sequence[str],
    rows: Iterable[Sequence[Any]],
) -> None:
    numeric = [kind.upper().startswith(_NUMERIC) for kind in types]
    sheet = book.add_worksheet("Result")
    head = book.add_format({"bold": True, "bottom": 1})
    for place, name in enumerate(columns):
        sheet.write_string(0, place, str(harmless(name)), head)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows, 1):
        for place, value in enumerate(row):
            _write_cell(sheet, number, place, _as_number(value, numeric[place]))


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


def _as_number(value: Any, numeric: bool) -> Any:
    """Return a decimal, which JSON holds as text, as a number if it stays exact."""
    if not numeric or not isinstance(value, str):
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
