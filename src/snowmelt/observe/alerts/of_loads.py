"""Causes in load history: files that failed, had records refused, wait, are odd."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection
from shlex import quote
from statistics import median
from typing import Any, NamedTuple

from snowmelt.gold.volume import RECENT_LOADS, is_unusual
from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import EVIDENCE_MAX, Cause, Evidence, count_rows
from snowmelt.observe.alerts.rules import Rule, exceeds
from snowmelt.pipe.history import in_parts, one_of
from snowmelt.warehouse.port import Row, Session

_COLUMNS = (
    "load_seq, file_name, pipe_name, status, last_load_time, row_parsed, error_count, "
    "first_error_message, first_error_line_number, first_error_column_name, "
    "superseded_by, replay_of"
)
_RECENT = f"""
    select {_COLUMNS}
    from snowmelt.load_history
    where last_load_time >= $1 and status = $2
        and superseded_by is null and replay_of is null and error_count >= $3
    order by load_seq desc
    limit {LOOKED_AT_MAX}
"""  # noqa: S608 - columns of ours


class _Load(NamedTuple):
    load_seq: int
    file_name: str
    pipe_name: str
    status: str
    at: Any
    row_parsed: int
    error_count: int
    message: str | None
    line: int | None
    column: str | None
    superseded_by: int | None
    replay_of: int | None

    @property
    def place(self) -> str:
        return self.file_name + (f":{self.line}" if self.line else "")


def find_failed(
    session: Session, rule: Rule, around: Around, open_keys: frozenset[str]
) -> list[Cause]:
    """Return the files whose newest load failed."""
    since = around.now - rule.looks_back
    recent = session.rows(_RECENT, [since, "Load failed", 0])
    names = {_Load(*row).file_name for row in recent} | open_keys
    return [
        Cause(
            key=load.file_name,
            summary=f"{load.file_name} could not be loaded",
            since=load.at,
            pipe=load.pipe_name,
            command=f"snowmelt why {quote(load.file_name)}",
            ended=f"{load.file_name}: its newest load did not fail",
            evidence=(Evidence(load.place, load.message or "it failed", load.column),),
        )
        for load in _newest(session, names)
        if load.status == "Load failed" and around.takes(rule, load.pipe_name)
    ]


def find_rejected(
    session: Session, rule: Rule, around: Around, open_keys: frozenset[str]
) -> list[Cause]:
    """Return the files of whose records more were refused than the rule allows."""
    since = around.now - rule.looks_back
    loads = [_Load(*row) for row in session.rows(_RECENT, [since, _PARTIAL, 1])]
    known = {load.file_name for load in loads}
    loads += [
        load
        for load in _newest(session, open_keys - known)
        if load.status == _PARTIAL and load.superseded_by is None
    ]
    chosen = [
        load
        for load in loads
        if around.takes(rule, load.pipe_name)
        and exceeds(rule.more_than, load.error_count, load.row_parsed)
    ]
    left = _open_rejects(session, [load.load_seq for load in chosen])
    return [
        Cause(
            key=load.file_name,
            summary=f"{load.file_name}: {left[load.load_seq]:,} of "
            f"{load.row_parsed:,} records refused",
            since=load.at,
            pipe=load.pipe_name,
            command=f"snowmelt rejects --file {quote(load.file_name)}",
            ended=f"{load.file_name}: its refused records are no more than they may be",
            about=load.load_seq,
        )
        for load in chosen
        if exceeds(rule.more_than, left.get(load.load_seq, 0), load.row_parsed)
    ]


_PARTIAL = "Partially loaded"


def show_rejected(session: Session, cause: Cause) -> list[Evidence]:
    """Return the first records that were refused, with line, column and value."""
    rows = session.rows(
        "select file_name, line, column_name, error, rejected_record "
        "from snowmelt.rejects where load_seq = $1 and replayed_by is null "
        "order by file_row limit $2",
        [cause.about, EVIDENCE_MAX],
    )
    return [
        Evidence(
            f"{file}:{line}",
            error,
            column,
            bytes(raw).decode("utf-8", "backslashreplace").rstrip("\r\n"),
        )
        for file, line, column, error, raw in rows
    ]


def find_held(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return the files that wait for a decision."""
    rows = session.rows(
        "select file_name, pipe_name, reason, detail, held_at from snowmelt.held_files "
        "where decided is null order by held_at desc limit $1",
        [LOOKED_AT_MAX],
    )
    rows = [row for row in rows if around.takes(rule, row[1])]
    loaded = {
        load.file_name: load.at for load in _newest(session, {r[0] for r in rows})
    }
    causes = []
    for name, pipe, reason, detail, held_at in rows:
        known = json.loads(detail or "{}")
        told = known.get("reason") or known.get("problem")
        overtaken = name in loaded and loaded[name] > held_at
        young = rule.longer_than and around.now - held_at <= rule.longer_than
        if overtaken or young:
            continue
        causes.append(
            Cause(
                key=name,
                summary=f"{name} is held: {_WHY.get(reason, reason)}",
                since=held_at,
                pipe=pipe,
                command=f"snowmelt why {quote(name)}",
                ended=f"{name} is not held any more",
                evidence=(Evidence(name, str(told)),) if told else (),
            )
        )
    return causes if exceeds(rule.more_than, len(causes), 0) else []


_WHY = {
    "drift": "its columns are not those of the contract",
    "killed_reader": "reading it killed the process that did",
    "person": "a person holds it",
    "incomplete": "its batch is not complete",
}


def find_anomaly(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return the pipes of which a recent load has far more or fewer rows than usual.

    As `publish.anomaly_factor` has it. Loads that were superseded count no more.
    """
    top = session.value("select max(load_seq) from snowmelt.load_history") or 0
    rows = session.rows(
        "select pipe_name, file_name, row_count, last_load_time "
        "from snowmelt.load_history where load_seq > $1 and replay_of is null "
        "and superseded_by is null and status in ('Loaded', 'Partially loaded') "
        "order by load_seq",
        [top - LOOKED_AT_MAX],
    )
    usual: dict[str, list[int]] = defaultdict(list)
    odd: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        pipe, _, count, at = row
        before = usual[pipe][-RECENT_LOADS:]
        if at >= around.now - rule.looks_back and is_unusual(
            count,
            before,
            factor=around.anomaly_factor,
            loads_min=around.anomaly_loads_min,
        ):
            odd[pipe].append(row)
        else:
            usual[pipe].append(count)
    return [
        _anomaly(pipe, loads, usual[pipe][-RECENT_LOADS:])
        for pipe, loads in odd.items()
        if around.takes(rule, pipe)
    ]


def _anomaly(pipe: str, loads: list[Row], usual: list[int]) -> Cause:
    typical = median(usual)
    _, file, count, at = loads[-1]
    return Cause(
        key=pipe,
        summary=f"{file} has {count_rows(count)}, loads of pipe {pipe} have "
        f"{typical:,g} as a rule",
        since=at,
        pipe=pipe,
        command=f"snowmelt history --pipe {pipe}",
        ended=f"pipe {pipe}: no load of an unusual size of late",
        evidence=tuple(
            Evidence(name, count_rows(rows))
            for _, name, rows, _ in loads[-EVIDENCE_MAX:]
        ),
    )


def _newest(session: Session, names: Collection[str]) -> list[_Load]:
    """Return the newest load of each file, newest first; found by index."""
    newest: dict[str, _Load] = {}
    for chosen in in_parts(session, "load_history", names):
        wanted, parameters = one_of("file_name", chosen)
        rows = session.rows(
            f"select {_COLUMNS} from snowmelt.load_history where {wanted}",  # noqa: S608
            parameters,
        )
        for load in (_Load(*row) for row in rows):
            known = newest.get(load.file_name)
            if load.replay_of is None and (
                known is None or known.load_seq < load.load_seq
            ):
                newest[load.file_name] = load
    return sorted(newest.values(), key=lambda load: -load.load_seq)


def _open_rejects(session: Session, loads: list[int]) -> dict[int, int]:
    if not loads:
        return {}
    rows = session.rows(
        "select load_seq, count(*) from snowmelt.rejects "
        "where load_seq between $2 and $3 and replayed_by is null "
        "and load_seq in (select unnest($1::json::bigint[])) group by load_seq",
        [loads, min(loads), max(loads)],
    )
    return dict(rows)
