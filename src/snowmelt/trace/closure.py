"""The rows that traced rows are made of, kept in temporary tables of a session.

Rows have numbers: a table's rowid, which holds within one snapshot, and of bronze load
and record in one. Each relation that is reached has a number as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from snowmelt.trace.models import BRONZE, Relation, name_of
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

REACH = "temp.snowmelt_trace_reach"
EDGES = "temp.snowmelt_trace_edges"
AFFECTED_ROWS = "temp.snowmelt_trace_affected"
MADE = "temp.snowmelt_trace_made"
VIEWED = "temp.snowmelt_trace_viewed"
RECORDS = 1 << 36
"""Of a bronze row's number: so many records a file may have."""
BRONZE_ROW = f"(_load_seq * {RECORDS} + _file_row)"
_INEXACT = ("DOUBLE", "FLOAT")
_COLUMNS: WeakKeyDictionary[Session, dict[str, dict[str, str]]] = WeakKeyDictionary()
_PLACEHOLDER = re.compile(r"__(scan|stream)_(\d+)__")
_TABLES = f"""
    create or replace temp table snowmelt_trace_reach (
        root bigint, node integer, row bigint, passed boolean
    );
    create or replace temp table snowmelt_trace_edges (
        above integer, above_row bigint, below integer, below_row bigint, passed boolean
    );
"""  # noqa: F541


@dataclass
class Closure:
    """What was reached from some roots, and by which way."""

    session: Session
    relations: list[Relation] = field(default_factory=list)
    _among: dict[Relation, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for statement in _TABLES.split(";"):
            if statement.strip():
                self.session.execute(statement)

    def number(self, relation: Relation) -> int:
        """Return a relation's number here."""
        if relation not in self.relations:
            self.relations.append(relation)
        return self.relations.index(relation)

    def row_of(self, relation: Relation) -> str:
        """Return a row's number, as SQL."""
        return BRONZE_ROW if relation.kind == BRONZE else "rowid"

    def reached(self, relation: Relation) -> str:
        """Return the numbers of the rows reached, as a query."""
        return (
            f"select distinct row from {REACH} "  # noqa: S608 - names of ours
            f"where node = {self.number(relation)}"
        )

    def among(self, relation: Relation) -> str:
        """Return the condition that a row of a table was reached.

        The engine goes to one rowid at once, and to those that a query names; a list of
        several in a statement it compares with every row.
        """
        known = self._among.get(relation)
        if known is None:
            rows = self.session.rows(f"{self.reached(relation)} limit 2")
            known = f"rowid in ({self.reached(relation)})"
            if len(rows) == 1:
                known = f"rowid = {rows[0][0]}"
            self._among[relation] = known
        return known

    def count(self, relation: Relation) -> tuple[int, int]:
        """Return how many rows were reached, and how many only let rows pass."""
        ((made, passed),) = self.session.rows(
            "select count(*) filter (not passed), count(*) filter (passed) "  # noqa: S608
            "from (select row, bool_and(passed) as passed "
            f"from {REACH} where node = {self.number(relation)} group by row)"
        )
        return int(made), int(passed)

    def extend(self, relation: Relation) -> None:
        """Go on from a relation along its edges; all its rows are reached by now."""
        self._among.clear()
        above = self.number(relation)
        self.session.execute(
            f"insert into {REACH} "  # noqa: S608
            "select reach.root, edges.below, edges.below_row, "
            "bool_and(reach.passed or edges.passed) "
            f"from {REACH} as reach join {EDGES} as edges "
            "on edges.above = reach.node and edges.above_row = reach.row "
            f"where reach.node = {above} group by all"
        )

    def edges_below(self, relation: Relation) -> list[Relation]:
        """Return the relations that a relation's rows were made from."""
        rows = self.session.rows(
            f"select distinct below from {EDGES} where above = $1 "  # noqa: S608
            "order by below",
            [self.number(relation)],
        )
        return [self.relations[below] for (below,) in rows]


def with_scans(sql: str, scans: Mapping[int, str]) -> str:
    """Put relations in place of a query's placeholders."""
    return _PLACEHOLDER.sub(lambda found: scans[int(found[2])], sql)


def scan_of_rows(number: int, relation: Relation, condition: str = "true") -> str:
    """Return those rows of a relation that meet a condition; they carry themselves."""
    row = BRONZE_ROW if relation.kind == BRONZE else "rowid"
    return (
        f"(select *, [{row}] as _p_{number} from {relation.sql} "  # noqa: S608
        f"where {condition})"
    )


def equal(left: str, right: str, columns: Sequence[str]) -> str:
    """Return the condition that two rows agree in columns, nulls too."""
    return " and ".join(
        f"{left}.{identifier(each)} is not distinct from {right}.{identifier(each)}"
        for each in columns
    )


def columns_of(session: Session, key: str) -> dict[str, str]:
    """Return a relation's columns with their types, in order.

    A session is asked once: it looks at one snapshot, in which they stay as they are.
    """
    known = _COLUMNS.setdefault(session, {})
    if key.lower() not in known:
        schema, name = key.lower().split(".", 1)
        known[key.lower()] = dict(
            session.rows(
                "select column_name, data_type from duckdb_columns() "
                "where database_name = current_database() and lower(schema_name) = $1 "
                "and lower(table_name) = $2 order by column_index",
                [schema, name],
            )
        )
    return dict(known[key.lower()])


def exact_columns(columns: Mapping[str, str]) -> list[str]:
    """Return the columns by which rows are compared: a float depends on the order."""
    return [name for name, kind in columns.items() if kind not in _INEXACT]


def listed(columns: Sequence[str], of: str = "") -> str:
    """Return columns as SQL."""
    return ", ".join(f"{of}{identifier(each)}" for each in columns)


def all_rows_of(key: str) -> str:
    """Return the table of every row ever loaded, of a bronze table's key."""
    return name_of(f"{key}__all")
