"""What of a dashboard's query has no words on Snowflake that mean the same. Pure.

It is found in the query as it was parsed, so it is known before anything is asked:
what cannot be written rightly is refused, with its line and with what to write instead.
By https://docs.snowflake.com/en/sql-reference/functions-window-syntax and the pages of
the functions; the linter of models reads words, this one what they belong to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sqlglot import exp

_NEVER = (exp.Unnest, exp.Explode, exp.Lateral, exp.Into, exp.Lock, exp.Command)
_NAMED_WINDOW = "a named window is not known there: write it out after OVER"
_VALUES_OF_ROWS = (exp.FirstValue, exp.LastValue, exp.NthValue)
_ORDERED = (
    *(exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist),
    *(exp.Ntile, exp.Lag, exp.Lead, *_VALUES_OF_ROWS),
)
_OF_WHOLE_PARTITIONS = (
    *(exp.Median, exp.Mode, exp.GroupConcat, exp.PercentileCont, exp.PercentileDisc),
    *(exp.LogicalAnd, exp.LogicalOr, exp.ApproxDistinct, exp.Corr, exp.CovarPop),
    *(exp.CovarSamp, exp.Kurtosis, exp.Skewness),
)
_CLOCK = frozenset(
    (
        *("YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "HOUR", "MINUTE", "SECOND"),
        *("YR", "MON", "HR", "MIN", "SEC"),
    )
)
_LENGTHS = _CLOCK | {"MILLISECOND", "MICROSECOND"}
PARTS = _CLOCK | {"DOW", "DAYOFWEEK", "WEEKDAY", "DOY", "DAYOFYEAR", "DAYOFMONTH"}
"""Parts of a day or a moment that both engines know by one name and count alike."""
ISO_PARTS: dict[str, type[exp.Expr]] = {
    "ISODOW": exp.DayOfWeekIso,
    "ISOYEAR": exp.YearOfWeekIso,
}
_BEHIND = (
    *(exp.Window, exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls),
)
_WITHOUT_ZONE = (exp.DataType.Type.TIMESTAMP, exp.DataType.Type.TIMESTAMPNTZ)
_ONE_LENGTH = re.compile(r"[+-]?\d+")


class Unsayable(Exception):
    """It has no words there: why, and in which line of the query (0: not known)."""

    def __init__(self, why: str, line: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.line = line


def unsayable_in(query: exp.Query) -> Iterator[Unsayable]:
    """Yield what has no words there."""
    for node in query.walk():
        if isinstance(node, (*_NEVER, exp.Placeholder)):
            yield refused(node, "means something else there")
        check = _CHECKS.get(type(node))
        told = check(node) if check is not None else ""
        if told:
            yield refused(node, told)


def refused(node: exp.Expr, told: str) -> Unsayable:
    """Return what is to be raised of a node: its words, and where they stand."""
    words = " ".join(node.sql(dialect="duckdb", comments=False).split())
    shown = words if len(words) <= 80 else f"{words[:79]}…"
    separator = " " if told.startswith("means") else ": "
    return Unsayable(f"{shown}{separator}{told}", line_of(node))


def line_of(node: exp.Expr) -> int:
    """Return the line of a node, or of the nearest around it; 0: no parser noted one.

    What a value was put into has lost its own.
    """
    around: exp.Expr | None = node
    while around is not None:
        lines = [int(e.meta["line"]) for e in around.walk() if "line" in e.meta]
        if lines:
            return min(lines)
        around = around.parent
    return 0


def bare(value: exp.Expr) -> exp.Expr:
    """Return a value without parentheses around it; those of a query stay."""
    while isinstance(value, exp.Paren):
        value = value.this
    return value


def called_in(value: exp.Expr) -> exp.Expr:
    """Return the function that OVER, FILTER and their like stand behind."""
    while isinstance(value, _BEHIND):
        value = value.this
    return value


def has_zone(moment: exp.Expr) -> bool | None:
    """Is it seen to be a moment with a zone, or one without? None: it is not seen."""
    moment = bare(moment)
    if isinstance(moment, exp.CurrentTimestamp):
        return True
    if isinstance(moment, exp.AtTimeZone):
        is_given = has_zone(moment.this)
        return None if is_given is None else not is_given
    if isinstance(moment, exp.Cast):
        if moment.to.is_type(exp.DataType.Type.TIMESTAMPTZ):
            return True
        if moment.to.is_type(*_WITHOUT_ZONE):
            return False
    return None


def _of_select(node: exp.Expr) -> str:
    return _NAMED_WINDOW if node.args.get("windows") else ""


def _of_distinct(node: exp.Expr) -> str:
    if node.args.get("on"):
        return "DISTINCT ON is not known there; QUALIFY row_number() … = 1 is"
    return ""


def _of_window(node: exp.Expr) -> str:
    if node.args.get("alias"):
        return _NAMED_WINDOW
    spec = node.args.get("spec")
    if spec is not None and spec.args.get("exclude"):
        return (
            "EXCLUDE is not known there: let the frame end before the row, or take "
            "what is left out away from the sum"
        )
    if spec is not None and str(spec.args.get("kind")).upper() == "GROUPS":
        return "GROUPS is not known there; ROWS and RANGE are"
    return _of_order(called_in(node), node)


def _of_order(called: exp.Expr, window: exp.Expr) -> str:
    """Say what is wrong with the order that a function has in its window."""
    is_ordered = window.args.get("order") is not None
    is_framed = window.args.get("spec") is not None
    if isinstance(called, exp.ArgMax | exp.ArgMin):
        return (
            "it has no OVER there: first_value(x) over (… order by y desc rows between "
            "unbounded preceding and unbounded following)"
        )
    if isinstance(called, _ORDERED) and not is_ordered:
        return "it needs an ORDER BY in its OVER there"
    if isinstance(called, _OF_WHOLE_PARTITIONS) and (is_ordered or is_framed):
        return "it is of whole partitions alone there: without ORDER BY in its OVER"
    if isinstance(called.this, exp.Distinct) and (is_ordered or is_framed):
        return "DISTINCT is of whole partitions alone there: without ORDER BY in OVER"
    return ""


def _of_inner_order(node: exp.Expr) -> str:
    """Say what is wrong with an ORDER BY among a function's values."""
    holder = node.parent
    if node.this is None or not isinstance(holder, exp.Func):
        return ""
    if isinstance(holder, exp.GroupConcat):
        return ""
    return (
        "ORDER BY inside a function is not known there: min_by(x, y) and max_by(x, y) "
        "say which"
    )


def _of_which(node: exp.Expr) -> str:
    return (
        "several values are a list, and are others there"
        if node.args.get("count")
        else ""
    )


def _of_limit(node: exp.Expr) -> str:
    options = node.args.get("limit_options")
    if options is None:
        return ""
    is_other = options.args.get("percent") or options.args.get("with_ties")
    return "it is a number of rows there" if is_other else ""


def _of_zone(node: exp.Expr) -> str:
    if has_zone(node.this) is not None:
        return ""
    return (
        "with a zone and without one it turns the other way round: write which one it "
        "is, (…)::timestamptz at time zone …, or (…)::timestamp"
    )


def _of_part(node: exp.Expr) -> str:
    """Say what is wrong with extract(PART from …) and date_part('PART', …)."""
    part = part_of(node)
    if part is None or part in ISO_PARTS or _one(part) in PARTS:
        return ""
    return (
        f"{part.lower()} is no part there, or counted otherwise"
        if part
        else ("its part has to be written out there: 'month'")
    )


def part_of(node: exp.Expr) -> str | None:
    """Return the part that is asked for, in capitals; empty where it is no word."""
    if isinstance(node, exp.Extract):
        given: exp.Expr | None = node.this
    elif isinstance(node, exp.Anonymous) and node.name.lower() == "date_part":
        given = node.expressions[0] if node.expressions else None
    else:
        return None
    return given.name.upper() if isinstance(given, exp.Var | exp.Literal) else ""


def _of_unit(node: exp.Expr) -> str:
    """Say what is wrong with date_trunc('UNIT', …) and datediff('UNIT', …)."""
    unit = node.args.get("unit")
    if unit is None or _one(unit.name.upper()) in _LENGTHS:
        return ""
    return f"{unit.name.lower()} is not known there, or cut otherwise"


def _one(unit: str) -> str:
    return unit.removesuffix("S")


def _of_bucket(node: exp.Expr) -> str:
    return "buckets begin elsewhere there: date_trunc('hour', …) is the same on both"


def _of_interval(node: exp.Expr) -> str:
    """Say what is wrong with an interval: one whole length, after + or -."""
    holder = node.parent
    while isinstance(holder, exp.Paren):
        holder = holder.parent
    if isinstance(holder, exp.DateBin):
        return ""  # that is told
    if not isinstance(holder, exp.Add | exp.Sub | exp.WindowSpec):
        return "an interval stands there after + or - alone: day + interval '1 day'"
    unit, count = node.args.get("unit"), bare(node.this)
    if unit is None or _one(unit.name.upper()) not in _LENGTHS:
        return "it is one length there: + interval '1 day' + interval '2 hours'"
    is_written = isinstance(count, exp.Literal)
    if is_written and not _ONE_LENGTH.fullmatch(count.name.strip()):
        return "it is a whole number of them there: interval '90 minutes'"
    if not is_written and isinstance(holder, exp.WindowSpec):
        return "a frame's length has to be written out there"
    return ""


def _of_end(node: exp.Expr) -> str:
    if isinstance(bare(node.expression), exp.Neg):
        return "it is empty there: left(x, length(x) - 1), or substr(x, 2)"
    return ""


def _of_start(node: exp.Expr) -> str:
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.name == "0":
        return "there the first letter is meant by 0, too: begin with 1"
    return ""


def _of_piece(node: exp.Expr) -> str:
    piece = node.args.get("part_index")
    if isinstance(piece, exp.Literal) and piece.name == "0":
        return "there the first piece is meant by 0, too: begin with 1"
    return ""


_CHECKS: dict[type, Callable[[exp.Expr], str]] = {
    exp.Select: _of_select,
    exp.Distinct: _of_distinct,
    exp.Window: _of_window,
    exp.Order: _of_inner_order,
    exp.ArgMax: _of_which,
    exp.ArgMin: _of_which,
    exp.Limit: _of_limit,
    exp.Fetch: _of_limit,
    exp.AtTimeZone: _of_zone,
    exp.Extract: _of_part,
    exp.Anonymous: _of_part,
    exp.DateTrunc: _of_unit,
    exp.TimestampTrunc: _of_unit,
    exp.DateDiff: _of_unit,
    exp.DateBin: _of_bucket,
    exp.Interval: _of_interval,
    exp.Left: _of_end,
    exp.Right: _of_end,
    exp.Substring: _of_start,
    exp.SplitPart: _of_piece,
}
