"""What happened, in the order of commits, from a position on.

Two records are read that only ever grow: load history by `load_seq`, which is taken
under the commit lock, and runs, of which one is under way at a time. A position names
the last of each that was seen, so nothing is lost between two questions or told twice,
whatever clocks do.
"""

from __future__ import annotations

import heapq
import re
from operator import itemgetter
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.warehouse.plain import plain
from snowmelt.warehouse.port import Session

NOW = "now"
_POSITION = re.compile(r"(\d{1,15})\.([0-9a-f-]{36})?")
_FAILED = "Load failed"
_LOADS = """
    select load_seq, last_load_time, pipe_name, table_name, file_name, status,
        row_count, error_count, first_error_line_number, first_error_message
    from snowmelt.load_history where load_seq > $1 order by load_seq limit $2
"""
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
        (select coalesce(max(load_seq), 0) from snowmelt.load_history),
        (
            select arg_max(run_id, rowid) from snowmelt.run_history
            where state <> 'EXECUTING'
        )
"""


def happenings_document(
    session: Session, after: str | None, kinds: list[str], pipe: str | None, limit: int
) -> Document:
    """Return what happened after a position, oldest first.

    Each has the `position` after it; `next` is the one after what was looked at.
    `more`: there is more already. `after` is a position, or `now`; without it, from the
    beginning.
    """
    if after == NOW:
        ((load_seq, run_id),) = session.rows(_LAST)
        return _document([], (load_seq, run_id), more=False)
    load_seq, run_id = _read(after)
    loads = [_load(row) for row in session.rows(_LOADS, [load_seq, limit + 1])]
    runs = [_run(row) for row in session.rows(_RUNS, [run_id, limit + 1])]
    # Each row after its own kind, whatever its time: then a position is enough.
    merged = list(heapq.merge(loads, runs, key=itemgetter("at")))
    taken = merged[:limit]
    for each in taken:
        if "load_seq" in each:
            load_seq = each["load_seq"]
        else:
            run_id = each["run_id"]
        each["position"] = _position(load_seq, run_id)
    wanted = [
        each
        for each in taken
        if (not kinds or each["kind"] in kinds)
        and (pipe is None or each.get("pipe") in (None, pipe))
    ]
    return _document(wanted, (load_seq, run_id), more=len(merged) > limit)


def _document(
    found: list[Document], position: tuple[int, str | None], *, more: bool
) -> Document:
    return {
        "schema_version": SCHEMA_VERSION,
        "happenings": found,
        "next": _position(*position),
        "more": more,
    }


def _position(load_seq: int, run_id: str | None) -> str:
    return f"{load_seq}.{run_id or ''}"


def _read(after: str | None) -> tuple[int, str | None]:
    """Return what a position names. Raises UsageError for what is none."""
    if after is None or after == "":
        return 0, None
    found = _POSITION.fullmatch(after)
    if found is None:
        raise UsageError(
            "after",
            f"'{after[:60]}' is no position",
            "Give back the `next` of an answer, or `now`.",
        )
    return int(found[1]), found[2]


def _load(row: tuple[Any, ...]) -> Document:
    load_seq, at, pipe, table, file, status, row_count, error_count = row[:8]
    line, message = row[8:]
    failed = status == _FAILED
    document = {
        "id": f"load:{load_seq}",
        "kind": "load_failed" if failed else "loaded",
        "at": plain(at),
        "load_seq": load_seq,
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
