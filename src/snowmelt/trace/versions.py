"""The other versions of a silver row's key: what came, and why it does not count."""

from __future__ import annotations

from typing import Any

from snowmelt.trace.closure import all_rows_of
from snowmelt.trace.models import Models, name_of
from snowmelt.trace.silver import keys_of_record
from snowmelt.transform.graph import Node
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

SHOWN_MAX = 100
ROWS_MAX = 5_000_000
"""A key is looked up among all rows that ever came, unless these are more."""


def versions_of(
    session: Session, models: Models, node: Node, condition: str
) -> dict[str, Any]:
    """Return every row that ever came for the keys of a silver model's rows.

    `condition` is about the model's columns. Of each row `state` says what became of
    it: counts, older (the order of truth put another one first), superseded (with its
    load), quarantined, or waiting for a run. Rejects whose text has a key's value are
    no rows, and are listed beside them.
    """
    table = all_rows_of(models.tables_read(node)[0].key)
    rows = session.value(f"select count(*) from {table}")  # noqa: S608
    if rows > ROWS_MAX:
        told = f"{rows:,} rows would have to be looked through"
        return {"not_looked_for": told, "rows": [], "rejects": []}
    keys = [identifier(each) for each in node.unique_key]
    columns = "_file, _file_row, _load_seq, _version_at"
    made = keys_of_record(models, node, table)
    found = session.table(
        f"select made._file as file_name, made._file_row as file_row, "  # noqa: S608
        "made._load_seq as load_seq, made._version_at as version_at, "
        "case when there._load_seq is not null then 'counts' "
        "when load.superseded_by is not null then 'superseded' "
        "when refused._load_seq is not null then 'quarantined' "
        "when tally.model is null then 'waiting' else 'older' end as state, "
        "load.superseded_by, refused.rule "
        f"from (select {columns} from ({made}) where {condition}) as made "
        f"left join (select {columns} from {name_of(node.key)} where {condition}) "
        "as there using (_load_seq, _file_row) "
        "left join snowmelt.load_history as load on load.load_seq = made._load_seq "
        f"left join {quarantine_table(node.key)} as refused "
        "on (refused._load_seq, refused._file_row) = (made._load_seq, made._file_row) "
        "left join snowmelt.row_tallies as tally "
        "on tally.load_seq = made._load_seq and tally.model = $1 "
        "order by (state = 'counts') desc, version_at desc, load_seq desc, "
        f"file_row desc limit {SHOWN_MAX}",
        [node.key],
    )
    return {
        "not_looked_for": None,
        "rows": [dict(zip(found.columns, row, strict=True)) for row in found.rows],
        "rejects": _rejects_with(session, node, table, condition) if keys else [],
    }


def _rejects_with(
    session: Session, node: Node, table: str, condition: str
) -> list[dict[str, Any]]:
    """Return open rejects in whose text the first column of the key stands."""
    bronze = table.rpartition(".")[2].strip('"').removesuffix("__all")
    key = identifier(node.unique_key[0])
    has_key = (
        f"select 1 from {name_of(node.key)} where {condition} "  # noqa: S608
        f"and contains(cast(rejected_record as varchar), cast({key} as varchar))"
    )
    found = session.table(
        "select rejects.load_seq, rejects.file_name, rejects.file_row, "  # noqa: S608
        "rejects.line, "
        "rejects.error from snowmelt.rejects as rejects "
        "join snowmelt.load_history as history using (load_seq) "
        "where history.table_name = $1 and rejects.replayed_by is null "
        f"and exists ({has_key}) "
        f"order by all limit {SHOWN_MAX}",
        [bronze],
    )
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
