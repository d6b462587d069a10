"""The tables and views that there are, and what columns they have."""

from __future__ import annotations

from collections.abc import Sequence

from snowmelt.warehouse.port import Session

_LISTED = """
    select schema_name, table_name, estimated_size from duckdb_tables()
    where schema_name in (select unnest($1::json::varchar[])) and not temporary
    union all
    select schema_name, view_name, null from duckdb_views()
    where schema_name in (select unnest($1::json::varchar[])) and not temporary
        and not internal
    order by 1, 2
"""
_COLUMNS = """
    select column_name, data_type from duckdb_columns()
    where schema_name = $1 and table_name = $2 and not internal
    order by column_index
"""
_ALL_COLUMNS = """
    select schema_name, table_name, column_name, data_type from duckdb_columns()
    where schema_name in (select unnest($1::json::varchar[])) and not internal
    order by schema_name, table_name, column_index
"""


def list_tables(
    session: Session, schemas: Sequence[str]
) -> list[tuple[str, str, int | None]]:
    """Return schema, name and about how many rows of each table and view."""
    rows = session.rows(_LISTED, [list(schemas)])
    return [(schema, table, size) for schema, table, size in rows]


def all_columns(
    session: Session, schemas: Sequence[str]
) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Return name and type of the columns of every table, by (schema, table)."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, name, kind in session.rows(_ALL_COLUMNS, [list(schemas)]):
        found.setdefault((schema, table), []).append((name, kind))
    return found


def list_columns(session: Session, schema: str, table: str) -> list[tuple[str, str]]:
    """Return name and type of each column."""
    rows = session.rows(_COLUMNS, [schema, table])
    return [(name, kind) for name, kind in rows]
