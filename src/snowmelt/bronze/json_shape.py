"""How the records of a JSON file stand in it, told by its first bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

from snowmelt.bronze.json_path import steps_of
from snowmelt.bronze.json_record import Members, NotJson, read_json
from snowmelt.bronze.json_split import Splitter
from snowmelt.bronze.records import BOM
from snowmelt.errors import FileError
from snowmelt.pipe.contract import Contract
from snowmelt.pipe.file_format import JsonFormat

_LINES_TRIED = 100
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_COLUMNS = re.compile(
    rb'\{\s*"((?:[^"\\]|\\.)*)"\s*:\s*\{\s*(?:"((?:[^"\\]|\\.)*)"\s*:|\})'
)


class Shape(StrEnum):
    """How records stand in a file."""

    LINES = "one record a line"
    ARRAY = "one array of records"
    VALUES = "one record after the other"
    COLUMNS = "one object with the values of each column"


def tell_shape(
    first: bytes, whole: bool, known: JsonFormat, contract: Contract
) -> Shape:
    """Return how records stand; `whole`: the first bytes are all there are.

    Raises FileError for what is no text, and for a file without any.
    """
    if first.startswith(_UTF16):
        raise FileError(
            "", "the file looks like UTF-16 text: set file_format.encoding: utf16"
        )
    text = first.removeprefix(BOM).lstrip()
    if not text:
        raise FileError("", "the file is empty")
    if text[1:2] == b"\x00" or text[:1] == b"\x00":
        raise FileError("", "the file is not JSON text: it begins with NUL bytes")
    if known.orient == "columns" or (
        known.orient == "auto" and _is_by_column(text, contract)
    ):
        return Shape.COLUMNS
    if known.strip_outer_array:
        return Shape.ARRAY
    if text[:1] == b"[" and known.strip_outer_array is None:
        return Shape.LINES if _is_first_of_lines(text) else Shape.ARRAY
    return _of_values(text, whole)


def _is_by_column(text: bytes, contract: Contract) -> bool:
    """Does it begin like pandas' to_json: a column of ours, and row 0 of it?"""
    match = _COLUMNS.match(text)
    if match is None or not (match[2] or b"0").isdigit():
        return False
    name = match[1].decode(errors="replace").lower()
    return any(
        column.name == name and column.type != "json" and column.path is None
        for column in contract.columns
    ) and not any(
        column.path is not None and str(steps_of(column)[0]).lower() == name
        for column in contract.columns
    )


def _is_first_of_lines(text: bytes) -> bool:
    """Is the array that a file begins with only its first line?"""
    line, _, rest = text.partition(b"\n")
    if not rest.strip():
        return False
    try:
        first = read_json(line)
        after = next(_values(rest), b"")
    except (NotJson, UnicodeDecodeError, FileError):
        return False
    return isinstance(first, list) and bool(after)


def _of_values(text: bytes, whole: bool) -> Shape:
    """Tell lines from values that take several lines, or share one."""
    lines = text.split(b"\n")
    if len(lines) > 1 and not whole:
        lines.pop()
    if _is_record(lines[0]):
        return Shape.LINES
    try:
        first = next(_values(text), b"")
    except FileError:
        return Shape.LINES
    after = lines[0][len(first) :].lstrip()
    if not _is_record(first) or (after and after[:1] != b"{"):
        return Shape.LINES
    alone = any(_is_record(line) for line in lines[:_LINES_TRIED])
    return Shape.LINES if after and alone else Shape.VALUES


def _values(text: bytes) -> Iterator[bytes]:
    splitter = Splitter(iter([text]), len(text) + 1)
    return (element.raw for element in splitter.values())


def _is_record(raw: bytes) -> bool:
    try:
        return isinstance(read_json(raw), Members)
    except (NotJson, UnicodeDecodeError):
        return False
