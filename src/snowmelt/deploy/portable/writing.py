"""A dashboard's query, as DuckDB reads it, in Snowflake's words. Pure.

What the two engines would answer otherwise is written so that they do not (`meaning`),
and what has no such words is refused (`unsayable`), as is what `linting` names before.
A value that somebody chose becomes a text by the one way in which texts get into
statements, and never a part of the query.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import sqlglot
from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError, UnsupportedError
from sqlglot.optimizer.simplify import simplify

from snowmelt.deploy.portable.meaning import write_same
from snowmelt.deploy.portable.unsayable import (
    Unsayable,
    bare,
    line_of,
    refused,
    unsayable_in,
)
from snowmelt.deploy.snowflake import sql as written
from snowmelt.errors import ConfigError

logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of what is refused

Value = str | date | Sequence[str]
_HERE, _THERE = "duckdb", "snowflake"
_PLAIN = re.compile(r"[A-Z_][A-Z0-9_$]*")
_MOMENTS = {
    exp.DataType.Type.TIMESTAMP: "TIMESTAMP_NTZ",
    exp.DataType.Type.TIMESTAMPNTZ: "TIMESTAMP_NTZ",
    exp.DataType.Type.TIMESTAMPTZ: "TIMESTAMP_TZ",
}
_SMALL = re.compile(r"[a-z]+")


@dataclass(frozen=True)
class Refusal:
    """Why a query cannot be asked there, and in which of its lines (0: not known)."""

    line: int
    why: str


def query_there(
    query: str, values: Sequence[Value], relations: Mapping[str, str], limit: int
) -> str:
    """Return the statement that asks the same, of at most `limit` rows.

    `relations`: by the keys of tables here (schema.name, small letters) their names
    there. Raises ConfigError for what is no query of those alone.
    """
    try:
        tree = _read(query, values, relations)
        for each in unsayable_in(tree):
            raise each
        return _written(tree, limit)
    except Unsayable as error:
        line = f"line {error.line} of its query: " if error.line else ""
        told = f"on Snowflake it cannot be asked: {line}{error.why}"
        raise ConfigError("", told) from None


def refusals_of(
    query: str, values: Sequence[Value], relations: Mapping[str, str]
) -> list[Refusal]:
    """Return all that keeps a query from being asked there, as far as is seen."""
    try:
        tree = _read(query, values, relations)
        found = list(unsayable_in(tree))
        if not found:
            _written(tree, limit=1)
    except Unsayable as error:
        found = [error]
    return [Refusal(each.line, each.why) for each in found]


def _read(
    query: str, values: Sequence[Value], relations: Mapping[str, str]
) -> exp.Query:
    """Read a query as DuckDB does, with its values, of tables as they are there."""
    try:
        parsed = [each for each in sqlglot.parse(query, read=_HERE) if each is not None]
    except (SqlglotError, RecursionError, ValueError) as error:
        raise Unsayable(f"it is not understood: {_first_line(error)}") from None
    if len(parsed) != 1 or not isinstance(parsed[0], exp.Query):
        raise Unsayable("only one SELECT is asked there")
    tree = _with_values(parsed[0], values)
    _name_tables(tree, relations)
    return tree


def _written(tree: exp.Query, limit: int) -> str:
    _write_limits(tree)
    write_same(tree)
    _write_moments(tree)
    for each in list(tree.find_all(exp.Identifier)):
        _write_name(each)
    try:
        return _limited(tree, limit).sql(
            dialect=_THERE, comments=False, unsupported_level=ErrorLevel.RAISE
        )
    except UnsupportedError as error:  # sqlglot would leave it out
        raise Unsayable(_first_line(error)) from None


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _with_values(query: exp.Query, values: Sequence[Value]) -> exp.Query:
    """Put what was chosen in place of `$1` and those after it."""
    for each in list(query.find_all(exp.In)):
        given = _list_of(each)
        chosen = _chosen(given, values) if given is not None else None
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
            told = "a list of values stands where one value belongs"
            raise Unsayable(told, line_of(given.parent_select or query))
    return query


def _list_of(inside: exp.In) -> exp.Placeholder | None:
    """Return what `in (select unnest($1::json::varchar[]))` takes, and nothing else."""
    query = inside.args.get("query")
    given = query.find(exp.Placeholder) if query is not None else None
    if query is None or given is None:
        return None
    said = f"select unnest(${given.name}::json::varchar[])"
    is_that = query.unnest() == sqlglot.parse_one(said, read=_HERE)
    return given if is_that else None


def _chosen(given: exp.Placeholder, values: Sequence[Value]) -> Value:
    place = int(given.name) - 1 if given.name.isdigit() else -1
    if not 0 <= place < len(values):
        raise Unsayable(f"nothing is bound to ${given.name}")
    return values[place]


def _text(value: str) -> exp.Var:
    """Return a text as it is written for Snowflake: letter by letter, as a value."""
    try:
        return exp.Var(this=written.text(value))
    except ValueError:
        raise Unsayable("a value has a NUL in it, and no text there has one") from None


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
            why = f"it reads {told}, and only what ref() names is read there"
            raise Unsayable(why, line_of(table))
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


def _write_name(identifier: exp.Identifier) -> None:
    """Write a name as Snowflake keeps it: in capitals, quoted where it has to be.

    The letters that have capitals are those that DuckDB takes for the same: `a` to `z`.
    """
    name = _SMALL.sub(lambda found: found[0].upper(), identifier.name)
    is_quoted = not _PLAIN.fullmatch(name) or name in written.RESERVED
    identifier.set("this", name if is_quoted else identifier.name)
    identifier.set("quoted", is_quoted)


def _write_moments(query: exp.Query) -> None:
    """Write types of moments by their names; sqlglot writes what stands for them.

    https://docs.snowflake.com/en/sql-reference/data-types-datetime
    """
    for each in list(query.find_all(exp.DataType)):
        name = _MOMENTS.get(each.this)
        if name is not None:
            own = exp.DataType.Type.USERDEFINED
            each.replace(exp.DataType(this=own, kind=name))


def _write_limits(query: exp.Query) -> None:
    """Write LIMIT and OFFSET as the numbers that they come to; no others are there."""
    for each in list(query.find_all(exp.Limit, exp.Fetch, exp.Offset)):
        is_fetch = isinstance(each, exp.Fetch)
        given = each.args.get("count") if is_fetch else each.expression
        number = bare(simplify(given.copy())) if given is not None else None
        if not (isinstance(number, exp.Literal) and number.is_int):
            raise refused(each, "it is a number of rows there")
        if is_fetch:
            each.replace(exp.Limit(expression=number))
        else:
            each.set("expression", number)


def _limited(query: exp.Query, limit: int) -> exp.Query:
    """Return the query with a limit, unless its own is lower."""
    own = query.args.get("limit")
    if own is not None and int(own.expression.name) <= limit:
        return query
    return query.limit(limit)
