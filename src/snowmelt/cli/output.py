"""The only writer of stdout and stderr: data there, talk here."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

_DECIMAL = re.compile(r"-?\d+\.\d+")


def show_json(document: Any) -> None:
    """Write one JSON object to stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def show(line: str = "") -> None:
    """Write a line of data to stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(line: str = "") -> None:
    """Write a line of talk to stderr."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def show_error(error: dict[str, Any], *, as_json: bool) -> None:
    """Write an error: where, what, and the way out."""
    if as_json:
        show_json({"error": error})
    where = f"{error['where']}: " if error["where"] else ""
    tell(f"snowmelt: {where}{error['problem']}")
    if error["remedy"]:
        tell(error["remedy"])


def show_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, as_named: bool = False
) -> None:
    """Write aligned columns to stdout; numbers to the right.

    Headings are in capitals, unless the columns are to stand `as_named`.
    """
    texts = [[_text(value) for value in row] for row in rows]
    numeric = [
        bool(rows) and all(_is_number(row[i]) for row in rows)
        for i in range(len(columns))
    ]
    widths = [
        max([len(name), *(len(row[i]) for row in texts)])
        for i, name in enumerate(columns)
    ]
    heads = (
        columns if as_named else [name.upper().replace("_", " ") for name in columns]
    )
    for line in [heads, *texts]:
        cells = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        show("   ".join(cells).rstrip())


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _DECIMAL.fullmatch(value) is not None
    return value is None or isinstance(value, int | float)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return str(value).replace("\n", "⏎").replace("\r", "")


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is due."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
