"""The columns of silver and gold in an account, as they were seen last.

They are kept in the file of the target: by them queries are planned here before they
are asked there, and masks know whose they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from snowmelt.deploy.harvest.ledger import insert_rows
from snowmelt.deploy.harvest.tables import get, put
from snowmelt.deploy.snowflake.session import Row
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

Columns = Mapping[str, Mapping[str, str]]
"""By the keys of tables (schema.name): columns and their types, in small letters."""
_SEEN = "columns_seen_of"
_KEPT = ("relation", "name", "type", "position")
_KINDS = {
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "STRING"), "VARCHAR"),
    **dict.fromkeys(("FLOAT", "REAL", "DOUBLE", "DECFLOAT"), "DOUBLE"),
    **dict.fromkeys(("TIMESTAMP_TZ", "TIMESTAMP_LTZ"), "TIMESTAMP WITH TIME ZONE"),
    **dict.fromkeys(("VARIANT", "OBJECT", "ARRAY", "MAP"), "JSON"),
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "BOOLEAN": "BOOLEAN",
    "BINARY": "BLOB",
    "DATE": "DATE",
    "TIME": "TIME",
}


def columns_seen(session: Session) -> Columns:
    """Return what was seen last."""
    found: dict[str, dict[str, str]] = {}
    for relation, name, kind in session.rows(
        "select relation, name, type from account.columns order by relation, position"
    ):
        found.setdefault(relation, {})[name] = kind
    return found


def seen_of(session: Session) -> str | None:
    """Return which publication it was that they were seen of."""
    return get(session, _SEEN)


def keep_columns(session: Session, rows: Iterable[Row], published: datetime) -> None:
    """Keep what an account tells, in place of what was seen before."""
    kept = [
        (
            f"{row['table_schema']}.{row['table_name']}".lower(),
            str(row["column_name"]).lower(),
            kind_here(row),
            int(row["ordinal_position"]),
        )
        for row in rows
    ]
    with session.transaction():
        session.execute("delete from account.columns")
        insert_rows(session, "account.columns", _KEPT, kept)
        put(session, _SEEN, published.isoformat())


def kind_here(row: Row) -> str:
    """Return the type here of a column there.

    https://docs.snowflake.com/en/sql-reference/info-schema/columns
    """
    kind = str(row["data_type"]).upper()
    if kind in ("NUMBER", "DECIMAL", "NUMERIC"):
        scale = int(row["numeric_scale"] or 0)
        precision = int(row["numeric_precision"] or 38)
        return f"DECIMAL({precision},{scale})" if scale else "BIGINT"
    return _KINDS.get(kind, "VARCHAR")


def make_empty(session: Session, seen: Columns, relations: Iterable[str]) -> None:
    """Make empty tables of these columns, to plan queries on."""
    for key in relations:
        schema, _, name = key.partition(".")
        columns = ", ".join(f"{identifier(n)} {kind}" for n, kind in seen[key].items())
        session.execute(f"create schema if not exists {identifier(schema)}")
        session.execute(
            f"create table {identifier(schema)}.{identifier(name)} ({columns})"
        )
