"""What one odd or broken file holds, and what loading it must come to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LOADED, PARTLY, FAILED = "Loaded", "Partially loaded", "Load failed"
USUAL = "id integer, name varchar, amount double"
STRICT = "id integer not null, name varchar not null, amount double"
HEAD = b"id,name,amount\n"
BOM = b"\xef\xbb\xbf"

Bad = tuple[int, int, str | None, bytes]
"""(file_row, line, column_name, raw bytes) of a reject."""


@dataclass(frozen=True)
class Case:
    """One file. `counts` are row_parsed, row_count, error_count.

    `rows` are the values of records by ordinal; None where a file is too large to
    write down. `says` is part of first_error_message.
    """

    name: str
    content: bytes
    status: str
    counts: tuple[int, int, int]
    rejects: tuple[Bad, ...] = ()
    rows: dict[int, tuple[Any, ...]] | None = None
    says: str | None = None
    contract: str = USUAL
    file_format: dict[str, Any] = field(default_factory=dict)
    on_error: str = "continue"
    limits: dict[str, Any] = field(default_factory=dict)
    plain: bytes | None = None
    """The content as it is read, where that is not how it is written."""


def good(
    name: str, content: bytes, rows: dict[int, tuple[Any, ...]], **pipe: Any
) -> Case:
    """All records are loaded."""
    return Case(name, content, LOADED, (len(rows), len(rows), 0), (), rows, **pipe)


def partly(
    name: str,
    content: bytes,
    bad: list[Bad],
    rows: dict[int, tuple[Any, ...]],
    **pipe: Any,
) -> Case:
    """Some records are loaded, some refused."""
    counts = (len(rows) + len(bad), len(rows), len(bad))
    return Case(name, content, PARTLY, counts, tuple(bad), rows, **pipe)


def failed(name: str, content: bytes, says: str, **pipe: Any) -> Case:
    """The file as a whole cannot be read."""
    return Case(name, content, FAILED, (0, 0, 0), (), {}, says, **pipe)


A, B, C = (1, "a", 1.0), (2, "b", 2.0), (3, "c", 3.0)
ABC = {1: A, 2: B, 3: C}
