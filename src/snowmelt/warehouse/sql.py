"""Values and names as they are written into SQL."""

from __future__ import annotations

from collections.abc import Sequence


def literal(text: str) -> str:
    """Write a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Sequence[str]) -> str:
    """Write texts as an SQL list."""
    return "[" + ", ".join(literal(text) for text in texts) + "]"


def identifier(name: str) -> str:
    """Write a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
