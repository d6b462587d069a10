"""Alerts on record: what is open, what was, and what became of every message.

Nothing is looked for here: rules may take long, and whoever looks is the service.
"""

from __future__ import annotations

from snowmelt.errors import UsageError
from snowmelt.observe.alerts.config import DEFAULT_RULES, AlertsConfig
from snowmelt.observe.alerts.delivery import DeliveryState
from snowmelt.observe.alerts.records import mutes
from snowmelt.serve.commands import Document
from snowmelt.service.alert_records import read_alerts
from snowmelt.service.alert_verbs import alerts_summary, rule_document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.warehouse.port import Session

LIMIT_MAX = 200
OPEN_MAX = 200
STATES = {"open": "resolved_at is null", "resolved": "resolved_at is not null"}
DELIVERY_COLUMNS = (
    *("delivery_id", "alert_id", "rule", "severity", "message", "kind", "state"),
    *("tries", "created_at", "next_try_at", "first_try_at", "sent_at", "error"),
)


def alert_board_document(
    loop: Loop, *, rule: str | None, state: str | None, before: str | None, limit: int
) -> Document:
    """Return what is open, rules, sinks, and alerts before one, newest first."""
    config = loop.parts.project.settings.alerts
    limit = max(1, min(limit, LIMIT_MAX))
    _require(state, STATES)
    problems = dict(loop.alerting.problems) if loop.alerting else {}
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        summary = alerts_summary(session)
        muted = mutes(session, loop.parts.clock.now())
        opened = read_alerts(session, "resolved_at is null", [], OPEN_MAX, config.rules)
        where, parameters = _chosen(session, rule, state, before)
        alerts = read_alerts(session, where, parameters, limit + 1, config.rules)
        retries = _retries(session)
    counts = _count(opened)
    sinks = {each["sink"]: each for each in summary["sinks"]}
    nothing = {"due": 0, "failed": 0, "error": None, "sent_at": None}
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "configured": bool(config.rules),
        "open": opened,
        "open_count": summary["open"],
        "alerts": alerts[:limit],
        "next": alerts[limit - 1]["alert_id"] if len(alerts) > limit else None,
        "rules": [
            rule_document(config, name, each)
            | {"open": counts.get(name, 0), "problem": problems.get(name)}
            for name, each in config.rules.items()
        ],
        "built_in": list(DEFAULT_RULES),
        "sinks": [
            {"sink": name, "kind": each.kind, "values": each.values}
            | {key: sinks.get(name, nothing)[key] for key in nothing}
            | {"next_try_at": retries.get(name)}
            for name, each in config.sinks.items()
        ],
        "muted": plain(muted),
        "quiet_hours": _quiet_hours(config),
    }


def _quiet_hours(config: AlertsConfig) -> str | None:
    """Say when messages are held back, if ever."""
    quiet = config.quiet_hours
    if quiet is None:
        return None
    told = f"from {quiet.since} to {quiet.until} ({quiet.timezone})"
    return told + (f", except {quiet.exempt.value}" if quiet.exempt else "")


def _require(state: str | None, known: dict[str, str]) -> None:
    if state is not None and state not in known:
        told = f"One of: {', '.join(known)}."
        raise UsageError(f"state {state[:40]}", "there is none", told)


def _chosen(
    session: Session, rule: str | None, state: str | None, before: str | None
) -> tuple[str, list[object]]:
    where = "($1 is null or rule = $1)"
    parameters: list[object] = [rule]
    if state is not None:
        where += f" and {STATES[state]}"
    if before is not None:
        anchor = session.value(
            "select opened_at from snowmelt.alerts where alert_id = $1", [before]
        )
        where += " and (opened_at, alert_id) < ($2, $3)"
        parameters += [anchor, before]
    return where, parameters


def _count(alerts: list[Document]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in alerts:
        counts[each["rule"]] = counts.get(each["rule"], 0) + 1
    return counts


def _retries(session: Session) -> dict[str, str]:
    """Return when each sink that is not well is tried again."""
    rows = session.rows(
        "select sink, min(next_try_at) from snowmelt.alert_deliveries "
        "where state = 'due' and tries > 0 group by sink"
    )
    return {sink: plain(at) for sink, at in rows}


def alert_document(loop: Loop, alert: str) -> Document:
    """Return everything about one alert. Raises UsageError for an unknown one."""
    config = loop.parts.project.settings.alerts
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        found = read_alerts(session, "alert_id = $1", [alert], 1, config.rules)
        muted = mutes(session, loop.parts.clock.now())
        if not found:
            raise UsageError(
                alert[:80], "there is no such alert", "See: snowmelt alerts history"
            )
        past = read_alerts(
            session,
            "rule = $1 and cause = $2 and alert_id <> $3",
            [found[0]["rule"], found[0]["cause"], alert],
            20,
            config.rules,
        )
    rule = config.rules.get(found[0]["rule"])
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "alert": found[0],
        "rule": rule_document(config, found[0]["rule"], rule) if rule else None,
        "muted_until": plain(muted.get(alert) or muted.get(found[0]["rule"])),
        "past": past,
    }


def deliveries_document(
    loop: Loop, sink: str, *, state: str | None, before: int | None, limit: int
) -> Document:
    """Return messages through one sink before one, newest first.

    Raises UsageError for a sink that neither is there nor ever was.
    """
    config = loop.parts.project.settings.alerts
    limit = max(1, min(limit, LIMIT_MAX))
    _require(state, {str(each): "" for each in DeliveryState})
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        rows = session.rows(
            f"select {', '.join(DELIVERY_COLUMNS)} from snowmelt.alert_deliveries "
            "left join snowmelt.alerts using (alert_id) "
            "where sink = $1 and ($2 is null or state = $2) "
            "and ($3 is null or delivery_id < $3) "
            f"order by delivery_id desc limit {limit + 1:d}",
            [sink, state, before],
        )
        known = alerts_summary(session)["sinks"]
    counted = next((each for each in known if each["sink"] == sink), None)
    if counted is None and sink not in config.sinks:
        names = ", ".join(config.sinks) or "none"
        raise UsageError(sink[:80], "there is no such sink", f"Known: {names}.")
    found = as_documents(DELIVERY_COLUMNS, rows)
    configured = config.sinks.get(sink)
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "sink": {
            "sink": sink,
            "kind": configured.kind if configured else None,
            "values": configured.values if configured else None,
            "due": counted["due"] if counted else 0,
            "failed": counted["failed"] if counted else 0,
            "sent_at": counted["sent_at"] if counted else None,
            "error": counted["error"] if counted else None,
        },
        "retry_first_seconds": config.retry_first.total_seconds(),
        "retry_max_seconds": config.retry_max.total_seconds(),
        "give_up_after_seconds": config.give_up_after.total_seconds(),
        "deliveries": found[:limit],
        "next": found[limit - 1]["delivery_id"] if len(found) > limit else None,
    }
