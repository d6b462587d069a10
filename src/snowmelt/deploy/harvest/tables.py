"""Tables that only the file of a target has, beside the system tables of every file."""

from __future__ import annotations

from snowmelt.errors import UnreachableError
from snowmelt.warehouse.port import Session

VERSION = 1
_TABLES = (
    "create schema if not exists account",
    # how far a function was read, of one object
    """
    create table if not exists account.marks (
        source varchar not null,
        object varchar not null,
        through timestamptz not null,
        again_from timestamptz,
        read_at timestamptz not null
    )
    """,
    # what an account had forgotten before it was read
    """
    create table if not exists account.gaps (
        source varchar not null,
        object varchar not null,
        lost_from timestamptz not null,
        lost_until timestamptz not null,
        noted_at timestamptz not null,
        reason varchar not null
    )
    """,
    # what could not be read the last time it was asked for
    """
    create table if not exists account.problems (
        source varchar not null,
        object varchar not null,
        statement varchar not null,
        problem varchar not null,
        remedy varchar not null,
        noted_at timestamptz not null
    )
    """,
    """
    create table if not exists account.streams (
        name varchar not null,
        table_name varchar not null,
        mode varchar not null,
        stale boolean not null,
        stale_after timestamptz,
        invalid_reason varchar,
        has_data boolean
    )
    """,
    """
    create table if not exists account.tasks (
        name varchar not null,
        path varchar not null,
        state varchar not null,
        schedule varchar,
        condition varchar,
        last_suspended_on timestamptz,
        last_suspended_reason varchar
    )
    """,
    """
    create table if not exists account.queries (
        query_id varchar not null,
        node varchar,
        query_type varchar not null,
        query_tag varchar not null,
        user_name varchar not null,
        warehouse_name varchar not null,
        warehouse_size varchar not null,
        started_at timestamptz not null,
        ended_at timestamptz,
        execution_seconds double not null,
        queued_seconds double not null,
        bytes_scanned bigint not null,
        credits_cloud_services double not null
    )
    """,
    # the same summed up: how long statements of a node ran, hour by hour
    """
    create table if not exists account.uses (
        warehouse_name varchar not null,
        node varchar,
        hour timestamptz not null,
        seconds double not null,
        statements bigint not null,
        bytes_scanned bigint not null
    )
    """,
    """
    create table if not exists account.pipe_usage (
        pipe_name varchar not null,
        start_time timestamptz not null,
        end_time timestamptz not null,
        credits_used double not null,
        bytes_inserted bigint not null,
        files_inserted bigint not null,
        bytes_billed bigint not null
    )
    """,
    """
    create table if not exists account.metering (
        warehouse_name varchar not null,
        start_time timestamptz not null,
        end_time timestamptz not null,
        credits_used double not null,
        credits_used_compute double not null,
        credits_used_cloud_services double not null
    )
    """,
    # what models made there: by it queries are planned here
    """
    create table if not exists account.columns (
        relation varchar not null,
        name varchar not null,
        type varchar not null,
        position integer not null
    )
    """,
    # what dbt calls a run, by what it is called here
    """
    create table if not exists account.run_names (
        told varchar not null,
        run_id varchar not null
    )
    """,
    "create table if not exists account.meta (key varchar not null, value varchar)",
)


def ensure_account_tables(session: Session) -> None:
    """Make the tables in a new file; what a later version adds is added.

    Raises UnreachableError when a newer snowmelt wrote them.
    """
    with session.transaction():
        for statement in _TABLES:
            session.execute(statement)
        found = get(session, "version")
        if found is None:
            put(session, "version", str(VERSION))
        elif int(found) > VERSION:
            raise UnreachableError(
                "the file of a target",
                f"it was written by a newer snowmelt (version {found}, this one knows "
                f"{VERSION})",
                "Upgrade snowmelt.",
            )


def put(session: Session, key: str, value: str | None) -> None:
    """Remember one value by its name; None forgets it."""
    session.execute("delete from account.meta where key = $1", [key])
    if value is not None:
        session.insert("account.meta", {"key": [key], "value": [value]})


def get(session: Session, key: str) -> str | None:
    """Return a value that was remembered."""
    found = session.rows("select value from account.meta where key = $1", [key])
    return str(found[0][0]) if found else None
