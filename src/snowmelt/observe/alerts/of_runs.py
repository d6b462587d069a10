"""Causes in runs and what is behind them: tests, audits, streams, tasks, memory."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import EVIDENCE_MAX, Cause, Evidence, count_rows
from snowmelt.observe.alerts.rules import Rule
from snowmelt.transform.streams import find_behind
from snowmelt.warehouse.port import Session

_STUCK_AFTER = timedelta(minutes=15)
_ROWS_OF_A_TEST = 2


def find_failed_run(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return a cause if the newest run that ended failed; one for all pipes."""
    if rule.pipe is not None:
        return []
    rows = session.rows(
        "select run_id, state, ended_at, error from snowmelt.run_history "
        "where state <> 'EXECUTING' order by started_at desc limit 1"
    )
    if not rows or rows[0][1] != "FAILED":
        return []
    run_id, _, ended_at, error = rows[0]
    since = session.value(
        "select min(ended_at) from snowmelt.run_history where state = 'FAILED' "
        "and started_at > coalesce((select max(started_at) from snowmelt.run_history "
        "where state = 'SUCCEEDED'), '-infinity'::timestamptz)"
    )
    return [
        Cause(
            key="run",
            summary="the last run failed; readers keep the one before",
            since=since or ended_at,
            command="snowmelt status",
            ended="the newest run is published",
            evidence=(Evidence("run", error),) if error else (),
            about=run_id,
        )
    ]


def show_failed_run(session: Session, cause: Cause) -> list[Evidence]:
    """Return the models and tests that failed, with the first failing rows."""
    nodes = session.rows(
        "select node, resource_type, failures, message from snowmelt.node_history "
        "where run_id = $1 and status in ('error', 'fail', 'runtime error') "
        "order by node limit $2",
        [cause.about, EVIDENCE_MAX],
    )
    found: list[Evidence] = []
    for node, kind, failures, message in nodes:
        told = count_rows(failures) if kind == "test" and failures else ""
        reason = ": ".join(each for each in (told, message) if each)
        found.append(Evidence(f"{kind} {node}", reason or "it failed"))
        found += _failing_rows(session, str(cause.about), node)
    return found


def _failing_rows(session: Session, run_id: str, test: str) -> list[Evidence]:
    rows = session.rows(
        "select failing_row from snowmelt.test_failures where run_id = $1 "
        "and test = $2 order by ordinal limit $3",
        [run_id, test, _ROWS_OF_A_TEST],
    )
    return [_failing(test, json.loads(text)) for (text,) in rows]


def _failing(test: str, row: Any) -> Evidence:
    if not isinstance(row, dict):
        return Evidence(test, "a row", value=str(row))
    where = test
    if row.get("_file"):
        where = f"{row['_file']}#{row.get('_file_row', '')}".rstrip("#")
    return Evidence(where, "a failing row", row=row)


def find_failed_audit(
    session: Session, _: Rule, __: Around, ___: frozenset[str]
) -> list[Cause]:
    """Return a cause if the newest audit that was carried out failed."""
    rows = session.rows(
        "select audit_id, state, ended_at, tables_differing, error "
        "from snowmelt.audit_history where state in ('SUCCEEDED', 'FAILED') "
        "order by started_at desc limit 1"
    )
    if not rows or rows[0][1] != "FAILED":
        return []
    _id, _state, ended_at, differing, error = rows[0]
    evidence = Evidence(differing or "audit", error or "it failed")
    summary = "the audit did not end well"
    if differing:
        summary = "the audit found that what is published is not what dbt makes"
    return [
        Cause(
            key="audit",
            summary=summary,
            since=ended_at,
            command="snowmelt rebuild" if differing else "snowmelt audit",
            ended="the newest audit found no difference",
            evidence=(evidence,),
        )
    ]


def find_stuck(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return the streams behind whose offset rows have waited for too long."""
    longest = rule.longer_than or _STUCK_AFTER
    return [
        Cause(
            key=f"{each.consumer} on {each.source}",
            summary=f"stream of {each.consumer} on {each.source} has not moved since "
            f"{each.moved_at:%Y-%m-%d %H:%M:%S} UTC",
            since=each.since,
            command="snowmelt streams",
            ended=f"stream of {each.consumer} on {each.source} moves again",
            evidence=(
                Evidence(each.consumer, f"waiting for it: {count_rows(each.rows)}"),
            ),
        )
        for each in find_behind(session, around.now, longest)
    ]


def find_spilled(
    session: Session, rule: Rule, around: Around, _: frozenset[str]
) -> list[Cause]:
    """Return the pipes, and runs, for which memory was too little of late."""
    rows = session.rows(
        "select object, max(ended_at), max(bytes), count(*) "
        "from snowmelt.pipeline_log where step = 'spill' and started_at >= $1 "
        "group by object order by object limit $2",
        [around.now - rule.looks_back, LOOKED_AT_MAX],
    )
    return [
        Cause(
            key=name,
            summary=f"memory was too little for {_what(name, around)}: "
            f"{peak / 1e6:,.0f} MB were put on disk",
            since=at,
            pipe=name if name in around.pipes else None,
            command="snowmelt log --step spill",
            ended=f"memory was enough for {_what(name, around)} of late",
            evidence=(Evidence(name, f"{count} times since"),),
        )
        for name, at, peak, count in rows
        if rule.pipe in (None, name)
    ]


def _what(name: str, around: Around) -> str:
    return f"pipe {name}" if name in around.pipes else "a run"
