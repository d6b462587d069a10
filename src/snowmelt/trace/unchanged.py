"""Which columns of a query's result are a table's own, with the values as they are.

A query that returns the key of a table, through joins, groups and named subqueries, has
rows of which each is about one row of that table. What changes a value (a function, a
cast, a union of two) is not followed: better no answer than the wrong row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot import lineage as of_sql
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from snowmelt.trace.query_parts import DIALECT

_UNREADABLE = (SqlglotError, ValueError, KeyError, RecursionError, AttributeError)


@dataclass(frozen=True)
class Unchanged:
    """Of result columns, by their names in lower case: relation and column.

    `several`: relations that the query may read more than once, so that two columns of
    one row may be of two rows there.
    """

    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    several: frozenset[str] = frozenset()


def unchanged_columns(
    query: str, tables: Mapping[str, Mapping[str, str]], database: str
) -> Unchanged:
    """Return what is known; nothing of a query that cannot be followed.

    `tables`: by the keys (schema.name) of what the query reads, columns with types.
    """
    with suppress(*_UNREADABLE):
        return _followed(query, tables, database)
    return Unchanged()


def _followed(
    query: str, tables: Mapping[str, Mapping[str, str]], database: str
) -> Unchanged:
    schema: dict[str, dict[str, dict[str, str]]] = {}
    for key, columns in tables.items():
        schema_name, table = key.split(".", 1)
        schema.setdefault(schema_name, {})[table] = {
            name: kind.split("(")[0] for name, kind in columns.items()
        }
    whole = qualify(
        parse_one(query, dialect=DIALECT),
        schema={database: schema},
        dialect=DIALECT,
        validate_qualify_columns=False,
        identify=False,
    )
    read = Counter(
        f"{each.db}.{each.name}".lower() for each in whole.find_all(exp.Table)
    )
    several = {key for key, times in read.items() if times > 1}
    if any(key.startswith(".") for key in several):  # a named subquery
        several = set(read)
    found = of_sql.lineage(
        None, whole, {}, scope=build_scope(whole), dialect=DIALECT, copy=False
    )
    ends = {name.lower(): _end(node) for name, node in found.items()}
    known = {name: end for name, end in ends.items() if end is not None}
    return Unchanged(known, frozenset(several))


def _end(node: of_sql.Node) -> tuple[str, str] | None:
    """Return the column of a table that a lineage is, unchanged; None: it is not."""
    while node.downstream:
        if len(node.downstream) > 1 or not _is_column(node.expression):
            return None
        node = node.downstream[0]
    table = node.expression
    if not isinstance(table, exp.Table):
        return None
    column = node.name.rpartition(".")[2].strip('"')
    return f"{table.db}.{table.name}".lower(), column.lower()


def _is_column(made: exp.Expr) -> bool:
    inner = made.this if isinstance(made, exp.Alias) else made
    return isinstance(inner, exp.Column)
