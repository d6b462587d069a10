"""What some arguments alone decide: both engines know these, and differ there. Pure.

Parts of times by https://docs.snowflake.com/en/sql-reference/functions-date-time, the
rows of a window by https://docs.snowflake.com/en/sql-reference/functions-window-syntax,
the others by the pages of the functions below
https://docs.snowflake.com/en/sql-reference/functions/. A week of Snowflake's begins on
Monday and a year's first one is that of ISO 8601, as here, unless an account changes
WEEK_START or WEEK_OF_YEAR_POLICY.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import Token, TokenType

_PARTS = ("date_part", "extract")
_WINDOWS = ("last_value", "nth_value")
_MIDDLES = ("median", "percentile_cont")
_FRAME = re.compile(r"\b(rows|range|groups)\b", re.IGNORECASE)
_CAST = re.compile(r"\bcast\s*\(|::", re.IGNORECASE)


@dataclass(frozen=True)
class _Rule:
    """Functions, which of their arguments, what it begins with, and what follows."""

    names: tuple[str, ...]
    place: int
    begins: str
    told: str


_RULES = (
    _Rule(_PARTS, 0, r"'?epoch\b", "epoch is called epoch_second there"),
    _Rule(_PARTS, 0, r"'?isodow\b", "isodow is called dayofweekiso there"),
    _Rule(_PARTS, 0, r"'?isoyear\b", "isoyear is called yearofweekiso there"),
    _Rule(
        _PARTS,
        0,
        r"'?(us\b|ms\b|usec|msec|micros|millis)",
        "it is no part that can be taken out there; datediff('microsecond', "
        "date_trunc('minute', at), at) means the same on both",
    ),
    _Rule(
        (*_PARTS, "date_trunc", "datediff"),
        0,
        r"'?(decade|centur|millenni|era\b|julian|timezone\b|yearweek)",
        "Snowflake knows no such part of a time",
    ),
    _Rule(
        ("datediff",),
        0,
        r"'?weeks?\b",
        "its weeks begin on Mondays there, and are seven days each here; datediff('day'"
        ", date_trunc('week', a), date_trunc('week', b)) / 7 means the same on both",
    ),
    _Rule(
        ("left", "right"),
        1,
        r"-",
        "of less than no letters it is '' there; here so many are left out",
    ),
    _Rule(
        ("substr", "substring"),
        1,
        r"0$",
        "its first letter has the number 1; 0 is taken for 1 there, and not here",
    ),
    _Rule(
        ("substr", "substring"),
        2,
        r"-",
        "of less than no letters it is '' there; here it goes backwards",
    ),
    _Rule(
        ("split_part",),
        1,
        r"''$",
        "a text is not cut by '' there; here it is cut into its letters",
    ),
    _Rule(
        ("split_part",),
        2,
        r"0$",
        "its first part has the number 1; 0 is taken for 1 there, and is '' here",
    ),
)
_WHOLE = (
    "without ROWS BETWEEN it looks at the whole partition there, and here not beyond "
    "the row: write which rows it looks at"
)
_PLACES = (
    "of a decimal it has no more places than that one here, and three more there: "
    "cast what it looks at to double, or to a decimal of enough places"
)


def closing(tokens: Sequence[Token], at: int) -> int:
    """Return where the parenthesis is closed that is opened here, or the end."""
    depth = 0
    for place in range(at, len(tokens)):
        depth += tokens[place].token_type == TokenType.L_PAREN
        depth -= tokens[place].token_type == TokenType.R_PAREN
        if depth == 0:
            return place
    return len(tokens)


def inside(sql: str, tokens: Sequence[Token], at: int) -> str:
    """Return what stands between a parenthesis and the one that closes it."""
    end = closing(tokens, at)
    return _text(sql, tokens, at + 1, end) if end < len(tokens) else ""


def beginnings(tokens: Sequence[Token], at: int) -> Iterator[int]:
    """Yield where each argument between two parentheses begins."""
    depth = 0
    for place in range(at, closing(tokens, at)):
        depth += tokens[place].token_type == TokenType.L_PAREN
        depth -= tokens[place].token_type == TokenType.R_PAREN
        if place == at or (depth == 1 and tokens[place].token_type == TokenType.COMMA):
            yield place + 1


def given(sql: str, tokens: Sequence[Token], at: int) -> list[str]:
    """Return the arguments between two parentheses, as they are written."""
    starts = list(beginnings(tokens, at))
    ends = [*(start - 1 for start in starts[1:]), closing(tokens, at)]
    return [_text(sql, tokens, *each) for each in zip(starts, ends, strict=True)]


def names_a_query(tokens: Sequence[Token], at: int) -> bool:
    """Is this `with NAME(columns) as (`?"""
    place = closing(tokens, at + 1)
    following = [token.token_type for token in tokens[place + 1 : place + 3]]
    return following == [TokenType.ALIAS, TokenType.L_PAREN]


def told_of(sql: str, tokens: Sequence[Token], at: int) -> str:
    """Say why the function that is called here is answered otherwise, or nothing."""
    name = tokens[at].text.lower()
    arguments = given(sql, tokens, at + 1)
    for rule in _RULES:
        is_given = name in rule.names and rule.place < len(arguments)
        if is_given and re.match(rule.begins, arguments[rule.place], re.IGNORECASE):
            return rule.told
    after = _after(sql, tokens, at + 1)
    if name in _WINDOWS and not _FRAME.search(after):
        return _WHOLE
    if name in _MIDDLES and not _CAST.search(" ".join([*arguments, after])):
        return _PLACES
    return ""


def _after(sql: str, tokens: Sequence[Token], at: int) -> str:
    """Return what is in parentheses behind a call: its window, or its order."""
    place = closing(tokens, at) + 1
    while place < len(tokens) and tokens[place].text.lower() in _BETWEEN:
        place += 1
    is_open = place < len(tokens) and tokens[place].token_type == TokenType.L_PAREN
    return inside(sql, tokens, place) if is_open else ""


_BETWEEN = ("ignore", "respect", "nulls", "over", "within", "group")


def _text(sql: str, tokens: Sequence[Token], start: int, end: int) -> str:
    if end <= start:
        return ""
    return sql[tokens[start].start : tokens[end - 1].end + 1]
