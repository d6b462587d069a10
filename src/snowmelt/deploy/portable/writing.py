"""A dashboard's query, as DuckDB reads it, in Snowflake's words. Pure.

What the two engines would answer otherwise is written so that they do not: `/` and
`avg` are of floating point here whatever they are given, NULL comes last in either
order, FILTER is a condition inside. What `linting` names is refused before; what is
left is the same in both. A value that somebody chose becomes a text by the one way in
which texts get into statements, and never a part of the query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from snowmelt.deploy.snowflake import sql as written
from snowmelt.errors import ConfigError

Value = str | date | Sequence[str]
_HERE, _THERE = "duckdb", "snowflake"
_FILTERED = (exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max)
_NEVER = (exp.Unnest, exp.Explode, exp.Lateral, exp.Into, exp.Lock, exp.Command)


def query_there(
    query: str, values: Sequence[Value], relations: Mapping[str, str], limit: int
) -> str:
    """Return the statement that asks the same, of at most `limit` rows.

    `relations`: by the keys of tables here (schema.name, small letters) their names
    there. Raises ConfigError for what is no query of those alone.
    """
    try:
        parsed = [each for each in sqlglot.parse(query, read=_HERE) if each is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise _refusal(f"it is not understood: {_first_line(error)}") from None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise _refusal("only one SELECT is asked there")
    tree = _with_values(parsed[0], values)
    _name_tables(tree, relations)
    for node in reversed(list(tree.dfs())):  # what is inside comes first
        said = _same_meaning(node)
        if said is not node:
            node.replace(said)
    _require_known(tree)
    for each in list(tree.find_all(exp.Identifier)):
        _write_name(each)
    return _limited(tree, limit).sql(dialect=_THERE, comments=False)


def _refusal(why: str) -> ConfigError:
    return ConfigError("", f"on Snowflake it cannot be asked: {why}")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _with_values(query: exp.Query, values: Sequence[Value]) -> exp.Query:
    """Put what was chosen in place of `$1` and those after it."""
    for each in list(query.find_all(exp.In)):
        inside = each.args.get("query")
        found = inside.find(exp.Placeholder) if inside is not None else None
        chosen = _chosen(found, values) if found is not None else None
        if isinstance(chosen, (list, tuple)):
            listed = [_text(str(value)) for value in chosen]
            each.replace(exp.In(this=each.this.copy(), expressions=listed))
    for given in list(query.find_all(exp.Placeholder)):
        value = _chosen(given, values)
        if isinstance(value, date):
            day = exp.Literal.string(value.isoformat())
            given.replace(exp.cast(day, exp.DataType.Type.DATE))
        elif isinstance(value, str):
            given.replace(_text(value))
        else:
            raise _refusal("a list of values stands where one value belongs")
    return query


def _chosen(given: exp.Placeholder, values: Sequence[Value]) -> Value:
    place = int(given.name) - 1 if given.name.isdigit() else -1
    if not 0 <= place < len(values):
        raise _refusal(f"nothing is bound to ${given.name}")
    return values[place]


def _text(value: str) -> exp.Var:
    """Return a text as it is written for Snowflake: letter by letter, as a value."""
    try:
        return exp.Var(this=written.text(value))
    except ValueError:
        raise _refusal("a value has a NUL in it, and no text there has one") from None


def _name_tables(query: exp.Expr, relations: Mapping[str, str]) -> None:
    """Put the names there in place of those here; nothing else is read."""
    own = {each.alias.lower() for each in query.find_all(exp.CTE)}
    for table in list(query.find_all(exp.Table)):
        is_name = isinstance(table.this, exp.Identifier)
        if is_name and not table.db and table.name.lower() in own:
            continue
        name = relations.get(f"{table.db}.{table.name}".lower()) if is_name else None
        if name is None:
            told = table.sql(dialect=_HERE)
            raise _refusal(f"it reads {told}, and only what ref() names is read there")
        here = table.name
        parts = [exp.Var(this=part) for part in name.split(".")]
        table.set("catalog", parts[0])
        table.set("db", parts[1])
        table.set("this", parts[2])
        if not table.alias:
            table.set("alias", exp.TableAlias(this=exp.to_identifier(here)))
    for column in query.find_all(exp.Column):
        column.set("db", None)
        column.set("catalog", None)


def _same_meaning(node: exp.Expr) -> exp.Expr:
    """Write one node so that Snowflake answers what DuckDB does."""
    if isinstance(node, exp.Div):
        return _quotient(node)
    if isinstance(node, exp.Avg) and not isinstance(node.this, exp.Distinct):
        return exp.Avg(this=_floating(node.this))
    if isinstance(node, exp.TryCast):  # there of texts alone
        text = exp.cast(_bare(node.this), exp.DataType.Type.VARCHAR)
        return exp.TryCast(this=text, to=node.args["to"], requires_string=True)
    if isinstance(node, exp.AnyValue):
        return exp.Max(this=node.this)  # one that is not NULL, as here
    if isinstance(node, exp.Anonymous) and node.name.lower() == "isfinite":
        there = exp.Is(this=node.expressions[0], expression=exp.Null())
        return exp.paren(exp.Not(this=there))  # no day is without an end there
    return node


def _quotient(node: exp.Div) -> exp.Expr:
    """Divide as here: in floating point; by nothing is nothing, and no error."""
    below = node.expression
    number = _bare(below)
    is_number = isinstance(number, exp.Literal) and number.name.strip("0.") != ""
    if not is_number and not isinstance(number, exp.Nullif):
        below = exp.Nullif(this=number, expression=exp.Literal.number(0))
    divided = exp.Div(this=_floating(node.this), expression=below)
    divided.set("typed", False)
    divided.set("safe", False)
    return divided


def _bare(value: exp.Expr) -> exp.Expr:
    """Return a value without parentheses around it; those of a query stay."""
    while isinstance(value, exp.Paren):
        value = value.this
    return value


def _floating(value: exp.Expr) -> exp.Expr:
    return exp.cast(_bare(value), exp.DataType.Type.DOUBLE)


def _require_known(query: exp.Expr) -> None:
    found = query.find(*_NEVER, exp.Placeholder)
    for each in query.find_all(exp.Filter):
        if not isinstance(each.this, _FILTERED):
            found = each
    if found is not None:
        told = found.sql(dialect=_HERE)
        raise _refusal(f"{told} means something else there")


def _write_name(identifier: exp.Identifier) -> None:
    """Write a name as Snowflake keeps it: in capitals, quoted where it has to be."""
    kept = written.name(identifier.name)
    is_quoted = kept.startswith('"')
    identifier.set("this", identifier.name.upper() if is_quoted else identifier.name)
    identifier.set("quoted", is_quoted)


def _limited(query: exp.Query, limit: int) -> exp.Query:
    """Return the query with a limit, unless its own is lower."""
    own = query.args.get("limit")
    count = own.expression if isinstance(own, exp.Limit) else None
    if own is not None and not (isinstance(count, exp.Literal) and count.is_int):
        return exp.select("*").from_(query.subquery("ASKED")).limit(limit)
    if count is not None and int(count.name) <= limit:
        return query
    return query.limit(limit)
