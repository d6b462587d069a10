"""Which alerts open, stay and end, and who hears of it. No clock, no warehouse.

What is open on record and what is found now go in; what is to be recorded comes out.
So it is the same whatever told us to look, and however often: an alert that is open
is not opened again.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.observe.alerts.cause import Cause, Evidence
from snowmelt.observe.alerts.finding import Looked
from snowmelt.observe.alerts.message import Kind
from snowmelt.observe.alerts.severity import Severity

MORE = "…more"
"""The cause that stands for all those that are too many."""


@dataclass(frozen=True)
class Terms:
    """Who hears of a rule's alerts, and when."""

    severity: Severity
    to: tuple[str, ...]
    after: timedelta = timedelta(0)
    resolve_after: timedelta = timedelta(0)
    repeat_after: timedelta = timedelta(0)
    escalate_after: timedelta | None = None
    escalate_to: tuple[str, ...] = ()
    causes_max: int = 20


@dataclass(frozen=True)
class OpenAlert:
    """An alert that is open on record.

    `told`: the sinks that heard of it, or will, whatever happens. `waiting`: those of
    which the message is not due yet: were it resolved now, they never hear of it.
    """

    alert_id: str
    rule: str
    cause: str
    opened_at: datetime
    last_seen_at: datetime
    summary: str = ""
    about: str | None = None
    told: frozenset[str] = frozenset()
    waiting: frozenset[str] = frozenset()
    is_escalated: bool = False


@dataclass(frozen=True)
class Remembered:
    """What else decides: when causes were resolved last, first found, and mutes.

    `muted`: rules and alerts nobody is to hear of until then.
    """

    resolved_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    found_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)
    muted: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """A new alert."""

    alert_id: str
    rule: str
    severity: Severity
    cause: Cause


@dataclass(frozen=True)
class Delivery:
    """A message that is to be sent, not before an instant."""

    alert_id: str
    sink: str
    kind: Kind
    not_before: datetime


@dataclass
class Verdict:
    """What is to be recorded, all of it at once."""

    opened: list[Opened] = field(default_factory=list)
    seen: list[tuple[OpenAlert, Cause]] = field(default_factory=list)
    resolved: list[OpenAlert] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    dropped: list[tuple[str, str]] = field(default_factory=list)
    """Messages that are never sent: alert and sink."""
    orphaned: list[str] = field(default_factory=list)
    """Alerts that end because their rule is gone, whatever became of the cause."""


def judge(
    open_alerts: Iterable[OpenAlert],
    looked: Sequence[Looked],
    terms: Mapping[str, Terms],
    remembered: Remembered,
    now: datetime,
) -> Verdict:
    """Compare what is open with what was found.

    Of a rule that was not looked for, or could not be, nothing changes but that its
    alerts may be escalated. Alerts of rules that are gone end.
    """
    verdict = Verdict()
    by_rule: dict[str, dict[str, OpenAlert]] = defaultdict(dict)
    for alert in open_alerts:
        by_rule[alert.rule][alert.cause] = alert
    for each in looked:
        if each.causes is not None and each.rule in terms:
            _judge_rule(
                verdict,
                each.rule,
                (by_rule[each.rule], each.causes),
                terms[each.rule],
                remembered,
                now,
            )
    ended = {alert.alert_id for alert in verdict.resolved}
    for rule, alerts in by_rule.items():
        for alert in alerts.values():
            if rule not in terms:
                _resolve(verdict, alert, now)
                verdict.orphaned.append(alert.alert_id)
            elif alert.alert_id not in ended:
                _escalate(verdict, alert, terms[rule], remembered, now)
    return verdict


def _judge_rule(
    verdict: Verdict,
    rule: str,
    compared: tuple[Mapping[str, OpenAlert], Sequence[Cause]],
    terms: Terms,
    remembered: Remembered,
    now: datetime,
) -> None:
    alerts, found = compared
    causes = capped(found, frozenset(alerts), terms.causes_max)
    for cause in causes:
        if cause.key in alerts:
            verdict.seen.append((alerts[cause.key], cause))
        elif _has_lasted(rule, cause, terms, remembered, now):
            _open(verdict, rule, cause, terms, remembered, now)
    there = {cause.key for cause in causes}
    for key, alert in alerts.items():
        if key not in there and now - alert.last_seen_at >= terms.resolve_after:
            _resolve(verdict, alert, now)


def _has_lasted(
    rule: str, cause: Cause, terms: Terms, remembered: Remembered, now: datetime
) -> bool:
    since = cause.since or remembered.found_at.get((rule, cause.key), now)
    return now - since >= terms.after


def _open(
    verdict: Verdict,
    rule: str,
    cause: Cause,
    terms: Terms,
    remembered: Remembered,
    now: datetime,
) -> None:
    """Open an alert; of one that was just resolved nobody hears for a while."""
    alert_id = make_id(rule, cause.key, now)
    verdict.opened.append(Opened(alert_id, rule, terms.severity, cause))
    before = remembered.resolved_at.get((rule, cause.key))
    not_before = max(now, remembered.muted.get(rule, now))
    if before is not None:
        not_before = max(not_before, before + terms.repeat_after)
    verdict.deliveries += [
        Delivery(alert_id, sink, Kind.OPENED, not_before) for sink in terms.to
    ]


def _resolve(verdict: Verdict, alert: OpenAlert, now: datetime) -> None:
    verdict.resolved.append(alert)
    verdict.dropped += [(alert.alert_id, sink) for sink in sorted(alert.waiting)]
    verdict.deliveries += [
        Delivery(alert.alert_id, sink, Kind.RESOLVED, now)
        for sink in sorted(alert.told - alert.waiting)
    ]


def _escalate(
    verdict: Verdict,
    alert: OpenAlert,
    terms: Terms,
    remembered: Remembered,
    now: datetime,
) -> None:
    if terms.escalate_after is None or alert.is_escalated or alert.waiting:
        return
    muted = max(
        remembered.muted.get(alert.rule, now), remembered.muted.get(alert.alert_id, now)
    )
    if muted > now or now - alert.opened_at < terms.escalate_after:
        return
    verdict.deliveries += [
        Delivery(alert.alert_id, sink, Kind.ESCALATED, now)
        for sink in terms.escalate_to
    ]


def capped(
    causes: Sequence[Cause], open_keys: frozenset[str], longest: int
) -> list[Cause]:
    """Return as many causes as there may be alerts, and one for all the others.

    Those that are open stay; the others follow in the order they were found.
    """
    by_key: dict[str, Cause] = {}
    for cause in causes:
        by_key.setdefault(cause.key, cause)
    ordered = sorted(by_key.values(), key=lambda cause: cause.key not in open_keys)
    kept, others = ordered[:longest], ordered[longest:]
    if others:
        more = Cause(
            key=MORE,
            summary=f"{len(others)} more causes of this rule",
            pipe=None,
            command="snowmelt alerts",
            ended="the causes of this rule are few enough to be told of",
            evidence=tuple(Evidence(each.key, each.summary) for each in others[:5]),
        )
        kept.append(more)
    return kept


def make_id(rule: str, cause: str, now: datetime) -> str:
    """Return the name of an alert: when it was opened, and a digest of its cause."""
    digest = hashlib.sha256(f"{rule}\0{cause}\0{now.isoformat()}".encode()).hexdigest()
    return f"{now:%Y%m%dT%H%M%S}-{digest[:8]}"
