"""What nobody counts any more: superseded rows, and records refused or mended.

Bronze is append-only for whoever reads it; here, and only here, rows leave it: those of
loads that a later one superseded, once no reader of changes needs them. Their records
in load history stay for ever, so that what a file is compared with stays the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from snowmelt.pipe.external import forget_kept
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

# When a load's rows stopped to count: with the later one of the two commits, since a
# snapshot that comes after a newer one is superseded as it is loaded.
SUPERSEDED = """
    select
        gone.load_seq,
        gone.superseded_by,
        gone.table_schema_name as schema_name,
        gone.table_name,
        gone.table_schema_name || '.' || gone.table_name as relation,
        gone.row_count,
        case when gone.replay_of is null
            then coalesce(gone.bytes_read, gone.file_size) else 0 end as file_bytes,
        greatest(gone.last_load_time, later.last_load_time) as superseded_at
    from snowmelt.load_history as gone
    join snowmelt.load_history as later on later.load_seq = gone.superseded_by
    where gone.superseded_by is not null
        and gone.row_count > 0
        and gone.load_seq not in (select load_seq from snowmelt.vacuumed_loads)
"""
# Replayed, or of a load that is superseded, or the evidence of a failure that is not
# the newest of its file: what `rejects` does not list. Each with the time since when.
UNLISTED_REJECTS = """
    select rejects.rowid as reject, coalesce(
        rejects.replayed_at,
        (select any_value(last_load_time) from snowmelt.load_history
            where load_seq = rejects.replayed_by),
        case when later.load_seq is not null
            then greatest(history.last_load_time, later.last_load_time) end,
        tried_again.first_time
    ) as unlisted_at
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history on history.load_seq = rejects.load_seq
    left join snowmelt.load_history as later on later.load_seq = history.superseded_by
    left join (
        select failed.load_seq, min(newer.last_load_time) as first_time
        from snowmelt.load_history as failed
        join snowmelt.load_history as newer
            on newer.file_name = failed.file_name and newer.load_seq > failed.load_seq
        where failed.status = 'Load failed'
            and failed.load_seq in (select load_seq from snowmelt.rejects)
        group by failed.load_seq
    ) as tried_again on tried_again.load_seq = history.load_seq
"""


@dataclass(frozen=True)
class OldLoad:
    """A load whose rows can go, `rows` of them."""

    load_seq: int
    schema_name: str
    table_name: str
    rows: int

    @property
    def relation(self) -> str:
        return f"{self.schema_name}.{self.table_name}"


@dataclass(frozen=True)
class Deleted:
    """What left bronze: rows, the loads that are done with, links to files of them."""

    rows: int
    loads: tuple[int, ...]
    links: tuple[str, ...] = ()


def delete_loads(
    session: Session, loads: Sequence[OldLoad], rows_max: int, now: datetime
) -> Deleted:
    """Delete rows of loads of one table, at most so many; in the caller's transaction.

    Loads are taken in their order, as they lie in the table. Of one that is larger
    than the limit a part goes, and the rest another time. The view of an external
    pipe has to be made anew by the caller.
    """
    first = loads[0]
    chosen, rows = [first], first.rows
    for load in loads[1:]:
        if rows + load.rows > rows_max:
            break
        chosen.append(load)
        rows += load.rows
    seqs = tuple(load.load_seq for load in chosen)
    kind = _kind(session, first)
    links: tuple[str, ...] = ()
    if kind == "table":
        rows = _delete_rows(session, first, seqs, rows_max)
        if rows == rows_max and first.rows > rows_max:
            return Deleted(rows, ())
    elif kind == "view":
        links = forget_kept(session, seqs)
    session.insert(
        "snowmelt.vacuumed_loads",
        {
            "load_seq": list(seqs),
            "table_name": [load.relation for load in chosen],
            "rows_deleted": [load.rows for load in chosen],
            "vacuumed_at": [now] * len(seqs),
        },
    )
    return Deleted(rows, seqs, links)


def _kind(session: Session, load: OldLoad) -> str:
    """Is bronze a table, a view of files, or gone?"""
    found: str | None = session.value(
        "select case table_type when 'VIEW' then 'view' else 'table' end "
        "from information_schema.tables "
        "where table_schema = $1 and table_name = $2",
        [load.schema_name, f"{load.table_name}__all"],
    )
    return found or ""


def _delete_rows(
    session: Session, load: OldLoad, seqs: Sequence[int], rows_max: int
) -> int:
    """Delete the rows of loads, found by the positions between which they lie."""
    table = f"{identifier(load.schema_name)}.{identifier(load.table_name + '__all')}"
    listed = ", ".join(map(str, seqs))
    lie = f"_load_seq between {seqs[0]} and {seqs[-1]} and _load_seq in ({listed})"
    if load.rows > rows_max:
        lie = f"rowid in (select rowid from {table} where {lie} limit {rows_max})"
    return int(session.value(f"delete from {table} where {lie}"))


def delete_rejects(session: Session, before: datetime, rows_max: int) -> int:
    """Delete refused records that were listed last before then, at most so many."""
    return int(
        session.value(
            "delete from snowmelt.rejects where rowid in "
            f"(select reject from ({UNLISTED_REJECTS}) "
            "where unlisted_at < $1 limit $2)",
            [before, rows_max],
        )
    )
