"""Records that were refused at copy: kept exactly, listed, counted, grouped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from snowmelt.bronze.raw import Reject
from snowmelt.pipe.history import LoadRecord
from snowmelt.warehouse.port import Row, Session

# Open: not replayed, and of a load whose rows count. A failed load's rejects are
# evidence, not an account: its file is.
OPEN = """
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.replayed_by is null
      and history.superseded_by is null
      and history.status = 'Partially loaded'
"""


# Listed: the open ones, and the evidence of the newest load of a file, if it failed.
# Which loads those are is asked by itself: beside an `or`, a `not exists` would be
# asked of every record, with all of load history as its other side.
LISTED = """
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.replayed_by is null
      and history.superseded_by is null
      and (
          history.status = 'Partially loaded'
          or rejects.load_seq in (
              select failed.load_seq
              from snowmelt.load_history as failed
              where failed.status in ('Load failed', 'Load skipped')
                and failed.superseded_by is null
                and not exists (
                    select 1 from snowmelt.load_history as later
                    where later.file_name = failed.file_name
                      and later.load_seq > failed.load_seq
                )
          )
      )
"""

# What is wrong without the values that are: one text for every record of a kind.
REASON = r"""
    regexp_replace(
        regexp_replace(rejects.error, '''[^'']*''', '''…''', 'g'),
        '(^|[^-0-9])\d+', '\1#', 'g'  -- not the 8 of UTF-8
    )
"""


@dataclass(frozen=True)
class RejectFilter:
    """Which rejects are meant; nothing said means all.

    `reason` is any part of the error, in any case, or the whole of a group's reason.
    `since` and `until` are about when the record was refused.
    """

    pipe_name: str | None = None
    file_name: str | None = None
    reason: str | None = None
    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def condition(self) -> tuple[str, list[object]]:
        """Return conditions that follow OPEN or LISTED, and their parameters."""
        at = "coalesce(rejects.timestamp, history.last_load_time)"
        conditions: list[tuple[str, object]] = [
            ("rejects.pipe_name = ?", self.pipe_name),
            ("rejects.file_name = ?", self.file_name),
            (
                f"(contains(lower(rejects.error), lower(?)) or {REASON} = ?)",
                self.reason,
            ),
            ("lower(rejects.category) = lower(?)", self.category),
            (f"{at} >= ?", self.since),
            (f"{at} < ?", self.until),
        ]
        text, parameters = "", []
        for condition, value in conditions:
            if value is not None:
                text += f" and {condition}"
                parameters += [value] * condition.count("?")
        return text, parameters


def group_rejects(session: Session, chosen: RejectFilter) -> list[Row]:
    """Return (pipe, category, column, reason, count, first, newest), most first.

    The first and the newest are written file:line.
    """
    where, parameters = chosen.condition()
    place = "rejects.file_name || ':' || rejects.line"
    order = "order by rejects.load_seq, rejects.file_row"
    return session.rows(
        f"""
        select rejects.pipe_name, rejects.category, rejects.column_name,
               {REASON} as reason, count(*) as records,
               first({place} {order}), last({place} {order})
        {LISTED} {where}
        group by all
        order by records desc, rejects.pipe_name, reason
        """,
        parameters,
    )


EXPORTED = (
    *("load_seq", "file_row", "pipe_name", "file_name", "line", "column_name"),
    *("category", "error", "rejected_record"),
)


def open_rejects(
    session: Session, chosen: RejectFilter, *, after: tuple[int, int], limit: int
) -> list[Row]:
    """Return open rejects with EXPORTED's columns, behind a load and a record of it."""
    where, parameters = chosen.condition()
    columns = ", ".join(f"rejects.{name}" for name in EXPORTED)
    return session.rows(
        f"select {columns} {OPEN} {where} "
        "and (rejects.load_seq > ? or (rejects.load_seq = ? and rejects.file_row > ?)) "
        "order by rejects.load_seq, rejects.file_row limit ?",
        [*parameters, after[0], *after, limit],
    )


def insert_rejects(
    session: Session, load: LoadRecord, rejects: Sequence[Reject]
) -> None:
    """Store refused records; part of the load's transaction."""
    count = len(rejects)
    session.insert(
        "snowmelt.rejects",
        {
            "load_seq": [load.load_seq] * count,
            "pipe_name": [load.pipe_name] * count,
            "file_name": [load.file_name] * count,
            "file_row": [reject.file_row for reject in rejects],
            "row_start_line": [reject.line for reject in rejects],
            "line": [reject.line for reject in rejects],
            "byte_offset": [reject.byte_offset for reject in rejects],
            "column_name": [reject.errors[0].column_name for reject in rejects],
            "category": [reject.errors[0].category for reject in rejects],
            "error": [reject.errors[0].error for reject in rejects],
            "errors": [
                json.dumps([asdict(error) for error in reject.errors])
                for reject in rejects
            ],
            "rejected_record": [reject.raw for reject in rejects],
            "timestamp": [load.last_load_time] * count,
        },
    )
