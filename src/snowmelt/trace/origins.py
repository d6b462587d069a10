"""What there is to tell of the rows that were reached: keys, files, loads, runs."""

from __future__ import annotations

from typing import Any

from snowmelt.trace.closure import (
    BRONZE_ROW,
    REACH,
    RECORDS,
    Closure,
    all_rows_of,
    columns_of,
    listed,
)
from snowmelt.trace.models import BRONZE, Models, Relation
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session

LOADS_ONE_BY_ONE = 20
KEYS_MAX = 3
"""So many columns name a row of a table without a key."""
_RUN_OF_LOAD = """
    select loads.load_seq, run.run_id, run.ended_at, run.way
    from (select unnest($1::json::bigint[]) as load_seq) as loads
    join lateral (
        select run_id, ended_at, way from snowmelt.run_history
        where state = 'SUCCEEDED' and read_through >= loads.load_seq
        order by read_through, started_at limit 1
    ) as run on true
"""


def key_columns(session: Session, models: Models, key: str) -> list[str]:
    """Return the columns that name a row of a relation, as far as anything says so.

    That is its unique_key, or what a test says is unique, or else its first columns.
    """
    node = models.by_key().get(key.lower())
    columns = list(columns_of(session, key))
    known = {each.lower(): each for each in columns}
    named = [
        known[each.lower()]
        for each in (named_by(models.graph, node) if node is not None else ())
        if each.lower() in known
    ]
    return named or [each for each in columns if not each.startswith("_")][:KEYS_MAX]


def named_by(graph: Graph, node: Node) -> tuple[str, ...]:
    """Return the columns that a model, or a test of it, says name a row."""
    if node.unique_key:
        return node.unique_key
    for each in graph.nodes.values():
        test = each.test or {}
        if test.get("of") != node.id:
            continue
        arguments = test.get("arguments") or {}
        if test["kind"] == "unique" and arguments.get("column_name"):
            return (str(arguments["column_name"]),)
        if test["kind"] == "unique_combination":
            return tuple(str(column) for column in arguments.get("columns", ()))
    return ()


def rows_of_table(
    closure: Closure, models: Models, relation: Relation, limit: int
) -> list[dict[str, Any]]:
    """Return the first rows reached of a table: their keys, and the record they are of.

    A row of silver names its record by `_load_seq` and `_file_row`.
    """
    session = closure.session
    columns = list(columns_of(session, relation.key))
    keys = key_columns(session, models, relation.key)
    origin = [each for each in ("_load_seq", "_file_row") if each in columns]
    if len(origin) < 2:
        origin = []
    names = [*keys, *(each for each in origin if each not in keys)]
    table = session.table(
        f"select {listed(names) or 'rowid'} from {relation.sql} "  # noqa: S608
        f"where {closure.among(relation)} "
        f"order by {listed(names) or 'rowid'} limit {limit}"
    )
    return [
        {
            "key": {name: row[names.index(name)] for name in keys},
            "record": (row[names.index("_load_seq")], row[names.index("_file_row")])
            if origin
            else None,
        }
        for row in table.rows
    ]


def records(closure: Closure, relation: Relation, limit: int) -> list[dict[str, Any]]:
    """Return the first bronze rows reached, in the order of loads, with values."""
    assert relation.kind == BRONZE
    session = closure.session
    rows = [
        row
        for (row,) in session.rows(
            f"select row from ({closure.reached(relation)}) "  # noqa: S608
            f"order by row limit {limit}"
        )
    ]
    if not rows:
        return []
    name = all_rows_of(relation.key)
    parts = [f"select * from {name} where {each}" for each in _conditions(rows)]  # noqa: S608
    table = session.table(f"{' union all '.join(parts)} order by _load_seq, _file_row")
    return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _conditions(rows: list[int]) -> list[str]:
    """Return conditions that name bronze rows: of a few loads, load by load.

    What a load and its records are is known of each piece of the table, so that only
    the pieces that hold them are read.
    """
    by_load: dict[int, list[str]] = {}
    for row in rows:
        load, record = divmod(row, RECORDS)
        by_load.setdefault(load, []).append(str(record))
    if len(by_load) <= LOADS_ONE_BY_ONE:
        return [
            f"_load_seq = {load} and _file_row in ({', '.join(records)})"
            for load, records in by_load.items()
        ]
    loads = ", ".join(map(str, by_load))
    named = ", ".join(map(str, rows))
    return [f"_load_seq in ({loads}) and {BRONZE_ROW} in ({named})"]


def rows_by_load(closure: Closure, relation: Relation) -> dict[int, int]:
    """Return how many bronze rows were reached of each load."""
    return dict(
        closure.session.rows(
            f"select row // {RECORDS}, count(*) "  # noqa: S608
            f"from ({closure.reached(relation)}) group by all order by all"
        )
    )


def runs_of_loads(session: Session, loads: list[int]) -> dict[int, dict[str, Any]]:
    """Return the run that first published each load."""
    return {
        load: {"run_id": run_id, "ended_at": ended_at, "way": way}
        for load, run_id, ended_at, way in session.rows(_RUN_OF_LOAD, [loads])
    }


def node_of_run(session: Session, run_ids: list[str], node: str) -> dict[str, float]:
    """Return how long a model took in each run, in seconds."""
    return dict(
        session.rows(
            "select run_id, max(seconds) from snowmelt.node_history "
            "where node = $2 and run_id in (select unnest($1::json::varchar[])) "
            "group by run_id",
            [run_ids, node],
        )
    )


def records_of_roots(closure: Closure, relation: Relation) -> dict[int, set[int]]:
    """Return the bronze rows that made each root, of one relation."""
    found: dict[int, set[int]] = {}
    for root, row in closure.session.rows(
        f"select root, row from {REACH} where node = $1 and not passed",  # noqa: S608
        [closure.number(relation)],
    ):
        found.setdefault(root, set()).add(row)
    return found
