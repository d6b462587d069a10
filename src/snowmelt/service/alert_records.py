"""Alerts on record as documents: what each is about, and what was sent of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from snowmelt.observe.alerts.cause import read_evidence
from snowmelt.observe.alerts.rules import Rule
from snowmelt.pipe.history import in_parts, one_of
from snowmelt.serve.commands import Document
from snowmelt.service.documents import as_documents, plain
from snowmelt.warehouse.port import Session

COLUMNS = (
    *("alert_id", "rule", "cause", "severity", "opened_at", "resolved_at"),
    *("last_seen_at", "seen", "message", "details"),
)
DELIVERY_COLUMNS = (
    *("alert_id", "sink", "kind", "state", "tries", "created_at", "next_try_at"),
    *("sent_at", "error"),
)
_OF_FILES = ("failed", "rejected", "held")
_OF_PIPES = ("late", "missing_file", "anomaly", "spilled")
_OF_TASKS = ("task_failed", "task_suspended")
_PLACES = {"offset_stuck": "streams", "audit_failed": "runs", "disk_low": "machine"}


def read_alerts(
    session: Session,
    condition: str,
    parameters: Sequence[object],
    limit: int,
    rules: Mapping[str, Rule],
) -> list[Document]:
    """Return alerts, newest first; `condition` is SQL of ours."""
    rows = session.rows(
        f"select {', '.join(COLUMNS)} from snowmelt.alerts "  # noqa: S608 - ours
        f"where {condition} order by opened_at desc, alert_id desc limit {limit:d}",
        list(parameters),
    )
    alerts = as_documents(COLUMNS, rows)
    sent = session.rows(
        f"select {', '.join(DELIVERY_COLUMNS)} from snowmelt.alert_deliveries "  # noqa: S608
        "where alert_id in (select unnest($1::json::varchar[])) order by delivery_id",
        [[each["alert_id"] for each in alerts]],
    )
    deliveries: dict[str, list[Document]] = {}
    for each in as_documents(DELIVERY_COLUMNS, sent):
        deliveries.setdefault(each.pop("alert_id"), []).append(each)
    for alert in alerts:
        details = json.loads(alert.pop("details"))
        alert |= {name: details.get(name) for name in ("since", "pipe", "command")}
        evidence = read_evidence(details)
        alert["evidence"] = [each.line() for each in evidence]
        alert["places"] = [plain(asdict(each)) for each in evidence]
        rule = rules.get(alert["rule"])
        alert["about"] = what_about(rule, alert["cause"], alert["pipe"], details)
        alert["deliveries"] = deliveries.get(alert["alert_id"], [])
    _add_loads(session, alerts)
    return alerts


def what_about(
    rule: Rule | None, cause: str, pipe: str | None, details: Mapping[str, Any]
) -> Document:
    """Return what a cause is about: a kind, a name there, and if it is held why."""
    on, kind, name = rule.on if rule else None, "nothing", ""
    if on == "failed" and cause == "run":
        kind, name = "run", str(details.get("about") or "")
    elif on in _OF_FILES:
        kind, name = "file", cause
    elif on in _OF_PIPES and pipe:
        kind, name = "pipe", pipe
    elif on in _OF_TASKS:
        kind, name = "task", cause
    elif on in _PLACES:
        kind = _PLACES[on]
    held = "held" if on == "held" else None
    return {"kind": kind, "name": name, "held": held, "load_seq": None}


def _add_loads(session: Session, alerts: Sequence[Document]) -> None:
    """Say of each alert about a file its newest load, by index, and why it waits."""
    abouts = [each["about"] for each in alerts if each["about"]["kind"] == "file"]
    newest: dict[str, int] = {}
    for chosen in in_parts(session, "load_history", {each["name"] for each in abouts}):
        wanted, parameters = one_of("file_name", chosen)
        rows = session.rows(
            "select file_name, max(load_seq) from snowmelt.load_history "  # noqa: S608
            f"where {wanted} and replay_of is null group by file_name",
            parameters,
        )
        newest |= dict(rows)
    reasons: dict[str, str] = dict(
        session.rows(
            "select file_name, reason from snowmelt.held_files where decided is null "
            "and file_name in (select unnest($1::json::varchar[]))",
            [[each["name"] for each in abouts if each["held"]]],
        )
    )
    for about in abouts:
        about["load_seq"] = newest.get(about["name"])
        about["held"] = about["held"] and reasons.get(about["name"])
