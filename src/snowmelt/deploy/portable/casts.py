"""Types that a value is cast to: unknown to Snowflake, or another thing there. Pure.

By https://docs.snowflake.com/en/sql-reference/intro-summary-data-types and the pages
below it, looked up in November 2026; DuckDB's are those of `duckdb_types()` of the
version that pyproject.toml names, and a test asks it for them.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, TokenError

ALIKE = frozenset(
    (
        *("bigint", "binary", "boolean", "date", "datetime", "double", "float8"),
        *("geometry", "int", "integer", "interval", "nvarchar", "smallint", "string"),
        *("text", "time", "time with time zone", "timestamp", "timestamptz"),
        *("timestamp with time zone", "tinyint", "uuid", "varbinary", "varchar"),
        "variant",
    )
)
"""Both hold the same in them."""
_WHOLE, _UNSIGNED = "integer or bigint is", "decimal(38, 0) is"
UNKNOWN = {
    **dict.fromkeys(
        (
            *("int1", "int16", "int2", "int32", "int4", "int64", "int8", "integral"),
            *("long", "oid", "short", "signed"),
        ),
        _WHOLE,
    ),
    **dict.fromkeys(
        (
            *("bignum", "hugeint", "int128", "ubigint", "uhugeint", "uint128"),
            *("uint16", "uint32", "uint64", "uint8", "uinteger", "usmallint"),
            *("utinyint", "varint"),
        ),
        _UNSIGNED,
    ),
    **dict.fromkeys(("blob", "bytea"), "binary is"),
    **dict.fromkeys(("bool", "logical"), "boolean is"),
    **dict.fromkeys(("timestamp_ms", "timestamp_ns", "timestamp_s"), "timestamp is"),
    **dict.fromkeys(("bit", "bitstring", "json", "time_ns", "timetz", "type"), ""),
    "bpchar": "varchar is",
    "guid": "uuid is",
    "timestamp_us": "timestamp is",
}
_FOUR_BYTES = "it has four bytes here, and eight there; double means the same on both"
_PLACES = "without a number of places it has 3 here, and none there: write how many"
_INTEGERS = ("bigint", "int", "integer", "smallint", "tinyint")
_HALVES = (
    "of halves it takes the even number here, and the one farther from 0 there; "
    "round(…) inside means the same on both"
)
_LENGTH = "a length is not heeded here, and there it is; left means the same on both"
OTHERWISE = {
    **dict.fromkeys(("float", "float4", "real"), _FOUR_BYTES),
    **dict.fromkeys(("dec", "decimal", "numeric"), _PLACES),
    "char": "it is one letter there, and any text here; varchar means the same on both",
}
NESTED = frozenset(("array", "enum", "list", "map", "null", "row", "struct", "union"))
"""They are not cast to by their name alone."""
_TEXTS = ("bpchar", "char", "nvarchar", "string", "text", "varchar")


_CARRIED = frozenset(
    (
        *("bool", "char", "dec", "decimal", "int1", "int2", "int4", "int8", "numeric"),
        *_TEXTS,
    )
)
"""In a query that is written anew they become what they are here."""


def told_of(sql: str, tokens: Sequence[Token], at: int, *, is_rewritten: bool) -> str:
    """Say what is wrong with the type that a value is cast to here, or nothing."""
    name = tokens[at].text.lower()
    if not _is_cast(tokens, at) or (is_rewritten and name in _CARRIED):
        return ""
    if name in UNKNOWN:
        instead = f"; {UNKNOWN[name]}" if UNKNOWN[name] else ""
        return f"the type {name} is not known there{instead}"
    following = tokens[at + 1].token_type if at + 1 < len(tokens) else None
    if following == TokenType.L_PAREN:
        return _LENGTH if name in _TEXTS else ""
    if name in _INTEGERS and _may_have_a_half(_value(sql, tokens, at - 1)):
        return _HALVES
    return OTHERWISE.get(name, "")


def _is_cast(tokens: Sequence[Token], at: int) -> bool:
    """Does the name of a type stand here, behind `::` or in CAST(… AS)?"""
    if at > 0 and tokens[at - 1].token_type == TokenType.DCOLON:
        return True
    if at == 0 or tokens[at - 1].token_type != TokenType.ALIAS:
        return False
    opened = _opening(tokens, at)
    return opened > 0 and tokens[opened - 1].text.lower() in ("cast", "try_cast")


def _opening(tokens: Sequence[Token], at: int) -> int:
    """Return where the parenthesis opens in which this stands, or -1."""
    depth = 0
    for place in range(at - 1, -1, -1):
        depth += tokens[place].token_type == TokenType.R_PAREN
        depth -= tokens[place].token_type == TokenType.L_PAREN
        if depth < 0:
            return place
    return -1


def _value(sql: str, tokens: Sequence[Token], at: int) -> str:
    """Return what is cast by the `::` or the AS that stands here, as it is seen."""
    if tokens[at].token_type == TokenType.ALIAS:
        start = _opening(tokens, at) + 1
    elif at > 0 and tokens[at - 1].token_type == TokenType.R_PAREN:
        start = _opening(tokens, at - 1)
        start -= _is_call(tokens, start)
    else:
        return ""
    return sql[tokens[start].start : tokens[at - 1].end + 1]


def _is_call(tokens: Sequence[Token], at: int) -> bool:
    """Is the parenthesis here that of a function?"""
    before = tokens[at - 1] if at > 0 else None
    if before is None or before.end + 1 != tokens[at].start:
        return False
    return before.text.isidentifier()


def _may_have_a_half(value: str) -> bool:
    """Is it a floating number here, as far as it can be seen?"""
    try:
        given = sqlglot.parse_one(f"({value})", read="duckdb").unnest()
    except (ParseError, TokenError):
        return False
    if isinstance(given, exp.Cast):
        return given.to.is_type(*exp.DataType.FLOAT_TYPES)
    return isinstance(given, exp.Div | exp.Avg)
