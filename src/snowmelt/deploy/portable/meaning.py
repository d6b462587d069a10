"""Writes parts of a query so that Snowflake answers what DuckDB does. Pure.

Each kind of node that the two engines, or sqlglot between them, would take otherwise
has one function here, which returns what says the same there. What is inside comes
first, so a function finds its values written already.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from snowmelt.deploy.portable.unsayable import (
    ISO_PARTS,
    bare,
    called_in,
    has_zone,
    part_of,
    refused,
)

_FRAMED = (exp.FirstValue, exp.LastValue, exp.NthValue)
_TRUTHS = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean)
_FLOATING = (exp.DataType.Type.DOUBLE, exp.DataType.Type.FLOAT)
_ONE = (exp.Column, exp.Literal, exp.Paren, exp.Subquery, exp.Nullif, exp.AggFunc)
_WHOLE_NAMES = {
    "YR": "YEAR",
    "MON": "MONTH",
    "HR": "HOUR",
    "MIN": "MINUTE",
    "SEC": "SECOND",
}
_LEAVE_NULL_OUT = (
    *(exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.Median, exp.Mode),
    *(exp.Stddev, exp.StddevPop, exp.StddevSamp, exp.Variance, exp.VariancePop),
    *(exp.ApproxDistinct, exp.Corr, exp.CovarPop, exp.CovarSamp, exp.GroupConcat),
    *(exp.LogicalAnd, exp.LogicalOr),
)
"""Functions of rows that leave out those whose first value is NULL: on both."""


def write_same(query: exp.Query) -> None:
    """Write a query so that it means there what it means here.

    Raises Unsayable for a FILTER that no condition inside can say.
    """
    for node in reversed(list(query.dfs())):
        write = _WRITTEN.get(type(node))
        said = write(node) if write is not None else node
        if said is not node:
            node.replace(said)
    for each in list(query.find_all(exp.GroupConcat)):
        _write_nothing(each)


def _quotient(node: exp.Expr) -> exp.Expr:
    """Divide as here: in floating point; by 0 it is infinite, or no number.

    There it fails by 0. What it is here is what IEEE 754 says of a number and infinity,
    and FLOAT is of that standard there, too:
    https://docs.snowflake.com/en/sql-reference/data-types-numeric.
    """
    above, below = bare(node.this), bare(node.expression)
    if _is_never_zero(below):
        return _divided(above, below)
    is_zero = exp.EQ(this=_enclosed(below), expression=exp.Literal.number(0))
    infinite = exp.cast(exp.Literal.string("inf"), exp.DataType.Type.DOUBLE)
    endless = exp.Mul(this=_floating(above), expression=infinite)
    return exp.If(this=is_zero, true=endless, false=_divided(above, _not_zero(below)))


def _divided(above: exp.Expr, below: exp.Expr) -> exp.Div:
    quotient = exp.Div(this=_floating(above), expression=_enclosed(below))
    quotient.set("typed", False)
    quotient.set("safe", False)
    return quotient


def _remainder(node: exp.Expr) -> exp.Expr:
    """By 0 there is no remainder here, and an error there."""
    below = bare(node.expression)
    if not _is_never_zero(below):
        node.set("expression", _not_zero(below))
    return node


def _not_zero(value: exp.Expr) -> exp.Nullif:
    return exp.Nullif(this=value.copy(), expression=exp.Literal.number(0))


def _is_never_zero(value: exp.Expr) -> bool:
    if isinstance(value, exp.Nullif):
        value = value.expression
        return isinstance(value, exp.Literal) and value.name.strip("0.") == ""
    return isinstance(value, exp.Literal) and value.name.strip("0.") != ""


def _floating(value: exp.Expr) -> exp.Expr:
    return exp.cast(_counted(bare(value)), exp.DataType.Type.DOUBLE)


def _measure(node: exp.Expr) -> exp.Expr:
    """Measure in floating point, as here; there it has a few digits more than given."""
    if isinstance(node.this, exp.Distinct):
        values = [_floating(each) for each in node.this.expressions]
        node.set("this", exp.Distinct(expressions=values))
    else:
        node.set("this", _floating(node.this))
    return node


def _within(node: exp.Expr) -> exp.Expr:
    if isinstance(node.this, exp.PercentileCont):
        ordered = node.expression.expressions[0]
        ordered.set("this", _floating(ordered.this))
    return node


def _sum(node: exp.Expr) -> exp.Expr:
    node.set("this", _counted(node.this))
    return node


def _count_if(node: exp.Expr) -> exp.Expr:
    """Of no row it is NULL here, as a sum is, and 0 there."""
    return exp.Sum(this=exp.cast(bare(node.this).copy(), exp.DataType.Type.INT))


def _counted(value: exp.Expr) -> exp.Expr:
    """Return what is true as 1: only numbers are summed up there."""
    if not _is_truth(value):
        return value
    return exp.cast(bare(value).copy(), exp.DataType.Type.INT)


def _is_truth(value: exp.Expr) -> bool:
    value = bare(value)
    if isinstance(value, exp.Coalesce):
        return any(isinstance(each, exp.Boolean) for each in value.expressions)
    return isinstance(value, _TRUTHS)


def _largest(node: exp.Expr) -> exp.Expr:
    """Of what is true or false, both have functions of their own."""
    window = node.find_ancestor(exp.Window, exp.Select)
    is_ordered = isinstance(window, exp.Window) and bool(window.args.get("order"))
    if is_ordered or not _is_truth(node.this):
        return node
    kind = exp.LogicalOr if isinstance(node, exp.Max) else exp.LogicalAnd
    return kind(this=bare(node.this).copy())


def _cast(node: exp.Expr) -> exp.Expr:
    if node.args["to"].is_type(
        *_FLOATING
    ):  # a truth becomes a whole number there, no other
        node.set("this", _counted(node.this))
    return node


def _try_cast(node: exp.Expr) -> exp.Expr:
    """It takes texts alone there."""
    text = exp.cast(bare(node.this), exp.DataType.Type.VARCHAR)
    return exp.TryCast(this=text, to=node.args["to"], requires_string=True)


def _ignoring_nulls(node: exp.Expr) -> exp.Expr:
    """Unwrap what takes no such words there: any value that is not NULL."""
    inside: exp.Expr = node.this
    return inside if isinstance(inside, exp.Max) else node


def _any_value(node: exp.Expr) -> exp.Expr:
    return exp.Max(this=node.this)  # there any may be NULL


def _is(node: exp.Expr) -> exp.Expr:
    """IS TRUE and IS FALSE are not known there; what is NULL is neither."""
    if not isinstance(node.expression, exp.Boolean):
        return node
    asked = bare(node.this).copy()
    if not node.expression.this:
        asked = exp.Not(this=_enclosed(asked))
    return exp.Coalesce(this=asked, expressions=[exp.false()])


def _which(node: exp.Expr) -> exp.Expr:
    """A row whose value is NULL is left out here, and may be the one there."""
    value = node.this
    known = exp.Is(this=_enclosed(value), expression=exp.Null())
    by = exp.If(this=known, true=exp.Null(), false=node.expression.copy())
    return type(node)(this=value.copy(), expression=by)


def _enclosed(value: exp.Expr) -> exp.Expr:
    return value.copy() if isinstance(value, _ONE) else exp.paren(value)


def _count(node: exp.Expr) -> exp.Expr:
    if node.this is None:
        node.set("this", exp.Star())
    return node


def _coalesce(node: exp.Expr) -> exp.Expr:
    """Of one value it is not known there; bare, a number would be a column's place."""
    if not node.expressions:
        node.set("expressions", [exp.Null()])
    return node


def _unmaterialized(node: exp.Expr) -> exp.Expr:
    node.set("materialized", None)
    return node


def _window(node: exp.Expr) -> exp.Expr:
    """Write the frame that is meant here: there another one is meant without it.

    https://docs.snowflake.com/en/sql-reference/functions/last_value: the whole window,
    where other functions have the standard's frame.
    """
    is_framed = isinstance(called_in(node), _FRAMED)
    if is_framed and node.args.get("spec") is None:
        frame = exp.WindowSpec(
            kind="RANGE",
            start="UNBOUNDED",
            start_side="PRECEDING",
            end="CURRENT ROW",
        )
        node.set("spec", frame)
    return node


def _listed(node: exp.Expr) -> exp.Expr:
    if node.args.get("separator") is None:
        node.set("separator", exp.Literal.string(","))
    return node


def _write_nothing(listed: exp.GroupConcat) -> None:
    """A list of no text is NULL here, and an empty text there."""
    holder: exp.Expr = listed
    parent = holder.parent
    while isinstance(parent, exp.WithinGroup | exp.Window) and parent.this is holder:
        holder, parent = parent, parent.parent
    texts: exp.Expr = exp.Count(this=_first_value(listed).copy())
    if isinstance(holder, exp.Window):
        window = holder.copy()
        window.set("this", texts)
        texts = window
    some = exp.GT(this=texts, expression=exp.Literal.number(0))
    holder.replace(exp.If(this=some, true=holder.copy(), false=exp.Null()))


def _first_value(called: exp.Expr) -> exp.Expr:
    """Return the value of which NULL is left out; it may be ordered, and distinct."""
    if isinstance(called, exp.WithinGroup):
        found: exp.Expr = called.expression.expressions[0].this
    elif isinstance(called, exp.ArgMax | exp.ArgMin):
        found = called.expression
    else:
        found = called.this
    if isinstance(found, exp.Order):
        found = found.this
    return found.expressions[0] if isinstance(found, exp.Distinct) else found


def _filtered(node: exp.Expr) -> exp.Expr:
    """Write FILTER as a condition inside: what is not meant is NULL."""
    called: exp.Expr = node.this
    condition = node.expression.this
    if isinstance(called, exp.Count) and isinstance(called.this, exp.Star):
        return exp.CountIf(this=condition.copy())
    if not _leaves_null_out(called):
        raise refused(node, "means something else there")
    value = _first_value(called)
    meant = exp.If(this=condition.copy(), true=value.copy(), false=exp.Null())
    for each in list(called.find_all(exp.Ordered)):
        if isinstance(called, exp.GroupConcat) and each.this == value:
            each.set("this", meant.copy())  # of what is distinct, it has to be the same
    value.replace(meant)
    return called.copy()


def _leaves_null_out(called: exp.Expr) -> bool:
    if isinstance(called, exp.WithinGroup):
        return isinstance(called.this, exp.PercentileCont | exp.PercentileDisc)
    return isinstance(called, (*_LEAVE_NULL_OUT, exp.ArgMax, exp.ArgMin))


def _zoned(node: exp.Expr) -> exp.Expr:
    """AT TIME ZONE: a moment's clock in a zone, or the moment that a clock shows.

    By https://docs.snowflake.com/en/sql-reference/functions/convert_timezone. Sessions
    of ours are in UTC there.
    """
    zone, moment = node.args["zone"].copy(), bare(node.this).copy()
    if has_zone(moment):
        told = exp.ConvertTimezone(target_tz=zone, timestamp=moment)
        return exp.cast(told, exp.DataType.Type.TIMESTAMPNTZ)
    utc = exp.Literal.string("UTC")
    told = exp.ConvertTimezone(source_tz=zone, target_tz=utc, timestamp=moment)
    return exp.cast(told, exp.DataType.Type.TIMESTAMPTZ)


def _part(node: exp.Expr) -> exp.Expr:
    kind = ISO_PARTS.get(part_of(node) or "")
    if kind is None:
        return _anonymous(node)
    of = node.expression if isinstance(node, exp.Extract) else node.expressions[1]
    return kind(this=of.copy())


def _anonymous(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Anonymous) and node.name.lower() == "isfinite":
        is_none = exp.Is(this=_enclosed(node.expressions[0]), expression=exp.Null())
        return exp.paren(exp.Not(this=is_none))  # no day is without an end there
    return node


def _moved(node: exp.Expr) -> exp.Expr:
    """A day and so many lengths as a value says: no interval there has one."""
    day, length = node.this, bare(node.expression)
    if isinstance(node, exp.Add) and isinstance(bare(day), exp.Interval):
        day, length = node.expression, bare(day)
    if not isinstance(length, exp.Interval):
        return node
    count = bare(length.this)
    if isinstance(count, exp.Literal):
        length.set("this", exp.Literal.string(count.name))
        return node
    if isinstance(node, exp.Sub):
        count = exp.Neg(this=exp.paren(count))
    unit = length.args["unit"].copy()
    return exp.DateAdd(this=bare(day).copy(), expression=count.copy(), unit=unit)


def _unit(node: exp.Expr) -> exp.Expr:
    """Write a length of time by its whole name."""
    unit = node.args.get("unit")
    whole = _WHOLE_NAMES.get(unit.name.upper().removesuffix("S")) if unit else None
    if whole is not None:
        node.set("unit", exp.var(whole))
    return node


_WRITTEN: dict[type, Callable[[exp.Expr], exp.Expr]] = {
    exp.Div: _quotient,
    exp.Mod: _remainder,
    exp.Avg: _measure,
    exp.Median: _measure,
    exp.Stddev: _measure,
    exp.StddevPop: _measure,
    exp.StddevSamp: _measure,
    exp.Variance: _measure,
    exp.VariancePop: _measure,
    exp.WithinGroup: _within,
    exp.Sum: _sum,
    exp.CountIf: _count_if,
    exp.Max: _largest,
    exp.Min: _largest,
    exp.Cast: _cast,
    exp.TryCast: _try_cast,
    exp.IgnoreNulls: _ignoring_nulls,
    exp.AnyValue: _any_value,
    exp.Is: _is,
    exp.ArgMax: _which,
    exp.ArgMin: _which,
    exp.Count: _count,
    exp.Coalesce: _coalesce,
    exp.CTE: _unmaterialized,
    exp.Window: _window,
    exp.GroupConcat: _listed,
    exp.Filter: _filtered,
    exp.AtTimeZone: _zoned,
    exp.Extract: _part,
    exp.Anonymous: _part,
    exp.Interval: _unit,
    exp.DateTrunc: _unit,
    exp.TimestampTrunc: _unit,
    exp.DateDiff: _unit,
    exp.Add: _moved,
    exp.Sub: _moved,
}
