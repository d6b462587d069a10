"""A viewer's own query: masks are laid over the tables before anything is asked.

So a mask holds wherever a column stands, in a condition or a join as in the result,
as Snowflake's masking policies do. Nobody finds out by asking what nobody shows.
"""

from __future__ import annotations

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from snowmelt.errors import UsageError
from snowmelt.serve.cells import MASK
from snowmelt.service.masking.personal import Personal
from snowmelt.trace.query_parts import DIALECT

TABLE_FUNCTIONS = ("unnest", "range", "generate_series")
"""Table functions that read no table; others might read one behind our back."""


def masked_query(personal: Personal, sql: str) -> str:
    """Return a query over masked tables. Raises UsageError for what is not followed."""
    if not personal.is_any:
        return sql
    try:
        statements = parse(sql, dialect=DIALECT)
    except (SqlglotError, RecursionError, ValueError):
        raise _refusal("it is not understood") from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise _refusal("only a select is followed")
    query = statements[0]
    for table in list(query.find_all(exp.Table)):
        _mask(personal, query, table)
    return query.sql(dialect=DIALECT)


def _mask(personal: Personal, query: exp.Expr, table: exp.Table) -> None:
    """Lay masks over one table of a query, if it is one that has masked columns."""
    if not isinstance(table.this, exp.Identifier):
        if table.name.lower() not in TABLE_FUNCTIONS:
            raise _refusal("it reads more than tables by their names")
    elif table.db:
        _lay_over(personal, table)
    elif not _is_named_in(query, table.name):
        raise _refusal(f"write the schema of {table.name}, too")


def _refusal(why: str) -> UsageError:
    told = f"what is about persons is masked for viewers, and of this query {why}"
    return UsageError("sql", told, "Ask an operator, or write a plain select.")


def _is_named_in(query: exp.Expr, name: str) -> bool:
    """Is it a name that the query itself gives, by `with`?"""
    named = {each.alias.lower() for each in query.find_all(exp.CTE)}
    return name.lower() in named


def _lay_over(personal: Personal, table: exp.Table) -> None:
    """Put a query in place of a table that has masked columns, under its name."""
    key = f"{table.db}.{table.name}".lower()
    known = personal.carried.tables.get(key)
    if known is None:
        raise _refusal(f"{key} is not known")
    masked = [name for name in known if personal.is_masked(key, name)]
    if not masked:
        return
    name = table.alias_or_name
    bare = exp.Table(
        this=table.this.copy(),
        db=table.args["db"].copy(),
        catalog=table.args.get("catalog"),
    )
    columns = [_masked(each) if each in masked else _column(each) for each in known]
    inner = exp.select(*columns).from_(bare)
    over = inner.subquery(exp.to_identifier(name, quoted=True))
    rest = {
        key: value
        for key, value in table.args.items()
        if key not in ("this", "db", "catalog", "alias") and value
    }
    if rest.keys() - {"joins", "laterals"}:
        raise _refusal(f"{key} is read in an unusual way")
    for key, value in rest.items():
        over.set(key, value)
    table.replace(over)


def _column(name: str) -> exp.Expr:
    return exp.column(exp.to_identifier(name, quoted=True))


def _masked(name: str) -> exp.Expr:
    there = exp.Not(this=exp.Is(this=_column(name), expression=exp.Null()))
    case = exp.Case(ifs=[exp.If(this=there, true=exp.Literal.string(MASK))])
    return exp.alias_(case, exp.to_identifier(name, quoted=True))
