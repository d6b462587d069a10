"""Rows that row rules refused: where they are kept, listed, counted.

A row is open until a corrected one is loaded in its place: that one knows by
`_replayed_from` and `_file_row` which it was. The refused row stays in bronze as it
came, and in quarantine, as `replayed`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import identifier, literal

COLUMNS = (
    *("model", "pipe_table", "rule", "rules", "state", "file_name", "file_row"),
    *("load_seq", "version_at", "refused_row"),
)
OPEN = "open"
_QUARANTINES = r"""
    select distinct consumer, source
    from snowmelt.stream_offsets
    where source not in (select relation from snowmelt.change_logs)
        and regexp_replace(consumer, '\.', '__') in (
            select table_name from duckdb_tables() where schema_name = 'quarantine'
        )
    order by consumer
"""


def quarantine_table(relation: str) -> str:
    """Return the name of the quarantine of a relation (schema.name)."""
    schema, name = relation.split(".", 1)
    return f'quarantine."{schema}__{name}"'


@dataclass(frozen=True)
class Quarantine:
    """What a model refused: the model's key, and that of the table it reads."""

    model: str
    source: str

    @property
    def table(self) -> str:
        """Return the bronze table's own name."""
        return self.source.split(".", 1)[1]

    def query(self) -> str:
        """Return SQL of its rows, with COLUMNS."""
        read = ".".join(map(identifier, self.source.split(".", 1)))
        return (
            f"select {literal(self.model)} as model, "  # noqa: S608 - names of ours
            f"{literal(self.table)} as pipe_table, rule, rules, "
            f"case when (_load_seq, _file_row) in (select (_replayed_from, _file_row) "
            f"from {read} where _replayed_from is not null) "
            "then 'replayed' else 'open' end as state, _file as file_name, "
            "_file_row as file_row, _load_seq as load_seq, _version_at as version_at, "
            f"refused_row from {quarantine_table(self.model)}"
        )


def quarantines(session: Session) -> list[Quarantine]:
    """Return the quarantine of each model that has one."""
    return [Quarantine(*row) for row in session.rows(_QUARANTINES)]


def refused_rows(
    session: Session,
    chosen: Sequence[Quarantine],
    *,
    rule: str | None = None,
    only_open: bool = False,
    limit: int | None = None,
) -> list[Row]:
    """Return refused rows with COLUMNS, open ones first, by load and record."""
    where = "where ($1 is null or list_contains(rules, $1)) and ($2 or state = 'open')"
    return session.rows(
        f"select * from ({_all_of(chosen)}) {where} "  # noqa: S608
        "order by state, model, load_seq, file_row limit $3",
        [rule, not only_open, limit],
    )


def count_refused(
    session: Session, chosen: Sequence[Quarantine], rule: str | None = None
) -> dict[str, int]:
    """Return how many rows are open and how many are replayed."""
    rows = session.rows(
        f"select state, count(*) from ({_all_of(chosen)}) "  # noqa: S608
        "where $1 is null or list_contains(rules, $1) group by state",
        [rule],
    )
    return {OPEN: 0, "replayed": 0} | dict(rows)


def group_refused(
    session: Session, chosen: Sequence[Quarantine], rule: str | None = None
) -> list[Row]:
    """Return (model, rule, count, first, newest, example) of open rows, most first.

    By the rule that decided. The first and the newest are written file#record.
    """
    place = "file_name || '#' || file_row"
    order = "order by load_seq, file_row"
    return session.rows(
        f"select model, rule, count(*) as found, first({place} {order}), "  # noqa: S608
        f"last({place} {order}), first(refused_row {order}) "
        f"from ({_all_of(chosen)}) "
        "where state = 'open' and ($1 is null or list_contains(rules, $1)) "
        "group by model, rule order by found desc, model, rule",
        [rule],
    )


def _all_of(chosen: Sequence[Quarantine]) -> str:
    if chosen:
        return " union all ".join(each.query() for each in chosen)
    nothing = ", ".join(
        f"cast(null as {'varchar[]' if name == 'rules' else 'varchar'}) as {name}"
        for name in COLUMNS
    )
    return f"select {nothing} where false"
