"""What a rewriting has to know of the parts of a query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

DIALECT = "duckdb"
SIDES = ("this", "expression")
AROUND = (exp.Filter, exp.WithinGroup, exp.IgnoreNulls, exp.RespectNulls)
PARTS = {"expressions": "SELECT", "group": "GROUP BY", "order": "ORDER BY"}
LISTED = "rows are listed"
"""The mark of a subquery whose rows are carried on."""
_RANKS = ("row_number", "rank", "dense_rank", "ntile", "percent_rank", "cume_dist")


@dataclass(frozen=True)
class Note:
    """What decides about rows and is not listed: all rows of some relations.

    kind: `whole` (any row of them may decide), `rank` (their order decides), `pick`
    (one row of several was taken, the others were looked at).
    """

    kind: str
    construct: str
    relations: tuple[int, ...]


def sql(text: str) -> exp.Expr:
    """Parse one of our own expressions."""
    return sqlglot.parse_one(text, dialect=DIALECT)


def identifiers(names: Sequence[str]) -> list[exp.Expr]:
    """Return names as a list that a star leaves out has them."""
    return [exp.column(name) for name in names]


def quoted(name: str) -> str:
    """Return a name as SQL, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def aliased(query: exp.Expr, name: str) -> exp.Subquery:
    """Return a query in brackets, with a name."""
    return exp.Subquery(this=query, alias=table_alias(name))


def table_alias(name: str, columns: Sequence[str] = ()) -> exp.TableAlias:
    """Return an alias of a table, with names for its columns if there are any."""
    return exp.TableAlias(
        this=exp.to_identifier(name, quoted=True),
        columns=[exp.to_identifier(each) for each in columns],
    )


def name_columns(thing: exp.Expr, names: Sequence[str]) -> None:
    """Give columns at the end their names, where an alias names all columns."""
    alias = thing.args.get("alias")
    if alias is not None and alias.args.get("columns"):
        for name in names:
            alias.append("columns", exp.to_identifier(name))


def is_query(each: exp.Expr) -> bool:
    """Is it a query of its own?"""
    return isinstance(each, exp.Query | exp.Subquery)


def queries_in(each: exp.Expr | None) -> Iterator[exp.Expr]:
    """Yield the queries inside an expression that are not listed row by row."""
    if each is None:
        return
    if is_query(each):
        if not each.meta.get(LISTED):
            yield each
        return
    for child in each.iter_expressions():
        yield from queries_in(child)


def is_absence(query: exp.Expr) -> bool:
    """Is a row let pass by what a query does not have? No row of it decides then."""
    above = query.parent
    while isinstance(above, exp.In | exp.Exists | exp.Subquery | exp.Paren):
        above = above.parent
    return isinstance(above, exp.Not)


def conjuncts(condition: exp.Expr) -> Iterator[exp.Expr]:
    """Yield the conditions that must all hold."""
    if isinstance(condition, exp.And):
        yield from conjuncts(condition.this)
        yield from conjuncts(condition.expression)
    elif isinstance(condition, exp.Paren):
        yield from conjuncts(condition.this)
    else:
        yield condition


def is_correlated(query: exp.Expr) -> bool:
    """Does a query name something that it does not read itself?"""
    known = {
        source.alias_or_name.lower()
        for source in query.find_all(exp.Table, exp.Subquery, exp.CTE, exp.Unnest)
    }
    return any(
        column.table and column.table.lower() not in known
        for column in query.find_all(exp.Column)
    )


def is_plain_distinct(select: exp.Select) -> bool:
    """Does it make one row of equal ones, and not of those with one key?"""
    distinct = select.args.get("distinct")
    return distinct is not None and distinct.args.get("on") is None


def hide(select: exp.Select, by_source: dict[str, list[str]], own: list[str]) -> None:
    """Leave columns out of every star: those of a source, and those joined by us."""
    everything = list(
        dict.fromkeys([*own, *(each for names in by_source.values() for each in names)])
    )
    for projection in select.expressions:
        if isinstance(projection, exp.Star):
            _leave_out(projection, everything)
        elif isinstance(projection, exp.Column) and isinstance(
            projection.this, exp.Star
        ):
            _leave_out(projection.this, by_source.get(projection.table.lower(), []))


def _leave_out(star: exp.Star, names: list[str]) -> None:
    if names:
        star.set("except_", [*(star.args.get("except_") or ()), *identifiers(names)])


def unknown_construct(select: exp.Select) -> str:
    """Return what in a block is not rewritten here; empty if it all is."""
    for name, told in (("sample", "USING SAMPLE"), ("laterals", "LATERAL VIEW")):
        if select.args.get(name):
            return told
    for projection in select.expressions:
        for each in projection.walk(prune=is_query):
            if isinstance(each, exp.Columns):
                return "COLUMNS()"
            above = each.parent
            if isinstance(each, exp.Star) and not (
                each is projection
                or isinstance(above, exp.Count)
                or (isinstance(above, exp.Column) and above is projection)
            ):
                return f"* in {type(above).__name__}"
    order = select.args.get("order")
    if order is not None and any(
        isinstance(each.this, exp.Column) and each.this.name.lower() == "all"
        for each in order.expressions
    ):
        return "ORDER BY ALL"
    return ""


def relations_of(tags: Sequence[str]) -> tuple[int, ...]:
    """Return the relations that annotations are of, each once."""
    return tuple(dict.fromkeys(int(tag[3:]) for tag in tags))


# Windows.


def named_windows(select: exp.Select) -> dict[str, exp.Expr]:
    """Return the windows that a block gives a name, by it."""
    windows = select.args.get("windows") or ()
    return {each.this.name.lower(): each for each in windows}


def function_name(window: exp.Window) -> str:
    """Return the function of a window, as SQL names it."""
    function = window.this
    while isinstance(function, AROUND):
        function = function.this
    if isinstance(function, exp.Anonymous):
        return str(function.name).lower()
    return str(function.sql_name()).lower() if isinstance(function, exp.Func) else ""


def partition_of(window: exp.Window, named: dict[str, exp.Expr]) -> str:
    """Return the expressions that a window is partitioned by, as SQL."""
    found: exp.Expr | None = window
    while found is not None:
        partition = found.args.get("partition_by")
        if partition:
            return ", ".join(each.sql(dialect=DIALECT) for each in partition)
        alias = found.args.get("alias")
        name = alias.name.lower() if isinstance(alias, exp.Expr) else ""
        found = named.pop(name, None) if name else None
    return ""


def window_kind(window: exp.Window, place: exp.Expr) -> str:
    """Return what a window gives: a `value` of its rows, a `rank`, or one row's `pick`.

    `place` is the part of the block that it stands in.
    """
    if function_name(window) not in _RANKS:
        return "value"
    compared = window.parent
    if not (
        isinstance(place, exp.Qualify)
        and isinstance(compared, exp.EQ)
        and compared.expression.name == "1"
    ):
        return "rank"
    above = compared.parent
    while isinstance(above, exp.And | exp.Paren):
        above = above.parent
    return "pick" if above is place else "rank"
