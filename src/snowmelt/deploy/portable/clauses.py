"""Clauses that Snowflake has no words for, told by how they begin. Pure.

Cards of dashboards are written anew, and there most of them become others.
https://docs.snowflake.com/en/sql-reference/constructs,
https://docs.snowflake.com/en/sql-reference/functions-window-syntax
"""

from __future__ import annotations

from collections.abc import Callable

_TRUTH = "IS TRUE and IS FALSE are not known there: coalesce(x, false) is the same"
_FRAMES = ("between", "unbounded", "current")
_CLAUSES: tuple[tuple[tuple[tuple[str, ...], ...], str], ...] = (
    ((("is",), ("true", "false")), _TRUTH),
    ((("is",), ("not",), ("true", "false")), _TRUTH),
    (
        (("exclude",), ("current", "group", "ties", "no")),
        "a frame's EXCLUDE is not known there: let the frame end before the row",
    ),
    ((("groups",), _FRAMES), "GROUPS is not known there; ROWS and RANGE are"),
    ((("as",), ("materialized",)), "MATERIALIZED is not known there: leave it out"),
    (
        (("as",), ("not",), ("materialized",)),
        "MATERIALIZED is not known there: leave it out",
    ),
    (
        (("intersect", "except"), ("all",)),
        "ALL is not known there: without it, each row is there once",
    ),
    ((("count",), ("(",), (")",)), "count() is written count(*) there"),
    (
        (("at time zone",),),
        "AT TIME ZONE is not known there: snowmelt.in_utc means the same on both",
    ),
    (
        (("at",), ("time",), ("zone",)),
        "AT TIME ZONE is not known there: snowmelt.in_utc means the same on both",
    ),
)


def told_of_clause(word: Callable[[int], str], at: int) -> str:
    """Say what is wrong with the clause that begins at a word; nothing if none does.

    `word` tells each word in small letters, by its place.
    """
    if word(at) == "limit" and word(at + 2) in ("percent", "%"):
        return "LIMIT is a number of rows there"
    for words, told in _CLAUSES:
        if all(word(at + n) in among for n, among in enumerate(words)):
            return told
    return ""
