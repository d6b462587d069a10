"""One question to the rows of an account, as it is said here.

A query is planned here, on empty tables that have the columns there: so it is one
SELECT that the engine of this machine understands, of columns that there are, and its
answer has the names and types that it would have here. Then it is written in
Snowflake's words and asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Context, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.portable.writing import Value, query_there
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row
from snowmelt.errors import ConfigError
from snowmelt.service.targets.gold_columns import columns_seen, make_empty
from snowmelt.warehouse.port import Table

if TYPE_CHECKING:
    from snowmelt.service.targets.gold import GoldThere

_WHOLE = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT"),
    *("UINTEGER", "UBIGINT", "UHUGEINT"),
)

_ANY_DECIMAL = Context(prec=76)
"""The 38 digits of a DECIMAL before its point, and after it."""


@dataclass(frozen=True)
class Question:
    """A query in the words of here, what is bound to it, and the tables it reads.

    `where` it was asked; `keys` of tables are schema.name, in small letters.
    """

    where: str
    sql: str
    values: Sequence[Value]
    keys: Sequence[str]


def ask_there(gold: GoldThere, question: Question, limit: int) -> Table:
    """Return at most `limit` rows.

    Raises ConfigError for what cannot be asked there, UsageError for what is no query.
    """
    gold.warehouse.require_query(question.sql)
    try:
        columns, types = _planned(gold, question)
    except ConfigError:
        if not gold.see_columns_again():
            raise
        columns, types = _planned(gold, question)
    rows = gold.ask(said_there(gold, question, limit))
    if rows and len(rows[0]) != len(columns):
        told = f"its query returns two columns of one name: {', '.join(columns)}"
        remedy = "Call each by a name of its own: … as NAME."
        raise ConfigError(question.where, told, remedy)
    return Table(columns, types, [_row(each, types) for each in rows])


def said_there(gold: GoldThere, question: Question, limit: int) -> str:
    """Return the statement in Snowflake's words. Raises ConfigError if it has none."""
    database = gold.observing.scope.database
    there = tuple(
        (key, sql.path(database, *key.split(".", 1))) for key in question.keys
    )
    return _said(question.sql, tuple(question.values), there, limit)


@lru_cache(maxsize=1024)
def _said(
    query: str,
    values: tuple[Value, ...],
    there: tuple[tuple[str, str], ...],
    limit: int,
) -> str:
    return query_there(query, values, dict(there), limit)


def _planned(gold: GoldThere, question: Question) -> tuple[list[str], list[str]]:
    """Return the columns and types of an answer; the tables are gone afterwards."""
    bound = [
        list(each) if isinstance(each, tuple) else each for each in question.values
    ]
    with gold.warehouse.session() as session, session.rolled_back():
        seen = columns_seen(session)
        for key in question.keys:
            if key not in seen:
                raise ConfigError(
                    question.where,
                    f"{key} is not on {gold.target}, or its role may not see it",
                    "Build it there, or grant the role what is in that schema.",
                )
        make_empty(session, seen, question.keys)
        try:
            told = session.rows(f"describe {question.sql}", bound)
        except Exception as error:
            raise ConfigError(
                question.where,
                str(error).partition("\n")[0].strip(),
                f"It is planned on the columns that {gold.target} has.",
            ) from error
    return [str(row[0]) for row in told], [str(row[1]) for row in told]


def _row(row: Row, types: Sequence[str]) -> tuple[Any, ...]:
    """Return a row as the engine here would have answered it.

    By the places of columns: what has no name is called otherwise there.
    """
    return tuple(map(as_here, row.values(), types))


def as_here(value: Any, kind: str) -> Any:
    """Return a value of an account as one of a type here."""
    if value is None:
        return None
    if kind in _WHOLE:
        return int(Decimal(str(value)))
    if kind in ("DOUBLE", "FLOAT"):
        return float(value)
    if kind.startswith("DECIMAL"):
        scale = int(kind.rstrip(")").rpartition(",")[2])
        step = Decimal(1).scaleb(-scale)
        return Decimal(str(value)).quantize(step, context=_ANY_DECIMAL)
    if kind == "BOOLEAN":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return _moment_here(value, kind) if kind.startswith(("DATE", "TIME")) else value


def _moment_here(value: Any, kind: str) -> Any:
    if kind == "DATE":
        is_day = isinstance(value, date) and not isinstance(value, datetime)
        return value if is_day else datetime.fromisoformat(str(value)).date()
    if not kind.startswith("TIMESTAMP"):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    told = moment(value)
    if told is None or "ZONE" in kind or kind == "TIMESTAMPTZ":
        return told
    return told.replace(tzinfo=None)
