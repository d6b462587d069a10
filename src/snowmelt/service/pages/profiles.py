"""What values a table's columns have: of all rows, or of some if there are many."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any
from weakref import WeakKeyDictionary

from snowmelt.errors import UsageError
from snowmelt.gold.run_history import published_run
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.catalog import catalog_document, find_table
from snowmelt.warehouse.port import Session, Warehouse
from snowmelt.warehouse.sql import identifier

ROWS_MAX = 100_000
"""A table with more rows is looked at in a sample of about so many."""
COLUMNS_MAX = 60
TOP = 5
TEXT_LENGTH_MAX = 80
KEPT_MAX = 200
PROFILED = "snowmelt_profiled"
_LOCK = threading.Lock()
_KEPT: WeakKeyDictionary[Warehouse, OrderedDict[object, Document]] = WeakKeyDictionary()


def profile_document(loop: Loop, name: str) -> Document:
    """Return nulls, distinct values, least, most and commonest of each column.

    Kept for as long as readers see the same run.
    """
    table = find_table(catalog_document(loop)["tables"], name)
    with loop.parts.warehouse.snapshot() as session:
        stamp = (
            table["key"],
            published_run(session),
            session.value("select max(load_seq) from snowmelt.load_history")
            if table["pipe_name"]
            else None,
        )
        with _LOCK:
            kept = _KEPT.setdefault(loop.parts.warehouse, OrderedDict())
            known = kept.get(stamp)
        if known is None:
            known = _profile(session, table)
            with _LOCK:
                kept[stamp] = known
                while len(kept) > KEPT_MAX:
                    kept.popitem(last=False)
    return known


def _profile(session: Session, table: Document) -> Document:
    schema, name = table["key"].split(".", 1)
    columns = session.rows(
        "select column_name, data_type from duckdb_columns() "
        "where database_name = current_database() and lower(schema_name) = lower($1) "
        "and lower(table_name) = lower($2) order by column_index limit $3",
        [schema, name, COLUMNS_MAX],
    )
    if not columns:
        raise UsageError(table["key"], "it has not been built yet", "snowmelt run")
    relation = ".".join(identifier(each) for each in (schema, name))
    is_sample = _take(session, relation, table["rows"])
    names = [identifier(column) for column, _ in columns]
    figures = session.rows(
        "select count(*), "
        + ", ".join(
            f"count({each}), approx_count_distinct({each}), "
            f"left(cast(min({each}) as varchar), {TEXT_LENGTH_MAX}), "
            f"left(cast(max({each}) as varchar), {TEXT_LENGTH_MAX})"
            for each in names
        )
        + f" from {PROFILED}"
    )[0]
    rows = figures[0]
    found = []
    for place, (column, kind) in enumerate(columns):
        there, distinct, least, most = figures[1 + 4 * place : 5 + 4 * place]
        found.append(
            {
                "name": column,
                "type": kind.lower(),
                "nulls": rows - there,
                "distinct": min(distinct, there),
                "min": plain(least),
                "max": plain(most),
                "top": _top(session, names[place], there, distinct),
                "is_masked": False,
            }
        )
    return {
        "schema_version": SCHEMA_VERSION,
        "name": table["key"],
        "rows": rows,
        "is_sample": is_sample,
        "columns": found,
    }


def _take(session: Session, relation: str, estimate: int | None) -> bool:
    """Put the rows that are looked at into a table of the session's own."""
    rows = estimate if estimate is not None else ROWS_MAX + 1
    query = f"select * from {relation}"
    if rows <= ROWS_MAX:
        query += f" limit {2 * ROWS_MAX}"
    elif estimate is None:
        query += f" limit {ROWS_MAX}"
    else:
        percent = min(100.0, 100.0 * ROWS_MAX / rows)
        query += f" tablesample {percent:.6f} percent (system) limit {2 * ROWS_MAX}"
    session.execute(f"create or replace temp table {PROFILED} as {query}")
    return rows > ROWS_MAX


def _top(
    session: Session, column: str, there: int, distinct: int
) -> list[dict[str, Any]]:
    """Return the commonest values; none of a column where each is there once."""
    if not there or distinct > there * 0.9:
        return []
    rows = session.rows(
        f"select left(cast({column} as varchar), {TEXT_LENGTH_MAX}) as value, "
        f"count(*) as found from {PROFILED} where {column} is not null "
        f"group by value order by found desc, value limit {TOP}"
    )
    return [{"value": value, "count": count} for value, count in rows]
