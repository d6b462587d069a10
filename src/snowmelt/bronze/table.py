"""Bronze tables: every row ever loaded, and the view of those that count."""

from __future__ import annotations

from snowmelt.errors import ConfigError
from snowmelt.pipe.definition import Pipe
from snowmelt.warehouse.port import Session

LOAD_COLUMNS = {
    "_file": "varchar",
    "_file_row": "bigint",
    "_load_seq": "bigint",
    "_version_at": "timestamptz",
    "_loaded_at": "timestamptz",
}


def all_rows(pipe: Pipe) -> str:
    """Return the name of the append-only table with every row ever loaded."""
    return f'bronze."{pipe.table_name}__all"'


def ensure_table(session: Session, pipe: Pipe) -> None:
    """Make a pipe's table and view, or add the columns its contract gained.

    A table without rows is made anew. Raises ConfigError when rows are there and a
    column's type changed, or the pipe wrote another table before.
    """
    _require_same_table(session, pipe)
    wanted = {column.name: column.type for column in pipe.contract.columns}
    there = _columns(session, f"{pipe.table_name}__all")
    if there and not session.value(f"select count(*) from {all_rows(pipe)}"):
        session.execute(f'drop view if exists bronze."{pipe.table_name}"')
        session.execute(f"drop table {all_rows(pipe)}")
        there = {}
    if not there:
        columns = ", ".join(
            f'"{name}" {kind}' for name, kind in (wanted | LOAD_COLUMNS).items()
        )
        session.execute(f"create table {all_rows(pipe)} ({columns})")
    for name, kind in wanted.items():
        if there and name not in there:
            session.execute(f'alter table {all_rows(pipe)} add column "{name}" {kind}')
        elif there and _canonical(session, kind) != there[name]:
            raise ConfigError(
                f"pipes/{pipe.name}.yml",
                f"column '{name}' is {there[name].lower()} in bronze.{pipe.table_name} "
                f"and {kind} in the contract",
                "Give the column its old type back, or a new name.",
            )
    _ensure_view(session, pipe)


def _require_same_table(session: Session, pipe: Pipe) -> None:
    before = session.value(
        "select table_name from snowmelt.load_history where pipe_name = $1 "
        "and table_name <> $2 and superseded_by is null and row_count > 0 limit 1",
        [pipe.name, pipe.table_name],
    )
    if before:
        raise ConfigError(
            f"pipes/{pipe.name}.yml: table",
            f"this pipe has loaded bronze.{before}; its files count as loaded there",
            f"Keep table: {before}, or give the pipe a new name too.",
        )


def _ensure_view(session: Session, pipe: Pipe) -> None:
    """Make the view of live loads unless it shows the table's columns already."""
    table = _columns(session, f"{pipe.table_name}__all")
    if _columns(session, pipe.table_name) == table:
        return
    names = ", ".join(
        f'arrived."{name}"'
        for name in [*(n for n in table if n not in LOAD_COLUMNS), *LOAD_COLUMNS]
    )
    session.execute(
        f'create or replace view bronze."{pipe.table_name}" as '
        f"select {names} from {all_rows(pipe)} as arrived "
        "where not exists (select 1 from snowmelt.load_history as history "
        "where history.superseded_by is not null "
        "and history.load_seq = arrived._load_seq)"
    )


def _columns(session: Session, relation: str) -> dict[str, str]:
    rows = session.rows(
        "select column_name, data_type from duckdb_columns() "
        "where schema_name = 'bronze' and table_name = $1",
        [relation],
    )
    return dict(sorted(rows, key=lambda row: (row[0] in LOAD_COLUMNS, 0)))


def _canonical(session: Session, type_name: str) -> str:
    return str(session.value(f"select typeof(null::{type_name})"))
