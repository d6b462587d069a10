"""What became of a load, and of one record of it: an account that adds up.

The records of a file are rows of bronze or rejects. In each silver model that reads the
table a row is there, refused by a rule, dropped by one, superseded with its load, or
an older version of its key; or the model has not read the load yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from snowmelt.trace.closure import all_rows_of, columns_of, listed
from snowmelt.trace.models import Models, name_of
from snowmelt.trace.origins import key_columns
from snowmelt.trace.silver import keys_of_record
from snowmelt.trace.truth import dropped_rows
from snowmelt.transform.graph import Node
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.warehouse.port import Session

_TALLY = """
    select sum(rows_read)::bigint, sum(rows_quarantined)::bigint,
        sum(rows_dropped)::bigint
    from snowmelt.row_tallies where model = $1 and load_seq = $2
"""


@dataclass(frozen=True)
class InSilver:
    """What one silver model has of a load's rows; together they are `rows`."""

    model: str
    rows: int
    there: int = 0
    quarantined: int = 0
    dropped: int = 0
    older: int = 0
    superseded: int = 0
    waiting: int = 0


def silver_models(models: Models, table: str) -> list[Node]:
    """Return the models that hold versions of a bronze table's rows."""
    return [
        node
        for node in models.graph.nodes.values()
        if node.materialized == "latest_version"
        and [each.key for each in models.tables_read(node)] == [table.lower()]
    ]


def account_of_load(
    session: Session, models: Models, load: dict[str, Any]
) -> list[dict[str, Any]]:
    """Return what each silver model made of a load's rows."""
    table = f"{load['table_schema_name']}.{load['table_name']}"
    return [
        asdict(_in_silver(session, node, load)) for node in silver_models(models, table)
    ]


def _in_silver(session: Session, node: Node, load: dict[str, Any]) -> InSilver:
    rows, load_seq = load["row_count"], load["load_seq"]
    if not columns_of(session, node.key):
        return InSilver(node.key, rows, waiting=rows)
    there = session.value(
        f"select count(*) from {name_of(node.key)} where _load_seq = $1",  # noqa: S608
        [load_seq],
    )
    ((read, quarantined, dropped),) = session.rows(_TALLY, [node.key, load_seq])
    if load["superseded_by"] is not None and not read:
        return InSilver(node.key, rows, superseded=rows)
    if read is None:
        return InSilver(node.key, rows, waiting=rows)
    return InSilver(
        node.key,
        rows,
        there=there,
        quarantined=quarantined,
        dropped=dropped,
        older=read - there - quarantined - dropped,
        waiting=rows - read,
    )


def fate_of_record(
    session: Session, models: Models, load: dict[str, Any], file_row: int
) -> list[dict[str, Any]]:
    """Return what became of one bronze row in each silver model."""
    table = f"{load['table_schema_name']}.{load['table_name']}"
    return [
        {"model": node.key} | _fate(session, models, node, load, file_row)
        for node in silver_models(models, table)
        if columns_of(session, node.key)
    ]


def _fate(
    session: Session, models: Models, node: Node, load: dict[str, Any], file_row: int
) -> dict[str, Any]:
    record = [load["load_seq"], file_row]
    keys = key_columns(session, models, node.key)
    found = session.rows(
        f"select {listed(keys)} from {name_of(node.key)} "  # noqa: S608
        "where _load_seq = $1 and _file_row = $2",
        record,
    )
    if found:
        return {"state": "there", "key": dict(zip(keys, found[0], strict=True))}
    refused = session.rows(
        f"select rule, rules, on_failure from {quarantine_table(node.key)} "  # noqa: S608
        "where _load_seq = $1 and _file_row = $2",
        record,
    )
    if refused:
        return {"state": "quarantined", "rule": refused[0][0], "rules": refused[0][1]}
    if load["superseded_by"] is not None:
        return {"state": "superseded", "by_load": load["superseded_by"]}
    return _lost(session, models, node, load, file_row)


def _lost(
    session: Session, models: Models, node: Node, load: dict[str, Any], file_row: int
) -> dict[str, Any]:
    """Say which version of its key counts instead of a row, if one does."""
    table = all_rows_of(f"{load['table_schema_name']}.{load['table_name']}")
    made = keys_of_record(
        models,
        node,
        f"(select * from {table} where _load_seq = {load['load_seq']} "  # noqa: S608
        f"and _file_row = {file_row})",
    )
    keys = list(node.unique_key)
    rows = session.rows(
        f"select {listed(keys, 'there.')}, there._file, there._file_row, "  # noqa: S608
        f"there._load_seq from {name_of(node.key)} as there join ({made}) as made "
        "on " + " and ".join(f'there."{each}" = made."{each}"' for each in keys)
        if keys
        else "select 1 where false"
    )
    if rows and session.rows(dropped_rows(node, made)):
        return {"state": "dropped"}
    if not rows:
        read = session.value(
            "select count(*) from snowmelt.row_tallies "
            "where model = $1 and load_seq = $2",
            [node.key, load["load_seq"]],
        )
        return {"state": "dropped" if read else "waiting"}
    *key, file, row, seq = rows[0]
    return {
        "state": "older",
        "key": dict(zip(keys, key, strict=True)),
        "newer": {"file_name": file, "file_row": row, "load_seq": seq},
    }
