"""Masks over texts: what stands instead of a value, a message, a raw record."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from snowmelt.bronze.raw_form import RawForm
from snowmelt.pipe.contract import TYPES
from snowmelt.serve.cells import MASK

WHOLE_MASKED = f"{MASK} (masked)"
_TESTED = re.compile(
    r"Got \d+ results?, configured to (fail|warn) if (!=|>|>=|<|<=|=) ?\d+"
)
_NOT_VALID = re.compile(
    rf"'.*' is not a valid ({'|'.join(TYPES)}|decimal\(\d+, ?\d+\)|#|decimal\(#,#\))",
    re.DOTALL,
)
_VALUE = re.compile(r"['\"`\n]")
_DIGITS = re.compile(r"\d+")


def masked_value(value: Any) -> Any:
    """Return what stands instead of a value; nothing stays nothing."""
    return None if value is None else MASK


def masked_row(row: dict[str, Any], is_masked: Callable[[str], bool]) -> dict[str, Any]:
    """Return a row with its masked columns masked."""
    return {
        name: masked_value(value) if is_masked(name) else value
        for name, value in row.items()
    }


def masked_text(text: Any) -> Any:
    """Return a message without the values that it may tell.

    It ends where a value may begin: at a quote or at its first line's end; digits are
    left out. That a test found so many rows is left, and which type a value is not of.
    """
    if not isinstance(text, str) or _TESTED.fullmatch(text.strip()):
        return text
    found = _NOT_VALID.fullmatch(text)
    if found is not None:
        return f"'{MASK}' is not a valid {found[1]}"
    begin = _VALUE.search(text)
    if begin is None:
        return _DIGITS.sub("#", text)
    return f"{_DIGITS.sub('#', text[: begin.start()])}{MASK}"


@dataclass(frozen=True)
class RecordMask:
    """Masks the fields of one pipe's raw records that not everybody may see.

    `open_fields`: names of fields that may be seen, in lower case. `header`: what
    their load keeps of their form.
    """

    open_fields: Collection[str]
    header: str | None

    def mask(self, raw: str, wrong: Collection[str] = ()) -> str:
        """Return a record with its fields masked, but for those that may be seen.

        `wrong`: fields whose values are not what their column takes, and may be those
        of another. A record whose fields cannot be told apart is masked whole.
        """
        try:
            form = RawForm.read(self.header)
            shown = set(self.open_fields) - {each.lower() for each in wrong}
            if form.marks is None:
                return _of_json(raw, shown)
            return _of_csv(raw, form, shown)
        except (ValueError, KeyError, TypeError, csv.Error):
            return WHOLE_MASKED


def _of_json(raw: str, shown: Collection[str]) -> str:
    read = json.loads(raw)
    if not isinstance(read, dict):
        return WHOLE_MASKED
    return json.dumps(
        {
            name if name.lower() in shown else _name(name): value
            if name.lower() in shown
            else masked_value(value)
            for name, value in read.items()
        },
        ensure_ascii=False,
    )


def _name(name: str) -> str:
    """Return the name of a field that is masked: one that is no name is masked, too."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z_ ]{0,40}", name) else MASK


def _of_csv(raw: str, form: RawForm, shown: Collection[str]) -> str:
    marks = form.marks or {}
    quote = marks.get("field_optionally_enclosed_by", '"')
    delimiter = marks.get("field_delimiter", ",")
    escape = marks.get("escape", "none")
    if escape not in ("none", quote) and escape in raw:
        return WHOLE_MASKED
    if len(delimiter) != 1 or "�" in raw or "\\x" in raw:
        return WHOLE_MASKED
    rows = list(
        csv.reader(
            io.StringIO(raw, newline=""),
            delimiter=delimiter,
            quotechar=None if quote == "none" else quote,
            quoting=csv.QUOTE_NONE if quote == "none" else csv.QUOTE_MINIMAL,
            strict=True,
        )
    )
    if len(rows) != 1 or len(rows[0]) != len(form.header) or not form.header:
        return WHOLE_MASKED
    names = [name.strip().lower() for name in form.header]
    fields = [
        value if name in shown else (MASK if value else "")
        for name, value in zip(names, rows[0], strict=True)
    ]
    return delimiter.join(_field(each, delimiter, quote) for each in fields)


def _field(value: str, delimiter: str, quote: str) -> str:
    odd = {delimiter, "\n", "\r"} | ({quote} if quote != "none" else set())
    if quote == "none" or not any(mark in value for mark in odd):
        return value
    return f"{quote}{value.replace(quote, quote * 2)}{quote}"
