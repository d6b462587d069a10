"""One look: find causes, judge them against what is open, record what follows."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from snowmelt.clock import Clock
from snowmelt.observe.alerts.around import Around
from snowmelt.observe.alerts.cause import Cause
from snowmelt.observe.alerts.config import AlertsConfig
from snowmelt.observe.alerts.finding import Looked, look_for, with_evidence
from snowmelt.observe.alerts.judging import OpenAlert, Terms, Verdict, judge
from snowmelt.observe.alerts.records import (
    WRITING,
    Seen,
    open_alerts,
    remembered,
    write_verdict,
)
from snowmelt.observe.alerts.rules import Rule
from snowmelt.observe.retention import Horizons, forget_before
from snowmelt.warehouse.port import Warehouse

SEEN_EVERY = timedelta(minutes=1)
"""How often it is written down that an alert's cause is still there."""
_FORGET_EVERY = timedelta(hours=1)


@dataclass
class Report:
    """What a look came to; `seconds`: what each rule took."""

    opened: int = 0
    resolved: int = 0
    deliveries: bool = False
    problems: dict[str, str | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class _Count:
    """When an alert's cause was found last, and how often since that was written."""

    last_at: datetime
    written_at: datetime
    times: int = 0


class Evaluation:
    """Looks for causes and records alerts; one look at a time.

    What it remembers between looks is written down sooner or later, or is found out
    again: a new process goes on where the one before ended.
    """

    def __init__(
        self, warehouse: Warehouse, config: AlertsConfig, clock: Clock
    ) -> None:
        self._warehouse = warehouse
        self._config = config
        self._clock = clock
        self._terms = terms_of(config)
        self._found_at: dict[tuple[str, str], datetime] = {}
        self._counts: dict[str, _Count] = {}
        self._forgot_at: datetime | None = None

    def look(self, names: Collection[str], around: Around) -> Report:
        """Look for what these rules look for, and record what is new."""
        report = Report()
        with self._warehouse.session() as session:
            keys = _keys(open_alerts(session, around.now))
        looked = []
        for name in names:
            rule = self._config.rules[name]
            began = self._spent(rule)
            given = (name, rule)
            limit = self._config.query_limit
            found = look_for(
                self._warehouse, given, around, keys.get(name, frozenset()), limit
            )
            report.seconds[name] = self._spent(rule) - began
            report.problems[name] = found.problem
            looked.append(found)
            self._note_found(found, around.now)
        self._decide(looked, around.now, report)
        self._forget(around.now)
        return report

    def _spent(self, rule: Rule) -> float:
        """Return the seconds spent so far, of which the difference is a rule's cost.

        What is built in asks little, on this thread: its own time is what it costs,
        however busy the machine is. A query may take every core: all time counts.
        """
        return time.thread_time() if rule.on else self._clock.monotonic()

    def _note_found(self, looked: Looked, now: datetime) -> None:
        """Remember since when a cause is there that does not say so itself."""
        if looked.causes is None:
            return
        keys = {(looked.rule, cause.key) for cause in looked.causes}
        for gone in [
            each
            for each in self._found_at
            if each[0] == looked.rule and each not in keys
        ]:
            del self._found_at[gone]
        for key in keys:
            self._found_at.setdefault(key, now)

    def _decide(self, looked: list[Looked], now: datetime, report: Report) -> None:
        longest = max(
            (terms.repeat_after for terms in self._terms.values()),
            default=timedelta(0),
        )
        with WRITING, self._warehouse.session() as session:
            alerts = [self._as_counted(each) for each in open_alerts(session, now)]
            known = remembered(session, self._found_at, longest, now)
            verdict = judge(alerts, looked, self._terms, known, now)
            shown = self._shown(verdict)
            seen = self._seen(shown, now)
            if shown.opened or shown.resolved or shown.deliveries or seen:
                write_verdict(session, shown, seen, now)
        report.opened, report.resolved = len(shown.opened), len(shown.resolved)
        report.deliveries = bool(shown.deliveries)

    def _as_counted(self, alert: OpenAlert) -> OpenAlert:
        count = self._counts.get(alert.alert_id)
        if count is None:
            return alert
        return replace(alert, last_seen_at=max(alert.last_seen_at, count.last_at))

    def _shown(self, verdict: Verdict) -> Verdict:
        """Return the verdict with evidence for what is opened."""
        opened = [
            replace(each, cause=self._with_evidence(each.rule, each.cause))
            for each in verdict.opened
        ]
        return replace(verdict, opened=opened)

    def _with_evidence(self, rule: str, cause: Cause) -> Cause:
        return with_evidence(
            self._warehouse, self._config.rules[rule], cause, self._config.query_limit
        )

    def _seen(self, verdict: Verdict, now: datetime) -> list[Seen]:
        """Return what is to be written of alerts whose cause was found again."""
        seen = []
        for alert, cause in verdict.seen:
            count = self._counts.setdefault(
                alert.alert_id, _Count(alert.last_seen_at, alert.last_seen_at)
            )
            count.times += 1
            count.last_at = now
            is_new = cause.summary != alert.summary or _about(cause) != alert.about
            if is_new or now - count.written_at >= SEEN_EVERY:
                told = self._with_evidence(alert.rule, cause) if is_new else None
                seen.append(Seen(alert.alert_id, count.times, now, told))
                self._counts[alert.alert_id] = _Count(now, now)
        for alert in verdict.resolved:
            last = self._counts.pop(alert.alert_id, None)
            if last is not None and last.times:
                seen.append(Seen(alert.alert_id, last.times, last.last_at))
        return seen

    def _forget(self, now: datetime) -> None:
        if self._forgot_at is not None and now - self._forgot_at < _FORGET_EVERY:
            return
        self._forgot_at = now
        with WRITING, self._warehouse.session() as session:
            forget_before(session, Horizons(alerts=now - self._config.keep))


def terms_of(config: AlertsConfig) -> dict[str, Terms]:
    """Return who hears of each rule's alerts, and when."""
    return {name: _terms(config, rule) for name, rule in config.rules.items()}


def _terms(config: AlertsConfig, rule: Rule) -> Terms:
    escalate = rule.escalate or config.escalate
    repeat_after = rule.repeat_after
    return Terms(
        severity=rule.severity,
        to=config.told_by(rule),
        after=rule.after,
        resolve_after=rule.resolve_after,
        repeat_after=config.repeat_after if repeat_after is None else repeat_after,
        escalate_after=escalate.after if escalate else None,
        escalate_to=tuple(escalate.to) if escalate else (),
        causes_max=config.causes_max,
    )


def _keys(alerts: list[OpenAlert]) -> Mapping[str, frozenset[str]]:
    """Return the keys of open alerts, by rule."""
    rules = {alert.rule for alert in alerts}
    return {
        rule: frozenset(alert.cause for alert in alerts if alert.rule == rule)
        for rule in rules
    }


def _about(cause: Cause) -> str | None:
    return None if cause.about is None else str(cause.about)
