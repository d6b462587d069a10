"""Types of the warehouse in Postgres, and values as its COPY reads them."""

from __future__ import annotations

import re

from snowmelt.warehouse.sql import identifier

_SAME = {
    "BOOLEAN": "boolean",
    "TINYINT": "smallint",
    "SMALLINT": "smallint",
    "UTINYINT": "smallint",
    "INTEGER": "integer",
    "USMALLINT": "integer",
    "BIGINT": "bigint",
    "UINTEGER": "bigint",
    "UBIGINT": "numeric(20,0)",
    "HUGEINT": "numeric(39,0)",
    "UHUGEINT": "numeric(39,0)",
    "FLOAT": "real",
    "DOUBLE": "double precision",
    "DATE": "date",
    "TIME": "time without time zone",
    "TIME WITH TIME ZONE": "time with time zone",
    "TIMESTAMP": "timestamp without time zone",
    "TIMESTAMP_S": "timestamp without time zone",
    "TIMESTAMP_MS": "timestamp without time zone",
    "TIMESTAMP_NS": "timestamp without time zone",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    "INTERVAL": "interval",
    "UUID": "uuid",
    "BLOB": "bytea",
    "JSON": "json",
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_NESTED = re.compile(r".*\]$|(STRUCT|MAP|UNION|VARIANT)\b.*", re.DOTALL)
_ESCAPED = (("\\", r"\\"), ("\t", r"\t"), ("\n", r"\n"), ("\r", r"\r"))


def postgres_type(kind: str) -> str:
    """Return the type of a column in Postgres, as `format_type` writes it."""
    if found := _DECIMAL.fullmatch(kind):
        return f"numeric({found[1]},{found[2]})"
    if _NESTED.fullmatch(kind):
        return "json"
    return _SAME.get(kind, "text")


def as_text(name: str, kind: str) -> str:
    """Return an expression of a column's value as COPY in text format takes it."""
    column = identifier(name)
    if kind == "BLOB":
        return f"'\\\\x' || hex({column})"
    if postgres_type(kind) not in ("text", "json"):
        return f"{column}::varchar"
    text = f"to_json({column})::varchar" if _NESTED.fullmatch(kind) else column
    # Postgres has no NUL in a text: it is left out
    text = f"replace({text}::varchar, chr(0), '')"
    for mark, written in _ESCAPED:
        text = f"replace({text}, chr({ord(mark)}), '{written}')"
    return text
