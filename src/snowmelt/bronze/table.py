"""Bronze tables: every row ever loaded, and the view of those that count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from snowmelt.bronze.external import superseded_files, view_sql
from snowmelt.errors import ConfigError
from snowmelt.pipe.contract import Column
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolved import effective_pipe
from snowmelt.pipe.widening import widens
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

LOAD_COLUMNS = {
    "_file": "varchar",
    "_file_row": "bigint",
    "_load_seq": "bigint",
    "_version_at": "timestamptz",
    "_loaded_at": "timestamptz",
    "_replayed_from": "bigint",
}


def all_rows(pipe: Pipe) -> str:
    """Return the name of the append-only table with every row ever loaded."""
    return f"{identifier(pipe.schema_name)}.{identifier(pipe.table_name + '__all')}"


def live_rows(pipe: Pipe) -> str:
    """Return the name of the view of the rows that count."""
    return f"{identifier(pipe.schema_name)}.{identifier(pipe.table_name)}"


def ensure_table(session: Session, pipe: Pipe) -> list[Column]:
    """Make a pipe's table and view, or add the columns its contract gained.

    A table without rows is made anew. A column whose new type holds each value of
    its old one is altered where it stands: such columns are returned. Raises
    ConfigError when rows are there and a column's type changed otherwise, or the pipe
    wrote another table before.
    """
    _require_same_table(session, pipe)
    pipe = effective_pipe(session, pipe)
    session.execute(f"create schema if not exists {identifier(pipe.schema_name)}")
    wanted = {column.name: column.type for column in pipe.contract.columns}
    there = _columns(session, pipe)
    if there and _is_empty(session, pipe):
        there = {}
    if pipe.external:
        widened = _find_widened(session, pipe, there)
        show_files(session, pipe)
        return widened
    if not there:
        columns = ", ".join(
            f'"{name}" {kind}' for name, kind in (wanted | LOAD_COLUMNS).items()
        )
        session.execute(f"create table {all_rows(pipe)} ({columns})")
    if there and "_replayed_from" not in there:
        _add_replayed_from(session, pipe)
        there = _columns(session, pipe)
    widened = _alter(session, pipe, there) if there else []
    _ensure_view(session, pipe)
    return widened


def _is_empty(session: Session, pipe: Pipe) -> bool:
    """Drop bronze if no row was ever in it; raise ConfigError if it is of another kind.

    A pipe's rows are in a table, or in the files that a view reads.
    """
    is_view = session.value(
        "select count(*) from duckdb_views() where schema_name = $1 and view_name = $2",
        [pipe.schema_name, f"{pipe.table_name}__all"],
    )
    rows = session.value(
        "select count(*) from snowmelt.external_files where table_name = $1"
        if is_view
        else f"select count(*) from {all_rows(pipe)} where $1 is not null",
        [pipe.full_table_name],
    )
    if rows and bool(is_view) != pipe.external:
        held = f"{rows} files behind a view" if is_view else f"a table of {rows} rows"
        word = "Write external: true again" if is_view else "Leave external out again"
        raise ConfigError(
            f"pipes/{pipe.name}.yml: external",
            f"{pipe.full_table_name} is {held} by now, and is not made the other",
            f"{word}, or give the pipe a new name and a new table, which loads its "
            "files again.",
        )
    if rows:
        return False
    session.execute(f"drop view if exists {live_rows(pipe)}")
    session.execute(f"drop {'view' if is_view else 'table'} {all_rows(pipe)}")
    return True


def show_files(
    session: Session, pipe: Pipe, changed: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Make the view of an external pipe's files anew, in the caller's transaction.

    Columns that bronze has and the contract has not any more, stay; `changed` are
    columns that the contract does not have yet, or otherwise.
    """
    named = {column.name: column.type for column in pipe.contract.columns}
    shown = _columns(session, pipe) | named | dict(changed)
    columns = {name: kind for name, kind in shown.items() if name not in LOAD_COLUMNS}
    query = view_sql(session, pipe, columns, LOAD_COLUMNS)
    session.execute(f"create or replace view {all_rows(pipe)} as {query}")
    _ensure_view(session, pipe)


def _find_widened(session: Session, pipe: Pipe, there: dict[str, str]) -> list[Column]:
    """Return the columns that are too narrow; raise ConfigError if one is otherwise."""
    widened = []
    for column in pipe.contract.columns:
        found = there.get(column.name)
        if found is not None and _canonical(session, column.type) != found:
            _require_wider(pipe, column, found.lower())
            widened.append(column)
    return widened


def _alter(session: Session, pipe: Pipe, there: dict[str, str]) -> list[Column]:
    """Add what a table lacks, widen what is too narrow; return what was widened."""
    for column in pipe.contract.columns:
        if column.name not in there:
            _add_column(session, pipe, column)
    widened = _find_widened(session, pipe, there)
    widen_columns(session, pipe, widened)
    return widened


def add_columns(session: Session, pipe: Pipe, columns: Sequence[Column]) -> None:
    """Add columns to a pipe's table and view, in the caller's transaction."""
    if pipe.external:
        show_files(session, pipe, {column.name: column.type for column in columns})
        return
    for column in columns:
        _add_column(session, pipe, column)
    if columns:
        _ensure_view(session, pipe)


def widen_columns(session: Session, pipe: Pipe, columns: Sequence[Column]) -> None:
    """Give columns of a pipe's table their wider types, in the caller's transaction.

    Views that read the table go on: a view's columns are found when it is asked.
    """
    if pipe.external:
        show_files(session, pipe, {column.name: column.type for column in columns})
        return
    for column in columns:
        session.execute(
            f"alter table {all_rows(pipe)} alter column {identifier(column.name)} "
            f"set data type {column.type}"
        )
    if columns:
        _ensure_view(session, pipe)


def _add_column(session: Session, pipe: Pipe, column: Column) -> None:
    session.execute(
        f"alter table {all_rows(pipe)} "
        f"add column {identifier(column.name)} {column.type}"
    )


def _require_wider(pipe: Pipe, column: Column, found: str) -> None:
    if widens(found, column.type):
        return
    raise ConfigError(
        f"pipes/{pipe.name}.yml",
        f"column '{column.name}' is {found} in {pipe.full_table_name} and "
        f"{column.type} in the contract, which does not hold each {found}",
        "Give the column its old type back, or a new name, and convert it in a model; "
        "or give the pipe a new name and a new table, which loads its files again.",
    )


def _add_replayed_from(session: Session, pipe: Pipe) -> None:
    """Give a table of an older Snowmelt the column, and replayed rows their origin."""
    table = all_rows(pipe)
    session.execute(f"alter table {table} add column _replayed_from bigint")
    session.execute(
        f"update {table} as arrived set _replayed_from = history.replay_of "
        "from snowmelt.load_history as history "
        "where history.load_seq = arrived._load_seq and history.replay_of is not null"
    )


def _require_same_table(session: Session, pipe: Pipe) -> None:
    before = session.value(
        "select table_schema_name || '.' || table_name from snowmelt.load_history "
        "where pipe_name = $1 and (table_name <> $2 or table_schema_name <> $3) "
        "and superseded_by is null and row_count > 0 limit 1",
        [pipe.name, pipe.table_name, pipe.schema_name],
    )
    if not before:
        return
    schema, _, table = before.rpartition(".")
    told = f"this pipe has loaded {before}; its files count as loaded there"
    if schema != pipe.schema_name:
        raise ConfigError(
            "snowmelt.yml: layers: bronze", told, f"Keep layers: {{bronze: {schema}}}."
        )
    raise ConfigError(
        f"pipes/{pipe.name}.yml: table",
        told,
        f"Keep table: {table}, or give the pipe a new name too.",
    )


def _ensure_view(session: Session, pipe: Pipe) -> None:
    """Make the view of live loads.

    `not in`, and not a correlated `not exists`: through that one the engine takes no
    bound of `_load_seq` down to the table's row groups. Over files, the loads that are
    superseded by now are named too: their files are not even opened.
    """
    table = _columns(session, pipe)
    names = ", ".join(
        f'"{name}"'
        for name in [*(n for n in table if n not in LOAD_COLUMNS), *LOAD_COLUMNS]
    )
    superseded = superseded_files(session, pipe) if pipe.external else []
    listed = ", ".join(map(str, superseded))
    unread = f" and _load_seq not in ({listed})" if superseded else ""
    session.execute(
        f"create or replace view {live_rows(pipe)} as "
        f"select {names} from {all_rows(pipe)} "
        "where _load_seq not in (select load_seq from snowmelt.load_history "
        f"where superseded_by is not null){unread}"
    )


def _columns(session: Session, pipe: Pipe) -> dict[str, str]:
    rows = session.rows(
        "select column_name, data_type from duckdb_columns() "
        "where schema_name = $1 and table_name = $2",
        [pipe.schema_name, f"{pipe.table_name}__all"],
    )
    return dict(sorted(rows, key=lambda row: (row[0] in LOAD_COLUMNS, 0)))


def _canonical(session: Session, type_name: str) -> str:
    return str(session.value(f"select typeof(null::{type_name})"))
