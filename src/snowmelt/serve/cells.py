"""Tables as CSV that a spreadsheet opens without running anything of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

MASK = "\N{BULLET}\N{BULLET}\N{BULLET}"
"""What viewers see instead of a value that is about a person."""
FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_csv(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Yield lines of CSV (RFC 4180).

    A text that begins as a formula does gets an apostrophe before it; numbers are
    numbers, negative ones too.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        writer.writerow([harmless(value) for value in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def harmless(value: Any) -> Any:
    """Return a cell as a spreadsheet takes it for a text, if it is one."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA_SIGNS):
        return value if _is_number(value) else f"'{value}"
    return value


def _is_number(text: str) -> bool:
    """Is it a negative number, such as a decimal that JSON holds as text?"""
    digits = text.removeprefix("-").replace(".", "", 1)
    return digits.isascii() and digits.isdigit()
