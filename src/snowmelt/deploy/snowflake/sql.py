"""The one way by which names and values get into a statement for Snowflake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeAlias

_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")
_WORD = re.compile(r"[A-Z][A-Z0-9_]*")
RESERVED = frozenset(
    [
        "ACCOUNT",
        "ALL",
        "ALTER",
        "AND",
        "ANY",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CHECK",
        "COLUMN",
        "CONNECT",
        "CONNECTION",
        "CONSTRAINT",
        "CREATE",
        "CROSS",
        "CURRENT",
        "CURRENT_DATE",
        "CURRENT_TIME",
        "CURRENT_TIMESTAMP",
        "CURRENT_USER",
        "DATABASE",
        "DELETE",
        "DISTINCT",
        "DROP",
        "ELSE",
        "EXISTS",
        "FALSE",
        "FOLLOWING",
        "FOR",
        "FROM",
        "FULL",
        "GRANT",
        "GROUP",
        "GSCLUSTER",
        "HAVING",
        "ILIKE",
        "IN",
        "INCREMENT",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "ISSUE",
        "JOIN",
        "LATERAL",
        "LEFT",
        "LIKE",
        "LOCALTIME",
        "LOCALTIMESTAMP",
        "MINUS",
        "NATURAL",
        "NOT",
        "NULL",
        "OF",
        "ON",
        "OR",
        "ORDER",
        "ORGANIZATION",
        "QUALIFY",
        "REGEXP",
        "REVOKE",
        "RIGHT",
        "RLIKE",
        "ROW",
        "ROWS",
        "SAMPLE",
        "SCHEMA",
        "SELECT",
        "SET",
        "SOME",
        "START",
        "TABLE",
        "TABLESAMPLE",
        "THEN",
        "TO",
        "TRIGGER",
        "TRUE",
        "TRY_CAST",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "USING",
        "VALUES",
        "VIEW",
        "WHEN",
        "WHENEVER",
        "WHERE",
        "WITH",
    ]
)


class Word(str):
    """A keyword of the language: written as it is, and checked to be one."""

    __slots__ = ()


Written: TypeAlias = "Word | str | int | bool | tuple[Written, ...]"


def name(text: str) -> str:
    """Write a name as Snowflake keeps it: in capitals, quoted where it has to be."""
    kept = text.upper()
    if _PLAIN.fullmatch(kept) and kept not in RESERVED:
        return kept
    return quoted(kept)


def quoted(text: str) -> str:
    """Write a name that is kept letter by letter."""
    if not text or "\x00" in text:
        raise ValueError(f"no name: {text!r}")
    return '"' + text.replace('"', '""') + '"'


def as_kept(text: str) -> str:
    """Write a name that an account told, letter by letter."""
    return text if _PLAIN.fullmatch(text) and text not in RESERVED else quoted(text)


def path(*parts: str) -> str:
    """Write a name with what it is in: `SHOP.BRONZE.ORDERS`."""
    return ".".join(name(part) for part in parts)


def path_as_kept(*parts: str) -> str:
    """Write a whole name that an account told."""
    return ".".join(as_kept(part) for part in parts)


def text(value: str) -> str:
    """Write a text. A backslash begins an escape there, so it is doubled."""
    if "\x00" in value:
        raise ValueError("a text has no NUL")
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    for mark, shown in (("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        escaped = escaped.replace(mark, shown)
    return f"'{escaped}'"


def value(given: Written) -> str:
    """Write a value: a word, a text, a number, a boolean, or some in parentheses."""
    if isinstance(given, bool):
        return "TRUE" if given else "FALSE"
    if isinstance(given, int):
        return str(given)
    if isinstance(given, tuple):
        return f"({', '.join(value(part) for part in given)})"
    if isinstance(given, Word):
        if not _WORD.fullmatch(given):
            raise ValueError(f"no word: {given!r}")
        return str(given)
    return text(given)


def options(given: Mapping[str, Written], between: str = " ") -> str:
    """Write options, `NAME = value`, in their order."""
    return between.join(f"{key} = {value(each)}" for key, each in given.items())


def body(code: str) -> str:
    """Write the code of a procedure between dollar signs, which it may not have."""
    if "$$" in code:
        raise ValueError("code between dollar signs has none of them")
    return f"$$\n{code.strip()}\n$$"


def lines(parts: Iterable[str]) -> str:
    """Write a statement, each of its parts that is there on a line of its own."""
    return "\n  ".join(part for part in parts if part)


def squeezed(statement: str) -> str:
    """Return a statement with its white space evened out, to be compared."""
    return " ".join(statement.split()).rstrip(";")
