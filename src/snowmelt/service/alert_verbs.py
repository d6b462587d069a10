"""The verbs about alerts: what is open, what was, does a sink work, be silent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.landing.config import parse_duration
from snowmelt.observe.alerts.cause import Cause, details_of, read_evidence
from snowmelt.observe.alerts.config import DEFAULT_RULES, AlertsConfig
from snowmelt.observe.alerts.delivering import send_within
from snowmelt.observe.alerts.finding import Looked, look_for, with_evidence
from snowmelt.observe.alerts.judging import capped
from snowmelt.observe.alerts.message import trial_message
from snowmelt.observe.alerts.records import mute, mutes
from snowmelt.observe.alerts.rules import Rule
from snowmelt.observe.alerts.sinks.sending import SendError
from snowmelt.observe.alerts.time_limit import TimeLimit
from snowmelt.serve.commands import Document
from snowmelt.service.alert_queries import Rendering
from snowmelt.service.alert_records import read_alerts, what_about
from snowmelt.service.alerting import around_of
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.service.loop import Loop
from snowmelt.warehouse.port import Session


class AlertVerbs:
    """Answers what is asked of alerts; nothing of it opens or ends one."""

    def __init__(self, loop: Loop, *, serving: bool) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving
        self._config: AlertsConfig = self._parts.project.settings.alerts

    def standing(self) -> Document:
        """Return what is open on record, and what rules find at this moment.

        A project without rules is looked at with those it might have.
        """
        if not self._serving:
            self._loop.watching.check(self._parts.clock.now())
            self._parts.pipeline_log.write()
        rules = self._config.rules or DEFAULT_RULES
        now = self._parts.clock.now()
        with self._parts.warehouse.snapshot() as session:
            alerts = read_alerts(session, "resolved_at is null", [], 10_000, rules)
            muted = mutes(session, now)
            summary = alerts_summary(session)
        looked = {name: self._find(name, rule, alerts) for name, rule in rules.items()}
        by_key = {(each["rule"], each["cause"]): each["alert_id"] for each in alerts}
        return {
            "schema_version": SCHEMA_VERSION,
            "configured": bool(self._config.rules),
            "open": alerts,
            "causes": [
                _cause_document(name, rules[name], cause, by_key)
                for name, found in looked.items()
                for cause in found.causes or ()
            ],
            "problems": [
                {"rule": name, "problem": found.problem}
                for name, found in looked.items()
                if found.problem is not None
            ],
            "rules": [rule_document(self._config, *each) for each in rules.items()],
            "sinks": [
                {"sink": name, "kind": sink.kind, **_of(summary, name)}
                for name, sink in self._config.sinks.items()
            ],
            "muted": plain(muted),
            "warnings": self._parts.noticing.noticed.told()
            if self._parts.noticing is not None
            else [],
        }

    def _find(self, name: str, rule: Rule, alerts: list[Document]) -> Looked:
        keys = frozenset(each["cause"] for each in alerts if each["rule"] == name)
        parts, limit = self._parts, self._config.query_limit
        around = around_of(parts, Rendering(parts.project.root))
        found = look_for(parts.warehouse, (name, rule), around, keys, limit)
        causes = tuple(
            with_evidence(parts.warehouse, rule, cause, limit)
            for cause in capped(found.causes or (), keys, self._config.causes_max)
        )
        return Looked(name, causes, found.problem)

    def history(self, limit: int) -> Document:
        """Return alerts, newest first, each with what was sent of it."""
        with self._parts.warehouse.snapshot() as session:
            alerts = read_alerts(session, "true", [], limit, self._config.rules)
        return {"schema_version": SCHEMA_VERSION, "alerts": alerts}

    def test(self, sink: str | None) -> Document:
        """Send a message through one sink, or through each."""
        sinks = self._config.sinks
        if not sinks:
            raise UsageError(
                "snowmelt.yml: alerts.sinks", "there are none", "Write one there."
            )
        if sink is not None and sink not in sinks:
            known = ", ".join(sinks)
            raise UsageError(sink, "there is no sink of this name", f"Known: {known}.")
        chosen = [sink] if sink is not None else list(sinks)
        return {
            "schema_version": SCHEMA_VERSION,
            "sinks": [self._test(name) for name in chosen],
        }

    def _test(self, name: str) -> Document:
        clock, sink = self._parts.clock, self._config.sinks[name]
        message = trial_message(self._parts.project.settings.name, name, clock.now())
        began, problem = clock.monotonic(), None
        try:
            send_within(sink, message, TimeLimit())
        except SendError as error:
            problem = error.problem
        return {
            "sink": name,
            "kind": sink.kind,
            "sent": problem is None,
            "seconds": round(clock.monotonic() - began, 3),
            "error": problem,
        }

    def mute(self, target: str, duration: str) -> Document:
        """Let nobody hear of a rule's alerts, or of one, for a while; 0s ends that."""
        try:
            lasts = parse_duration(duration)
        except ValueError as error:
            raise UsageError("--for", str(error)) from None
        now = self._parts.clock.now()
        until = now + lasts
        with self._parts.warehouse.session() as session:
            alerts = session.value(
                "select count(*) from snowmelt.alerts where alert_id = $1", [target]
            )
            if not alerts and target not in self._config.rules:
                known = ", ".join(self._config.rules) or "none"
                raise UsageError(
                    target, "no rule and no alert is called so", f"Rules: {known}."
                )
            mute(session, target, until, now)
        if self._loop.alerting is not None:
            self._loop.alerting.send_again()
        return {
            "schema_version": SCHEMA_VERSION,
            "target": target,
            "muted_until": plain(until) if lasts > timedelta(0) else None,
        }


def alerts_summary(session: Session) -> Document:
    """Return how many alerts are open, and how each sink does; and that in words."""
    opened = session.value(
        "select count(*) from snowmelt.alerts where resolved_at is null"
    )
    rows = session.rows(
        "select sink, count(*) filter (state = 'due'), "
        "count(*) filter (state = 'failed'), "
        "arg_max(error, delivery_id) filter (state = 'due' and error is not null), "
        "max(sent_at) from snowmelt.alert_deliveries group by sink order by sink"
    )
    names = ("sink", "due", "failed", "error", "sent_at")
    sinks = as_documents(names, rows)
    told = []
    if opened:
        count = "1 alert is" if opened == 1 else f"{opened} alerts are"
        told.append(f"{count} open. See: snowmelt alerts")
    told += [
        f"sink {each['sink']} of alerts fails: {each['error']}. "
        f"Try it: snowmelt alerts test {each['sink']}"
        for each in sinks
        if each["error"]
    ]
    return {"open": opened, "sinks": sinks, "told": told}


def _of(summary: Mapping[str, Any], sink: str) -> Document:
    nothing = {"due": 0, "failed": 0, "error": None, "sent_at": None}
    found = next((each for each in summary["sinks"] if each["sink"] == sink), nothing)
    return {name: found[name] for name in nothing}


def _cause_document(
    name: str, rule: Rule, cause: Cause, by_key: Mapping[tuple[str, str], str]
) -> Document:
    details = details_of(cause)
    return {
        "rule": name,
        "severity": rule.severity.value,
        "cause": cause.key,
        "message": cause.summary,
        "since": plain(cause.since),
        "pipe": cause.pipe,
        "command": cause.command,
        "evidence": [each.line() for each in read_evidence(details)],
        "alert_id": by_key.get((name, cause.key)),
        "places": [plain(asdict(each)) for each in read_evidence(details)],
        "about": what_about(rule, cause.key, cause.pipe, details),
    }


def rule_document(config: AlertsConfig, name: str, rule: Rule) -> Document:
    """Return what a rule looks for, and who hears of it."""
    return {
        "rule": name,
        "on": rule.on or "sql",
        "severity": rule.severity.value,
        "to": list(config.told_by(rule)),
        "every_seconds": rule.every.total_seconds(),
    }
