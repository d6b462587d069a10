"""The tables Snowmelt keeps for itself, in schema `snowmelt`: `tables.sql` makes them.

`load_history` has Snowflake's COPY_HISTORY columns first
(https://docs.snowflake.com/en/sql-reference/functions/copy_history), then ours.
Columns that a later version adds stand at the end. Views and functions under
Snowflake's names are in `views.py`, the way from an older file in `migration.py`.
"""

from __future__ import annotations

from pathlib import Path

from snowmelt import __version__
from snowmelt.clock import Clock, SystemClock
from snowmelt.errors import UnreachableError
from snowmelt.warehouse.duckdb.backup import backup, stamp, warehouse_file
from snowmelt.warehouse.duckdb.migration import SCHEMA_VERSION, migrate, statements
from snowmelt.warehouse.duckdb.views import ensure_views
from snowmelt.warehouse.port import Session, Warehouse

TABLES = Path(__file__).with_name("tables.sql")
"""What a new file is made of."""


def ensure_system_tables(warehouse: Warehouse, clock: Clock | None = None) -> None:
    """Make the system tables in a new file; bring an older file up to date.

    An older file is copied first, into `backups` beside it. Raises UnreachableError
    when the file was written by a newer schema version, EngineError when it cannot
    be copied: then nothing was changed.
    """
    with warehouse.session() as session:
        found = _schema_version(session)
        if found is None:
            _create(session)
        elif found > SCHEMA_VERSION:
            raise UnreachableError(
                "the warehouse",
                f"it was written by a newer snowmelt (schema version {found}, "
                f"this one knows {SCHEMA_VERSION})",
                "Upgrade snowmelt.",
            )
        elif found < SCHEMA_VERSION:
            _keep(warehouse, session, found, clock or SystemClock())
            with session.transaction():
                migrate(session, found)
        ensure_views(session)


def _create(session: Session) -> None:
    with session.transaction():
        for statement in statements(TABLES):
            session.execute(statement)
        session.insert(
            "snowmelt.meta",
            {
                "key": ["schema_version", "created_by"],
                "value": [str(SCHEMA_VERSION), f"snowmelt {__version__}"],
            },
        )


def _keep(warehouse: Warehouse, session: Session, found: int, clock: Clock) -> Path:
    """Copy the file before it is changed; return where to."""
    folder = warehouse_file(session).parent / "backups"
    target = folder / f"{stamp(clock)}-schema{found}"
    backup(warehouse, None, target, clock)
    return target


def _schema_version(session: Session) -> int | None:
    """Return the file's schema version; None of a file without system tables."""
    there = session.value(
        "select count(*) from duckdb_tables() "
        "where schema_name = 'snowmelt' and table_name = 'meta'"
    )
    if not there:
        return None
    return int(
        session.value("select value from snowmelt.meta where key = 'schema_version'")
    )
