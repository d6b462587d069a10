"""Which columns carry what is in others: marks, followed up through all models.

A column that is made of a marked one is marked, too, unless it is declared otherwise;
a count of rows or of values carries none of them. What cannot be followed (a model in
Python, SQL that is not parsed, a snapshot) carries everything as soon as it reads
anything that is marked: nobody knows better.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sqlglot import exp, parse_one
from sqlglot import lineage as of_sql
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import build_scope

from snowmelt.trace.lineage import ends_of, without_affected
from snowmelt.trace.query_parts import DIALECT
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session

_COUNTS = (exp.Count, exp.ApproxDistinct, exp.CountIf)
_NOT_FOLLOWED = (exp.Pivot, exp.PositionalColumn, exp.Columns)
_UNREADABLE = (SqlglotError, ValueError, KeyError, RecursionError, AttributeError)
_MADE = ("model", "seed", "snapshot")
ANY = "*"
"""The mark of a relation whose columns nobody knows: each of them is marked."""
logging.getLogger("sqlglot").setLevel(logging.ERROR)

Tables = Mapping[str, Mapping[str, str]]
"""By the keys of relations (schema.name): their columns with types, in lower case."""


def tables_of(session: Session) -> dict[str, dict[str, str]]:
    """Return every table and view there is, with its columns."""
    found: dict[str, dict[str, str]] = {}
    for key, name, kind in session.rows(
        "select lower(schema_name || '.' || table_name), lower(column_name), data_type "
        "from duckdb_columns() where database_name = current_database() "
        "and not internal order by schema_name, table_name, column_index"
    ):
        found.setdefault(key, {})[name] = kind
    return found


@dataclass
class Carried:
    """Marks: of each relation the marked columns, in lower case.

    `is_partial`: not every model that is there has its columns in `tables`, as who may
    read gold need not see silver. Those of such a model are taken from its SQL.
    """

    tables: Tables
    database: str
    marks: dict[str, set[str]] = field(default_factory=dict)
    is_partial: bool = False

    def is_marked(self, relation: str, column: str) -> bool:
        """Is a column of a relation marked?"""
        marks = self.marks.get(relation.lower(), ())
        return column.lower() in marks or ANY in marks

    def follow(
        self,
        graph: Graph,
        sql: Mapping[str, str],
        declared: Mapping[str, Mapping[str, bool]],
    ) -> None:
        """Follow the marks through all models, in the order of a build.

        `sql` by the ids of nodes; `declared`: what is said of columns, by the ids of
        nodes and by names in lower case.
        """
        for node in graph.nodes.values():
            if node.resource_type not in _MADE or node.materialized == "ephemeral":
                continue
            said = declared.get(node.id, {})
            hidden = _hidden(graph, node, declared)
            query = sql.get(node.id, "")
            read = dict.fromkeys((*_read(graph, node), *tables_in(query)))
            known = self._columns(node.key.lower(), query, read)
            marked = {name for name, is_so in said.items() if is_so}
            if hidden or any(self.marks.get(each) for each in read):
                found = self.of_query(query, list(read), known)
                let = {name for name, is_so in said.items() if not is_so}
                marked |= (found | hidden.intersection(known or hidden)) - let
                if not known and self.is_partial:
                    marked.add(ANY)
            if marked:
                self.marks[node.key.lower()] = marked

    def _columns(self, key: str, query: str, read: Iterable[str]) -> list[str]:
        """Return the columns of a model; of one that is not seen, by its SQL."""
        known = list(self.tables.get(key, {}))
        if known or not self.is_partial:
            return known
        with suppress(*_UNREADABLE):
            found = list(self._feeds(query, read))
            known = (
                [] if ANY in found else found
            )  # a star that stands for what is unseen
            self.tables = {**self.tables, key: dict.fromkeys(known, "varchar")}
        return known

    def of_query(
        self, query: str, read: Iterable[str], columns: Sequence[str]
    ) -> set[str]:
        """Return the marked ones of a query's columns, in lower case.

        `read`: the relations that it reads; `columns`: what it returns. Whatever cannot
        be followed is marked, if anything is that the query reads.
        """
        read = list(read)
        lower = [name.lower() for name in columns]
        if not any(self.marks.get(each) for each in read):
            return set()
        fed: dict[str, set[tuple[str, str]] | None] = {}
        with suppress(*_UNREADABLE):
            fed = self._feeds(query, read)
        return {
            name
            for name in lower
            if lower.count(name) > 1 or self._carries(fed.get(name))
        }

    def _carries(self, ends: set[tuple[str, str]] | None) -> bool:
        return ends is None or any(self.is_marked(*end) for end in ends)

    def _feeds(
        self, query: str, read: Iterable[str]
    ) -> dict[str, set[tuple[str, str]] | None]:
        """Return which columns of tables feed each column of a query; None: unknown."""
        parsed = parse_one(without_affected(query), dialect=DIALECT)
        if parsed.find(*_NOT_FOLLOWED) is not None:
            return {}
        schema: dict[str, dict[str, dict[str, str]]] = {}
        for key in read:
            schema_name, table = key.split(".", 1)
            kinds = self.tables.get(key, {})
            schema.setdefault(schema_name, {})[table] = {
                name: kind.split("(")[0] for name, kind in kinds.items()
            }
        whole = qualify(
            parsed.transform(_without_counted),
            schema={self.database: schema},
            dialect=DIALECT,
            validate_qualify_columns=False,
            identify=False,
        )
        if whole.find(exp.TableColumn) is not None:  # a row as one value
            return {}
        found = of_sql.lineage(
            None, whole, {}, scope=build_scope(whole), dialect=DIALECT, copy=False
        )
        return {
            name.lower(): None if _is_unknown(node) else ends_of(node)
            for name, node in found.items()
        }


def tables_in(query: str) -> list[str]:
    """Return the keys of tables that a query names; none if it is not parsed."""
    try:
        parsed = parse_one(query, dialect=DIALECT) if query else None
    except _UNREADABLE:
        return []
    if parsed is None:
        return []
    return list(
        dict.fromkeys(
            f"{each.db}.{each.name}".lower()
            for each in parsed.find_all(exp.Table)
            if each.db
        )
    )


def _is_unknown(found: of_sql.Node) -> bool:
    """Does a lineage end at something that is no table?"""
    return any(isinstance(each.expression, exp.Placeholder) for each in found.walk())


def _read(graph: Graph, node: Node) -> list[str]:
    """Return the relations that a node reads, through ephemeral models."""
    found: dict[str, None] = {}
    for parent in node.parents:
        source, above = graph.sources.get(parent), graph.nodes.get(parent)
        if source is not None:
            found[f"{source.schema}.{source.table}".lower()] = None
        elif above is not None and above.materialized == "ephemeral":
            found |= dict.fromkeys(_read(graph, above))
        elif above is not None:
            found[above.key.lower()] = None
    return list(found)


def _without_counted(node: exp.Expr) -> exp.Expr:
    """Count rows where values were counted: a count carries no value."""
    return exp.Count(this=exp.Star()) if isinstance(node, _COUNTS) else node


def _hidden(
    graph: Graph, node: Node, declared: Mapping[str, Mapping[str, bool]]
) -> set[str]:
    """Return columns that ephemeral models which a node reads declare as marked."""
    found: set[str] = set()
    for parent in node.parents:
        above = graph.nodes.get(parent)
        if above is not None and above.materialized == "ephemeral":
            said = declared.get(above.id, {})
            found |= {name for name, is_so in said.items() if is_so}
            found |= _hidden(graph, above, declared)
    return found
