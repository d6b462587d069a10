"""Writes what was read of an account: by key, so that twice is once.

Every function here writes inside a transaction that its caller opens, in which the
mark moves, too: stopped anywhere, what was read is written whole, or read again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from snowmelt.deploy.harvest.load_mapping import (
    LOAD_COLUMNS,
    WITH_ROWS,
    LoadFacts,
    RejectFacts,
)
from snowmelt.deploy.harvest.window import Mark, Source, Window
from snowmelt.warehouse.port import Session

_AT_ONCE = 5_000


def read_mark(session: Session, source: Source, of: str) -> Mark | None:
    """Return how far a function was read."""
    found = session.rows(
        "select through, again_from from account.marks "
        "where source = $1 and object = $2",
        [source.name, of],
    )
    return Mark(*found[0]) if found else None


def set_mark(
    session: Session, source: Source, of: str, mark: Mark, now: datetime
) -> None:
    """Note how far a function was read; that never goes back."""
    before = read_mark(session, source, of)
    through = max(mark.through, before.through) if before else mark.through
    session.execute(
        "delete from account.marks where source = $1 and object = $2",
        [source.name, of],
    )
    session.insert(
        "account.marks",
        {
            "source": [source.name],
            "object": [of],
            "through": [through],
            "again_from": [mark.again_from],
            "read_at": [now],
        },
    )


def note_gap(
    session: Session, at: tuple[Source, str], lost: Window, reason: str, now: datetime
) -> None:
    """Note that nobody can tell any more what happened in a stretch of time."""
    source, of = at
    known = session.value(
        "select count(*) from account.gaps where source = $1 and object = $2 "
        "and lost_from = $3 and lost_until = $4",
        [source.name, of, lost.start, lost.end],
    )
    if not known:
        row = [source.name, of, lost.start, lost.end, now, reason]
        insert_rows(session, "account.gaps", GAP_COLUMNS, [row])


GAP_COLUMNS = ("source", "object", "lost_from", "lost_until", "noted_at", "reason")


def write_loads(
    session: Session, loads: Sequence[LoadFacts]
) -> dict[tuple[str, str, datetime], int]:
    """Write copies; return the position of each that is new or that changed.

    Positions are given in the order of the copies, and stay: a copy that goes on, or
    is told again, keeps the one that it has.
    """
    if not loads:
        return {}
    known = _known(session, loads)
    new = [each for each in loads if each.key not in known]
    changed = [
        each for each in loads if each.key in known and known[each.key][1] != each
    ]
    new.sort(key=lambda each: (each.last_load_time, each.file_name))
    next_seq = 1 + int(
        session.value("select coalesce(max(load_seq), 0) from snowmelt.load_history")
    )
    places = {each.key: next_seq + at for at, each in enumerate(new)}
    places |= {each.key: known[each.key][0] for each in changed}
    for each in changed:
        session.execute(
            f"update snowmelt.load_history set {_ASSIGNED} where load_seq = $1",
            [places[each.key], *each.values],
        )
    rows = [[*each.values, places[each.key]] for each in new]
    insert_rows(session, "snowmelt.load_history", (*LOAD_COLUMNS, "load_seq"), rows)
    return places


_ASSIGNED = ", ".join(f"{name} = ${at}" for at, name in enumerate(LOAD_COLUMNS, 2))


def _known(
    session: Session, loads: Sequence[LoadFacts]
) -> dict[tuple[str, str, datetime], tuple[int, LoadFacts]]:
    tables = sorted({each.table_name for each in loads})
    oldest = min(each.pipe_received_time for each in loads)
    rows = session.rows(
        f"select load_seq, {', '.join(LOAD_COLUMNS)} "
        "from snowmelt.load_history where pipe_received_time >= $1 "
        "and table_name in (select unnest($2::json::varchar[]))",
        [oldest, tables],
    )
    found = [(seq, LoadFacts(*values)) for seq, *values in rows]
    return {each.key: (seq, each) for seq, each in found}


def mark_superseded(session: Session, pipe: str, files: Collection[str]) -> None:
    """Let the newest copy of each name count, and those before it be superseded."""
    session.execute(
        """
        with copies as (
            select load_seq, lead(load_seq) over (
                partition by file_name order by last_load_time, load_seq
            ) as later
            from snowmelt.load_history
            where pipe_name = $1 and status in (select unnest($3::json::varchar[]))
                and file_name in (select unnest($2::json::varchar[]))
        )

        update snowmelt.load_history as history
        set superseded_by = copies.later
        from copies
        where copies.load_seq = history.load_seq
            and history.superseded_by is distinct from copies.later
        """,
        [pipe, sorted(files), sorted(WITH_ROWS)],
    )


def write_rejects(
    session: Session, pipe: str, found: Iterable[tuple[int, RejectFacts, datetime]]
) -> None:
    """Write refused records, each with its load; those a load had go."""
    rows = list(found)
    if not rows:
        return
    session.execute(
        "delete from snowmelt.rejects where load_seq in "
        "(select unnest($1::json::bigint[]))",
        [sorted({seq for seq, _, _ in rows})],
    )
    own = [field.name for field in fields(RejectFacts)]
    insert_rows(
        session,
        "snowmelt.rejects",
        ("load_seq", "pipe_name", "timestamp", *own),
        [
            [seq, pipe, at, *(getattr(each, name) for name in own)]
            for seq, each, at in rows
        ],
    )


def replace_rows(
    session: Session, table: str, key: str, columns: Sequence[str], rows: Rows
) -> None:
    """Write rows instead of those that have the same key. Its column is the first."""
    for start in range(0, len(rows), _AT_ONCE):
        part = rows[start : start + _AT_ONCE]
        session.execute(
            f"delete from {table} where {key} in (select unnest($1::json::varchar[]))",
            [[row[0] for row in part]],
        )
        insert_rows(session, table, columns, part)


def replace_hours(
    session: Session, table: str, columns: Sequence[str], rows: Rows
) -> None:
    """Write what was billed, instead of what was told of the same hours before.

    The first columns are whose it is, and when it began.
    """
    name = columns[0]
    for of in sorted({row[0] for row in rows}):
        starts = [row[1].isoformat() for row in rows if row[0] == of]
        session.execute(
            f"delete from {table} where {name} = $1 and start_time in "
            "(select unnest($2::json::varchar[])::timestamptz)",
            [of, starts],
        )
    insert_rows(session, table, columns, rows)


Rows = Sequence[Sequence[Any]]


def insert_rows(
    session: Session, table: str, columns: Sequence[str], rows: Rows
) -> None:
    """Append rows."""
    if rows:
        listed = [list(values) for values in zip(*rows, strict=True)]
        session.insert(table, dict(zip(columns, listed, strict=True)))
