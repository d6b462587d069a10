"""Causes in what was expected and did not come: files, and the rest of a batch."""

from __future__ import annotations

import json
from shlex import quote

from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import Cause, Evidence, count_rows
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session

_NEWEST = """
    select pipe_name, state, due_at
    from snowmelt.pipe_events
    where event = 'freshness'
    qualify row_number() over (
        partition by pipe_name order by happened_at desc, due_at desc
    ) = 1
"""


def find_late(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return the pipes whose next file is overdue."""
    return _overdue(session, rule, around, ("late", "missing"))


def find_missing(
    session: Session, rule: Rule, around: Around, open_keys: frozenset[str]
) -> list[Cause]:
    """Return the pipes whose file is missing, and batches that are not complete."""
    missing = _overdue(session, rule, around, ("missing",))
    return [*missing, *_batches(session, rule, around)]


def show_late(session: Session, cause: Cause) -> list[Evidence]:
    """Return the newest file of the pipe."""
    rows = session.rows(
        "select file_name, last_load_time, row_count from snowmelt.load_history "
        "where pipe_name = $1 and row_count > 0 and replay_of is null "
        "order by load_seq desc limit 1",
        [cause.pipe],
    )
    return [
        Evidence(
            name,
            f"the newest file, loaded {at:%Y-%m-%d %H:%M:%S} UTC, {count_rows(count)}",
        )
        for name, at, count in rows
    ]


def _overdue(
    session: Session, rule: Rule, around: Around, states: tuple[str, ...]
) -> list[Cause]:
    causes = []
    for name, state, due_at in session.rows(_NEWEST):
        pipe = around.pipes.get(name)
        expected = pipe.expect if pipe else None
        if state not in states or not expected or not around.takes(rule, name):
            continue
        causes.append(
            Cause(
                key=name,
                summary=f"pipe {name}: a file was due by {due_at:%Y-%m-%d %H:%M:%S} "
                f"UTC ({expected}) and has not come",
                since=due_at,
                pipe=name,
                command=f"snowmelt history --pipe {name}",
                ended=f"pipe {name}: its files come again",
                about=due_at.isoformat(),
            )
        )
    return causes


def _batches(session: Session, rule: Rule, around: Around) -> list[Cause]:
    """Return batches past their deadline of which no file was loaded since."""
    rows = session.rows(
        "select pipe_name, due_at, happened_at, detail from snowmelt.pipe_events "
        "where event = 'batch' and state = 'late' and happened_at >= $1 "
        "order by happened_at desc limit $2",
        [around.now - rule.looks_back, LOOKED_AT_MAX],
    )
    causes: dict[str, Cause] = {}
    for pipe, due_at, at, detail in rows:
        batch = json.loads(detail)
        key = f"{pipe}: batch {batch['batch']}"
        first = next(iter(batch["files"]), None)
        if key in causes or first is None or not around.takes(rule, pipe):
            continue
        if not _is_loaded_since(session, first, at):
            causes[key] = Cause(
                key=key,
                summary=f"pipe {pipe}: batch {batch['batch']} is not complete: "
                f"{batch['missing']} is missing",
                since=due_at,
                pipe=pipe,
                command=f"snowmelt why {quote(first)}",
                ended=f"pipe {pipe}: batch {batch['batch']} is loaded",
                evidence=tuple(Evidence(f, "it waits") for f in batch["files"][:5]),
            )
    return list(causes.values())


def _is_loaded_since(session: Session, file_name: str, at: object) -> bool:
    rows = session.rows(
        "select last_load_time from snowmelt.load_history where file_name = $1",
        [file_name],
    )
    return any(loaded_at >= at for (loaded_at,) in rows)
