"""What happened, in the order of commits, from a position on.

Two records are read that only ever grow: load history by `load_seq`, which is taken
under the commit lock, and runs, of which one is under way at a time. A position names
the last of each that was seen, so nothing is lost between two questions or told twice,
whatever clocks do. It also has a mark of the load that it names: a warehouse that was
restored, or made anew, gives the same numbers to other loads, and says so.
"""

from __future__ import annotations

import heapq
import re
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.warehouse.plain import plain
from snowmelt.warehouse.port import Session

NOW = "now"
_POSITION = re.compile(r"(\d{1,15})(?:-([0-9a-f]{8}))?\.([0-9a-f-]{36})?")
_FAILED = "Load failed"
_MARK = "left(md5(concat_ws('|', file_name, epoch_us(last_load_time))), 8)"
"""What a load has that no load of another history with its number has."""
_LOADS = f"""
    select load_seq, {_MARK}, last_load_time, pipe_name, table_name, file_name, status,
        row_count, error_count, first_error_line_number, first_error_message
    from snowmelt.load_history where load_seq > $1 order by load_seq limit $2
"""  # noqa: S608 - texts of ours
_MARK_OF = f"select {_MARK} from snowmelt.load_history where load_seq = $1"  # noqa: S608
# Rows of runs stand in the order in which they began, and one is open at a time.
_RUNS = """
    with seen as (
        select max(rowid) as place from snowmelt.run_history where run_id = $1
    )

    select run_id, ended_at, state, reason, models, tests, error, read_through
    from snowmelt.run_history
    where state <> 'EXECUTING' and case
        when (select place from seen) is not null
            then rowid > (select place from seen)
        else run_id > coalesce($1, '')
    end
    order by rowid limit $2
"""
_LAST = """
    select
        (select coalesce(max(load_seq), 0) from snowmelt.load_history) as load_seq,
        (
            select arg_max(run_id, rowid) from snowmelt.run_history
            where state <> 'EXECUTING'
        )
"""


@dataclass(frozen=True)
class _Position:
    """The last load and the last run that were told."""

    load_seq: int = 0
    mark: str | None = None
    run_id: str | None = None

    def __str__(self) -> str:
        mark = f"-{self.mark}" if self.mark else ""
        return f"{self.load_seq}{mark}.{self.run_id or ''}"


def happenings_document(
    session: Session, after: str | None, kinds: list[str], pipe: str | None, limit: int
) -> Document:
    """Return what happened after a position, oldest first.

    Each has the `position` after it; `next` is the one after what was looked at.
    `more`: there is more already. `after` is a position, or `now`; without it, from the
    beginning. Raises UsageError for a position in a history that is gone.
    """
    if after == NOW:
        ((load_seq, run_id),) = session.rows(_LAST)
        mark = session.value(_MARK_OF, [load_seq])
        return _document([], _Position(load_seq, mark, run_id), more=False)
    position = _in_this_history(session, _read(after))
    loads = [_load(row) for row in session.rows(_LOADS, [position.load_seq, limit + 1])]
    runs = [_run(row) for row in session.rows(_RUNS, [position.run_id, limit + 1])]
    # Each row after its own kind, whatever its time: then a position is enough.
    merged = list(heapq.merge(loads, runs, key=itemgetter("at")))
    taken = merged[:limit]
    for each in taken:
        if "load_seq" in each:
            position = replace(
                position, load_seq=each["load_seq"], mark=each.pop("mark")
            )
        else:
            position = replace(position, run_id=each["run_id"])
        each["position"] = str(position)
    wanted = [
        each
        for each in taken
        if (not kinds or each["kind"] in kinds)
        and (pipe is None or each.get("pipe") in (None, pipe))
    ]
    return _document(wanted, position, more=len(merged) > limit)


def _document(found: list[Document], position: _Position, *, more: bool) -> Document:
    return {
        "schema_version": SCHEMA_VERSION,
        "happenings": found,
        "next": str(position),
        "more": more,
    }


def _read(after: str | None) -> _Position:
    """Return what a position names. Raises UsageError for what is none."""
    if after is None or after == "":
        return _Position()
    found = _POSITION.fullmatch(after)
    if found is None:
        raise UsageError(
            "after",
            f"'{after[:60]}' is no position",
            "Give back the `next` of an answer, or `now`.",
        )
    return _Position(int(found[1]), found[2], found[3])


def _in_this_history(session: Session, position: _Position) -> _Position:
    """Return a position with its mark, if the load that it names was made here.

    One that a version before marks gave out has none; it is only known to be wrong
    when there is no such load.
    """
    if not position.load_seq:
        return position
    mark = session.value(_MARK_OF, [position.load_seq])
    if mark is None or position.mark not in (None, mark):
        raise UsageError(
            "after",
            f"{position} is a position in a history that is gone: the warehouse was "
            "restored, or made anew, since it was given out",
            "Begin anew: without `after` at the beginning, or with `now`.",
        )
    return replace(position, mark=mark)


def _load(row: tuple[Any, ...]) -> Document:
    load_seq, mark, at, pipe, table, file, status, row_count, *of_errors = row
    error_count, line, message = of_errors
    failed = status == _FAILED
    document = {
        "id": f"load:{load_seq}",
        "kind": "load_failed" if failed else "loaded",
        "at": plain(at),
        "load_seq": load_seq,
        "mark": mark,
        "pipe": pipe,
        "table": table,
        "file": file,
        "status": status,
        "row_count": row_count,
        "error_count": error_count,
    }
    return document | ({"line": line, "problem": message} if failed else {})


def _run(row: tuple[Any, ...]) -> Document:
    run_id, at, state, reason, models, tests, error, read_through = row
    published = state == "SUCCEEDED"
    document = {
        "id": f"run:{run_id}",
        "kind": "published" if published else "run_failed",
        "at": plain(at),
        "run_id": run_id,
        "reason": reason,
        "models": models,
        "tests": tests,
        "read_through": read_through,
    }
    return document | ({} if published else {"problem": error})
