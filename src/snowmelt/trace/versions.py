"""The other versions of a silver row's key: what came, and why it does not count.

Of each load it is known how many of its rows are in silver, in quarantine, or dropped.
Where these are all of them, no row of the load is another version of anything. So only
some loads are looked through: those that were superseded, or not read yet, or that have
rows that lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.trace.closure import all_rows_of, columns_of, equal, listed
from snowmelt.trace.models import Models, name_of
from snowmelt.trace.silver import keys_of_record
from snowmelt.trace.truth import DROPPED, dropped_rows
from snowmelt.transform.graph import Node
from snowmelt.transform.quarantine import quarantine_table
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import literal

SHOWN_MAX = 100
ROWS_MAX = 5_000_000
"""Loads that may have other versions are looked through, unless they have more rows."""
_LIKELY_MAX = 20
_KEYS = "temp.snowmelt_trace_keys"
_ORIGIN = "_file, _file_row, _load_seq, _version_at"
# A load that the model has read has a tally; none of its rows lost if all of them are
# in silver or in quarantine. The newest account of the model says at once whether any
# row lost at all.
_NONE_LOST = """
    select coalesce(arg_max(deduplicated_rows + dropped_rows, run_id), 1) = 0
    from snowmelt.reconciliation where model = $1
"""
_LOADS = """
    select loads.load_seq, loads.row_count - coalesce(gone.rows, 0) as rows
    from snowmelt.load_history as loads
    left join (
        select load_seq, sum(rows_deleted) as rows from snowmelt.vacuumed_loads
        group by load_seq
    ) as gone on gone.load_seq = loads.load_seq
    left join snowmelt.row_tallies as tally
        on tally.load_seq = loads.load_seq and tally.model = $1
    left join ({there}) as there on there._load_seq = loads.load_seq
    where loads.table_schema_name = $2 and loads.table_name = $3
        and loads.row_count > coalesce(gone.rows, 0)
        and (tally.model is null or loads.row_count
            is distinct from coalesce(there.rows, 0) + tally.rows_quarantined)
    order by loads.load_seq
"""


@dataclass(frozen=True)
class _Asked:
    """The keys that are asked about, in a table, and what their first values are."""

    session: Session
    models: Models
    node: Node
    rows: str

    @property
    def table(self) -> str:
        return self.models.tables_read(self.node)[0].key

    @property
    def keys(self) -> list[str]:
        return list(self.node.unique_key)


def versions_of(
    session: Session, models: Models, node: Node, rows: str, *, all_loads: bool = False
) -> dict[str, Any]:
    """Return every row that ever came for the keys of a silver model's rows.

    `rows` is a condition that holds of these rows of the model alone. Of each row that
    came `state` says what became of it: counts, older (the order of truth put another
    one first), superseded (with its load), quarantined, dropped by a rule, or waiting
    for a run. Rejects
    whose text has a key's value are no rows, and are listed beside them. What
    is dear to look through is left out, and that is said, unless `all_loads`.
    """
    asked = _Asked(session, models, node, rows)
    session.execute(
        f"create or replace temp table {_KEYS.removeprefix('temp.')} as "  # noqa: S608
        f"select distinct {listed(asked.keys)} from {name_of(node.key)} where {rows}"
    )
    loads = _loads_to_look_in(asked)
    to_read = sum(count for _, count in loads)
    told = None
    if to_read > ROWS_MAX and not all_loads:
        told = (
            f"{to_read:,} rows of {len(loads):,} loads would have to be looked "
            "through; --lines does"
        )
        loads = []
    found = session.table(_query(asked, [load for load, _ in loads]), [node.key])
    return {
        "not_looked_for": told,
        "rows": [dict(zip(found.columns, row, strict=True)) for row in found.rows],
        "rejects": _rejects_with(asked),
    }


def _loads_to_look_in(asked: _Asked) -> list[tuple[int, int]]:
    """Return the loads that can have rows that are nowhere else, with how many rows."""
    schema, table = asked.table.split(".", 1)
    relation = name_of(asked.node.key)
    there = f"select _load_seq, count(*) as rows from {relation} group by all"  # noqa: S608
    if asked.session.value(_NONE_LOST, [asked.node.key]):
        there = (
            "select load_seq as _load_seq, rows_read - rows_quarantined as rows "  # noqa: S608
            f"from snowmelt.row_tallies where model = {literal(asked.node.key)}"
        )
    return [
        (load, int(rows))
        for load, rows in asked.session.rows(
            _LOADS.format(there=there), [asked.node.key, schema, table]
        )
    ]


def _query(asked: _Asked, loads: Sequence[int]) -> str:
    """Return the rows that came, what is asked for of each, and what became of it."""
    silver, quarantine = name_of(asked.node.key), quarantine_table(asked.node.key)
    parts = [
        f"select {_ORIGIN} from {silver} where {asked.rows}",  # noqa: S608
        f"select {_ORIGIN} from ({_refused(asked)})",  # noqa: S608
    ]
    dropped = f"select {DROPPED} from {silver} where false"  # noqa: S608
    if loads:
        made = _looked_through(asked, loads)
        parts.append(f"select {_ORIGIN} from ({made})")  # noqa: S608
        dropped = dropped_rows(asked.node, made)
    return (
        "select came._file as file_name, came._file_row as file_row, "  # noqa: S608
        "came._load_seq as load_seq, came._version_at as version_at, "
        "case when there._load_seq is not null then 'counts' "
        "when load.superseded_by is not null then 'superseded' "
        "when refused._load_seq is not null then 'quarantined' "
        "when tally.model is null then 'waiting' "
        "when dropped._load_seq is not null then 'dropped' else 'older' end as state, "
        "load.superseded_by, refused.rule "
        f"from ({' union '.join(parts)}) as came "
        f"left join (select _load_seq, _file_row from {silver} where {asked.rows}) "
        "as there using (_load_seq, _file_row) "
        f"left join ({dropped}) as dropped using (_load_seq, _file_row) "
        "left join snowmelt.load_history as load on load.load_seq = came._load_seq "
        f"left join {quarantine} as refused "
        "on (refused._load_seq, refused._file_row) = (came._load_seq, came._file_row) "
        "left join snowmelt.row_tallies as tally "
        "on tally.load_seq = came._load_seq and tally.model = $1 "
        "order by (state = 'counts') desc, version_at desc, load_seq desc, "
        f"file_row desc limit {SHOWN_MAX}"
    )


def _looked_through(asked: _Asked, loads: Sequence[int]) -> str:
    """Return the rows of some loads that have one of the keys."""
    chosen = f"_load_seq in ({', '.join(map(str, loads))})"
    conditions = [chosen, *_likely_conditions(asked)]
    rows = (
        f"(select * from {all_rows_of(asked.table)} "  # noqa: S608
        f"where {' and '.join(conditions)})"
    )
    made = keys_of_record(asked.models, asked.node, rows)
    return (
        f"select made.* from ({made}) as made "  # noqa: S608
        f"semi join {_KEYS} as keys on {equal('made', 'keys', asked.keys)}"
    )


def _likely_conditions(asked: _Asked) -> list[str]:
    """Return what is known of every row of bronze that has one of the keys."""
    plan = asked.models.plan(asked.session, asked.node)
    conditions = []
    for key, likely in plan.likely.items():
        values = [
            value
            for (value,) in asked.session.rows(
                f'select distinct cast("{key}" as varchar) from {_KEYS} '  # noqa: S608
                f"limit {_LIKELY_MAX + 1}"
            )
        ]
        if values and len(values) <= _LIKELY_MAX and None not in values:
            each = [likely.condition(value) for value in values]
            if None not in each:
                conditions.append(f"({' or '.join(filter(None, each))})")
    return conditions


def _refused(asked: _Asked) -> str:
    """Return the rows in quarantine that have one of the keys."""
    kinds = {
        name.lower(): kind
        for name, kind in columns_of(asked.session, asked.node.key).items()
    }
    values = ", ".join(
        f"try_cast(refused_row ->> {literal(_path(key))} as {kinds[key.lower()]}) "
        f'as "{key}"'
        for key in asked.keys
    )
    return (
        f"select refused.* from (select {_ORIGIN}, {values} "  # noqa: S608
        f"from {quarantine_table(asked.node.key)}) as refused "
        f"semi join {_KEYS} as keys on {equal('refused', 'keys', asked.keys)}"
    )


def _path(key: str) -> str:
    return '$."' + key.replace('"', '\\"') + '"'


def _rejects_with(asked: _Asked) -> list[dict[str, Any]]:
    """Return open rejects in whose text the first column of the key stands."""
    schema, table = asked.table.split(".", 1)
    found = asked.session.table(
        "select rejects.load_seq, rejects.file_name, rejects.file_row, "  # noqa: S608
        "rejects.line, "
        "rejects.error from snowmelt.rejects as rejects "
        "join snowmelt.load_history as history using (load_seq) "
        "where history.table_schema_name = $1 and history.table_name = $2 "
        "and rejects.replayed_by is null "
        f"and exists (select 1 from {_KEYS} as keys where contains("
        "cast(rejected_record as varchar), "
        f"cast({listed(asked.keys[:1], 'keys.')} as varchar))) "
        f"order by all limit {SHOWN_MAX}",
        [schema, table],
    )
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
