"""Alerts and deliveries on record: read, opened, resolved, delivered.

Whatever is decided at one look is written in one transaction. Lanes of several sinks
write beside each other, so every writer takes `WRITING` first.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.observe.alerts.cause import Cause, details_of
from snowmelt.observe.alerts.delivery import DeliveryState, Outcome, Waiting
from snowmelt.observe.alerts.judging import OpenAlert, Remembered, Verdict
from snowmelt.observe.alerts.message import Kind, Told
from snowmelt.observe.alerts.severity import Severity
from snowmelt.warehouse.port import Row, Session

WRITING = threading.RLock()
QUEUE_MAX = 1000
RULE_IS_GONE = "its rule is not in snowmelt.yml any more"
_TOLD = (DeliveryState.DUE, DeliveryState.SENT)


def open_alerts(session: Session, now: datetime) -> list[OpenAlert]:
    """Return the alerts that are open, oldest first, and who heard of them."""
    rows = session.rows(
        "select alert_id, rule, cause, opened_at, last_seen_at, message, details "
        "from snowmelt.alerts where resolved_at is null order by opened_at, alert_id"
    )
    if not rows:
        return []
    deliveries: dict[str, list[Row]] = defaultdict(list)
    for alert_id, *rest in session.rows(
        "select alert_id, sink, kind, state, tries, next_try_at "
        "from snowmelt.alert_deliveries where alert_id in "
        "(select alert_id from snowmelt.alerts where resolved_at is null)"
    ):
        deliveries[alert_id].append(tuple(rest))
    return [_open_alert(row, deliveries[row[0]], now) for row in rows]


def _open_alert(row: Row, deliveries: Sequence[Row], now: datetime) -> OpenAlert:
    alert_id, rule, cause, opened_at, last_seen_at, summary, details = row
    waiting = {
        sink
        for sink, _, state, tries, next_try_at in deliveries
        if state == DeliveryState.DUE and not tries and next_try_at > now
    }
    return OpenAlert(
        alert_id=alert_id,
        rule=rule,
        cause=cause,
        opened_at=opened_at,
        last_seen_at=last_seen_at,
        summary=summary,
        about=json.loads(details).get("about"),
        told=frozenset(sink for sink, _, state, *_ in deliveries if state in _TOLD),
        waiting=frozenset(waiting),
        is_escalated=any(kind == Kind.ESCALATED for _, kind, *_ in deliveries),
    )


def remembered(
    session: Session,
    found_at: Mapping[tuple[str, str], datetime],
    repeat_after: timedelta,
    now: datetime,
) -> Remembered:
    """Return what was resolved not long ago, and what is muted."""
    resolved = session.rows(
        "select rule, cause, max(resolved_at) from snowmelt.alerts "
        "where resolved_at >= $1 group by rule, cause",
        [now - repeat_after],
    )
    return Remembered(
        resolved_at={(rule, cause): at for rule, cause, at in resolved},
        found_at=found_at,
        muted=mutes(session, now),
    )


def mutes(session: Session, now: datetime) -> dict[str, datetime]:
    """Return the rules and alerts that are muted, and until when."""
    rows = session.rows(
        "select target, until from snowmelt.alert_mutes "
        "qualify row_number() over (partition by target order by rowid desc) = 1"
    )
    return {target: until for target, until in rows if until > now}


def mute(session: Session, target: str, until: datetime, now: datetime) -> None:
    """Let nobody hear of a rule's alerts, or of one, until an instant.

    What is not sent yet waits until then; nothing is sent of what ends before.
    """
    with WRITING, session.transaction():
        session.insert(
            "snowmelt.alert_mutes",
            {"target": [target], "until": [until], "muted_at": [now]},
        )
        session.execute(
            "update snowmelt.alert_deliveries set next_try_at = $2 "
            "where state = 'due' and kind = 'opened' and tries = 0 and alert_id in "
            "(select alert_id from snowmelt.alerts where rule = $1 or alert_id = $1)",
            [target, until],
        )


@dataclass(frozen=True)
class Seen:
    """That an alert's cause was found again so often, and what of it is new."""

    alert_id: str
    times: int
    last_seen_at: datetime
    cause: Cause | None = None


def write_verdict(
    session: Session, verdict: Verdict, seen: Iterable[Seen], now: datetime
) -> None:
    """Record what was decided, and what is to be sent, in one transaction."""
    with WRITING, session.transaction():
        for each in seen:
            _write_seen(session, each)
        opened = verdict.opened
        session.insert(
            "snowmelt.alerts",
            {
                "alert_id": [each.alert_id for each in opened],
                "rule": [each.rule for each in opened],
                "cause": [each.cause.key for each in opened],
                "severity": [each.severity.value for each in opened],
                "opened_at": [now] * len(opened),
                "last_seen_at": [now] * len(opened),
                "seen": [1] * len(opened),
                "message": [each.cause.summary for each in opened],
                "details": [_details(each.cause) for each in opened],
            },
        )
        for alert in verdict.resolved:
            session.execute(
                "update snowmelt.alerts set resolved_at = $2 where alert_id = $1",
                [alert.alert_id, now],
            )
        for alert_id in verdict.orphaned:
            session.execute(
                "update snowmelt.alerts set details = "
                "json_merge_patch(details::json, $2::json)::varchar "
                "where alert_id = $1",
                [alert_id, json.dumps({"ended": RULE_IS_GONE})],
            )
        for alert_id, sink in verdict.dropped:
            session.execute(
                "update snowmelt.alert_deliveries set state = 'dropped' "
                "where alert_id = $1 and sink = $2 and state = 'due'",
                [alert_id, sink],
            )
        _insert_deliveries(session, verdict, now)


def _write_seen(session: Session, seen: Seen) -> None:
    session.execute(
        "update snowmelt.alerts set seen = seen + $2, last_seen_at = $3 "
        "where alert_id = $1",
        [seen.alert_id, seen.times, seen.last_seen_at],
    )
    if seen.cause is not None:
        session.execute(
            "update snowmelt.alerts set message = $2, details = $3 where alert_id = $1",
            [seen.alert_id, seen.cause.summary, _details(seen.cause)],
        )


def _details(cause: Cause) -> str:
    return json.dumps(details_of(cause), ensure_ascii=False)


def _insert_deliveries(session: Session, verdict: Verdict, now: datetime) -> None:
    new = verdict.deliveries
    if not new:
        return
    top = session.value("select max(delivery_id) from snowmelt.alert_deliveries") or 0
    session.insert(
        "snowmelt.alert_deliveries",
        {
            "delivery_id": [top + 1 + index for index in range(len(new))],
            "alert_id": [each.alert_id for each in new],
            "sink": [each.sink for each in new],
            "kind": [each.kind.value for each in new],
            "state": [DeliveryState.DUE.value] * len(new),
            "tries": [0] * len(new),
            "created_at": [now] * len(new),
            "next_try_at": [each.not_before for each in new],
        },
    )


def queue_of(session: Session, sink: str) -> list[Waiting]:
    """Return what is to be sent through a sink, in order."""
    rows = session.rows(
        "select delivery_id, alert_id, kind, severity, tries, next_try_at, "
        "first_try_at from snowmelt.alert_deliveries join snowmelt.alerts "
        "using (alert_id) where sink = $1 and state = 'due' "
        "order by delivery_id limit $2",
        [sink, QUEUE_MAX],
    )
    return [
        Waiting(number, alert_id, Kind(kind), Severity(severity), *rest)
        for number, alert_id, kind, severity, *rest in rows
    ]


def sinks_with_due(session: Session) -> set[str]:
    """Return the sinks through which something is to be sent."""
    rows = session.rows(
        "select distinct sink from snowmelt.alert_deliveries where state = 'due'"
    )
    return {sink for (sink,) in rows}


def read_told(session: Session, waiting: Waiting, sink: str) -> Told | None:
    """Return the alert that a message is about.

    None when its end need not be told: of its beginning this sink has not heard.
    """
    if waiting.kind is Kind.RESOLVED and not session.value(
        "select count(*) from snowmelt.alert_deliveries where alert_id = $1 "
        "and sink = $2 and state = 'sent'",
        [waiting.alert_id, sink],
    ):
        return None
    rows = session.rows(
        "select alert_id, rule, cause, severity, message, opened_at, resolved_at, "
        "seen, details from snowmelt.alerts where alert_id = $1",
        [waiting.alert_id],
    )
    (alert_id, rule, cause, severity, summary, opened_at, resolved_at, *rest) = rows[0]
    seen, details = rest
    return Told(
        alert_id,
        rule,
        cause,
        Severity(severity),
        summary,
        opened_at,
        resolved_at,
        seen,
        json.loads(details),
    )


def claim(session: Session, waiting: Waiting, now: datetime) -> bool:
    """Record that a message is about to be sent; False if it is not to be any more.

    From then on its sink may have heard of it, so that the alert's end is told, too.
    """
    with WRITING:
        session.execute(
            "update snowmelt.alert_deliveries set tries = $2, "
            "first_try_at = coalesce(first_try_at, $3) "
            "where delivery_id = $1 and state = 'due'",
            [waiting.delivery_id, waiting.tries + 1, now],
        )
        state = session.value(
            "select state from snowmelt.alert_deliveries where delivery_id = $1",
            [waiting.delivery_id],
        )
    return bool(state == DeliveryState.DUE)


def write_outcome(
    session: Session, waiting: Waiting, outcome: Outcome, now: datetime
) -> None:
    """Record how a message stands after a try."""
    sent_at = now if outcome.state is DeliveryState.SENT else None
    with WRITING:
        session.execute(
            "update snowmelt.alert_deliveries set state = $2, tries = $3, "
            "next_try_at = $4, error = $5, sent_at = $6 where delivery_id = $1",
            [
                waiting.delivery_id,
                outcome.state.value,
                outcome.tries,
                outcome.next_try_at,
                outcome.error,
                sent_at,
            ],
        )


def drop(session: Session, waiting: Waiting) -> None:
    """Record that a message is not sent, for there is nothing to tell."""
    with WRITING:
        session.execute(
            "update snowmelt.alert_deliveries set state = 'dropped' "
            "where delivery_id = $1",
            [waiting.delivery_id],
        )


def fail_all(session: Session, sink: str, problem: str) -> None:
    """Record that nothing can be sent through a sink: it is not there any more."""
    with WRITING:
        session.execute(
            "update snowmelt.alert_deliveries set state = 'failed', error = $2 "
            "where sink = $1 and state = 'due'",
            [sink, problem],
        )


def open_by_rule(session: Session) -> dict[str, int]:
    """Return how many alerts are open, by rule."""
    return dict(
        session.rows(
            "select rule, count(*) from snowmelt.alerts where resolved_at is null "
            "group by rule order by rule"
        )
    )


def deliveries_by_sink(session: Session) -> dict[tuple[str, str], int]:
    """Return how many messages are kept, by sink and how they stand."""
    rows = session.rows(
        "select sink, state, count(*) from snowmelt.alert_deliveries "
        "group by sink, state order by sink, state"
    )
    return {(sink, state): count for sink, state, count in rows}
