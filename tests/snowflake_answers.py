"""Carries out a statement for Snowflake on DuckDB, as the pages of Snowflake take it.

sqlglot reads it; but it knows words, and not all that they mean. So what its two
dialects take for the same and the two engines do not is written out here, and what
Snowflake has no such form of is refused. Where the pages are:
https://docs.snowflake.com/en/sql-reference/functions/last_value (its frame),
…/functions/listagg (no separator is none, no text is an empty one), …/functions/max_by
(a value may be NULL), …/operators-arithmetic (by 0 it fails; scale of a quotient),
…/functions/avg, …/functions/sum (of numbers), …/functions/count_if (never NULL).
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

_FRAMED = (exp.FirstValue, exp.LastValue, exp.NthValue)
_TRUTHS = (exp.Predicate, exp.Connector, exp.Not, exp.Boolean)
_ORDERED = (*_FRAMED, exp.RowNumber, exp.Rank, exp.Lag, exp.Lead, exp.Ntile)
_NO_PARTS = ("ISODOW", "ISOYEAR")
_NTZ = exp.DataType.Type.TIMESTAMPNTZ


class NotThere(Exception):
    """Snowflake has no such form."""


def as_answered(statement: str) -> str:
    """Return the SQL by which DuckDB answers what Snowflake would."""
    tree = sqlglot.parse_one(statement, read="snowflake")
    for node in reversed(list(tree.dfs())):
        taken = _taken(node)
        if taken is not node:
            node.replace(taken)
    return tree.sql(dialect="duckdb")


def _taken(node: exp.Expr) -> exp.Expr:
    _require_known(node)
    if isinstance(node, exp.Div | exp.Mod):
        return _divided(node)
    if isinstance(node, exp.Window):
        node = _framed(node)
    if isinstance(node, exp.CountIf):
        one = exp.If(this=node.this.copy(), true=exp.Literal.number(1))
        return exp.Count(this=exp.Case(ifs=[one]))
    if isinstance(node, exp.ArgMax | exp.ArgMin):
        name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
        return exp.Anonymous(this=name, expressions=[node.this, node.expression])
    if isinstance(node, exp.GroupConcat | exp.WithinGroup | exp.Window):
        return _listed(node)
    if isinstance(node, exp.Avg | exp.Median) and not _is_double(node.this):
        more = exp.Literal.number(6 if isinstance(node, exp.Avg) else 3)
        return exp.Round(this=node.copy(), decimals=more)
    return node


def _require_known(node: exp.Expr) -> None:
    is_off = (
        (isinstance(node, exp.Is) and isinstance(node.expression, exp.Boolean))
        or (isinstance(node, exp.Count) and node.this is None)
        or (isinstance(node, exp.Coalesce) and not node.expressions)
        or (isinstance(node, exp.Sum | exp.Max | exp.Min) and _is_truth(node.this))
        or (isinstance(node, exp.IgnoreNulls) and not isinstance(node.this, _ORDERED))
        or isinstance(node, exp.Filter | exp.Placeholder | exp.Unnest | exp.Explode)
        or (isinstance(node, exp.CTE) and node.args.get("materialized") is not None)
        or (isinstance(node, exp.Cast) and _is_off(node))
        or (isinstance(node, exp.Extract) and node.this.name.upper() in _NO_PARTS)
        or (isinstance(node, exp.ConvertTimezone) and _keeps_a_zone(node))
    )
    if is_off:
        raise NotThere(node.sql(dialect="snowflake"))


def _is_off(node: exp.Cast) -> bool:
    """TRY_CAST takes texts alone; what is true becomes a whole number, and no FLOAT."""
    if isinstance(node, exp.TryCast):
        given = node.this.unnest()
        return not (isinstance(given, exp.Cast) and given.to.is_type("varchar"))
    return bool(node.to.is_type("double")) and _is_truth(node.this)


def _keeps_a_zone(node: exp.ConvertTimezone) -> bool:
    """Of two values it returns a moment with its zone, which DuckDB does not have."""
    has_two = node.args.get("source_tz") is None
    cast = node.parent
    return has_two and not (isinstance(cast, exp.Cast) and cast.to.is_type(_NTZ))


def _divided(node: exp.Expr) -> exp.Expr:
    """By 0 it fails; what is of no floating point has six digits more."""
    above, below = node.this, node.expression
    done: exp.Expr = type(node)(this=above.copy(), expression=below.copy())
    is_exact = isinstance(node, exp.Div) and not (
        _is_double(above) or _is_double(below)
    )
    if is_exact:
        done = exp.Round(this=done, decimals=exp.Literal.number(6))
    fails = exp.Anonymous(
        this="error", expressions=[exp.Literal.string("Division by zero")]
    )
    is_zero = exp.EQ(this=exp.paren(below), expression=exp.Literal.number(0))
    return exp.Case(ifs=[exp.If(this=is_zero, true=fails)], default=done)


def _framed(node: exp.Window) -> exp.Expr:
    inside = node.this
    while isinstance(inside, exp.IgnoreNulls | exp.RespectNulls):
        inside = inside.this
    if isinstance(inside, _ORDERED) and node.args.get("order") is None:
        raise NotThere(node.sql(dialect="snowflake"))
    spec = node.args.get("spec")
    if spec is not None and spec.args.get("exclude"):
        raise NotThere(node.sql(dialect="snowflake"))
    if isinstance(inside, _FRAMED) and spec is None:
        frame = exp.WindowSpec(
            kind="ROWS",
            start="UNBOUNDED",
            start_side="PRECEDING",
            end="UNBOUNDED",
            end_side="FOLLOWING",
        )
        node.set("spec", frame)
    return node


def _listed(node: exp.Expr) -> exp.Expr:
    """Take LISTAGG, with all that stands behind it, as never NULL."""
    called = node
    while isinstance(called, exp.WithinGroup | exp.Window):
        called = called.this
    is_inside = isinstance(node.parent, exp.WithinGroup | exp.Window)
    if not isinstance(called, exp.GroupConcat) or is_inside:
        return node
    if called.args.get("separator") is None:
        called.set("separator", exp.Literal.string(""))
    return exp.Coalesce(this=node.copy(), expressions=[exp.Literal.string("")])


def _is_double(value: exp.Expr) -> bool:
    if isinstance(value, exp.Distinct):
        value = value.expressions[0]
    if isinstance(value, exp.If):  # the other branch is NULL
        value = value.args["true"]
    return isinstance(value, exp.Cast) and value.to.is_type("double")


def _is_truth(value: exp.Expr) -> bool:
    return isinstance(value.unnest(), _TRUTHS)
