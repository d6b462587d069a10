"""Which alerts open, stay and end: decided without clock, warehouse or network."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.observe.alerts.cause import Cause, Evidence
from snowmelt.observe.alerts.delivery import (
    DeliveryState,
    Retries,
    Waiting,
    choose,
    judge_try,
)
from snowmelt.observe.alerts.finding import Looked
from snowmelt.observe.alerts.judging import (
    MORE,
    OpenAlert,
    Remembered,
    Terms,
    capped,
    judge,
    make_id,
)
from snowmelt.observe.alerts.message import Kind
from snowmelt.observe.alerts.pacing import Pacing
from snowmelt.observe.alerts.quiet import QuietHours
from snowmelt.observe.alerts.rules import Rule
from snowmelt.observe.alerts.severity import Severity
from snowmelt.observe.alerts.sinks.sending import SendError

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
TERMS = Terms(Severity.WARNING, ("ops", "mail"))


def looked(*keys: str, rule: str = "late") -> list[Looked]:
    return [Looked(rule, tuple(Cause(key, f"{key} is off") for key in keys))]


def opened(cause: str = "orders", at: datetime = NOON, **rest: object) -> OpenAlert:
    alert_id = make_id("late", cause, at)
    given = {"told": frozenset({"ops", "mail"}), "last_seen_at": at, **rest}
    return OpenAlert(alert_id, "late", cause, at, **given)  # type: ignore[arg-type]


def test_a_cause_opens_one_alert_that_every_sink_hears_of() -> None:
    verdict = judge([], looked("orders"), {"late": TERMS}, Remembered(), NOON)
    (new,) = verdict.opened
    assert (new.rule, new.cause.key) == ("late", "orders")
    assert [(each.sink, each.kind) for each in verdict.deliveries] == [
        ("ops", Kind.OPENED),
        ("mail", Kind.OPENED),
    ]


def test_what_is_open_is_not_opened_again_and_ends_once() -> None:
    terms = {"late": TERMS}
    verdict = judge([opened()], looked("orders"), terms, Remembered(), NOON)
    assert (verdict.opened, verdict.deliveries, verdict.resolved) == ([], [], [])
    assert [alert.cause for alert, _ in verdict.seen] == ["orders"]
    verdict = judge([opened()], looked(), terms, Remembered(), NOON)
    assert [each.cause for each in verdict.resolved] == ["orders"]
    assert {(each.sink, each.kind) for each in verdict.deliveries} == {
        ("ops", Kind.RESOLVED),
        ("mail", Kind.RESOLVED),
    }


def test_a_rule_that_cannot_be_asked_ends_nothing() -> None:
    unknown = [Looked("late", None, "the engine was busy")]
    verdict = judge([opened()], unknown, {"late": TERMS}, Remembered(), NOON)
    assert verdict.resolved == []
    verdict = judge([opened()], [], {"late": TERMS}, Remembered(), NOON)
    assert verdict.resolved == []


def test_alerts_of_a_rule_that_is_gone_end() -> None:
    verdict = judge([opened()], [], {}, Remembered(), NOON)
    assert len(verdict.resolved) == len(verdict.orphaned) == 1


def test_nobody_hears_of_a_cause_that_flaps_until_it_stays() -> None:
    terms = {"late": Terms(Severity.WARNING, ("ops",), repeat_after=5 * MINUTE)}
    before = Remembered(resolved_at={("late", "orders"): NOON - MINUTE})
    verdict = judge([], looked("orders"), terms, before, NOON)
    assert [each.not_before for each in verdict.deliveries] == [NOON + 4 * MINUTE]
    waits = opened(waiting=frozenset({"ops"}), told=frozenset({"ops"}))
    verdict = judge([waits], looked(), terms, Remembered(), NOON)
    assert verdict.dropped == [(waits.alert_id, "ops")]
    assert verdict.deliveries == []


def test_a_cause_must_last_before_it_is_an_alert_and_be_gone_before_it_ends() -> None:
    terms = {"late": Terms(Severity.INFO, ("ops",), after=MINUTE, resolve_after=MINUTE)}
    found_at = {("late", "orders"): NOON}
    for seconds, opens in ((0, 0), (59, 0), (60, 1)):
        now = NOON + timedelta(seconds=seconds)
        known = Remembered(found_at=found_at)
        assert len(judge([], looked("orders"), terms, known, now).opened) == opens
        assert len(judge([opened()], looked(), terms, known, now).resolved) == opens


def test_what_stays_open_is_escalated_once() -> None:
    terms = {
        "late": Terms(
            Severity.INFO, ("ops",), escalate_after=HOUR, escalate_to=("boss",)
        )
    }
    assert (
        judge([opened()], [], terms, Remembered(), NOON + 59 * MINUTE).deliveries == []
    )
    (one,) = judge([opened()], [], terms, Remembered(), NOON + HOUR).deliveries
    assert (one.sink, one.kind) == ("boss", Kind.ESCALATED)
    again = opened(is_escalated=True, told=frozenset({"ops", "boss"}))
    assert judge([again], [], terms, Remembered(), NOON + 2 * HOUR).deliveries == []
    ended = judge([again], looked(), terms, Remembered(), NOON + 2 * HOUR)
    assert sorted(each.sink for each in ended.deliveries) == ["boss", "ops"]
    muted = Remembered(muted={"late": NOON + 5 * HOUR})
    assert judge([opened()], [], terms, muted, NOON + HOUR).deliveries == []


def test_too_many_causes_are_one() -> None:
    causes = [Cause(f"f{number}", "off") for number in range(30)]
    kept = capped(causes, frozenset({"f29"}), 20)
    assert len(kept) == 21
    assert (kept[0].key, kept[-1].key) == ("f29", MORE)
    assert kept[-1].summary == "10 more causes of this rule"
    assert capped(causes[:20], frozenset(), 20) == causes[:20]


# Quiet hours.

BERLIN = QuietHours.model_validate(
    {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"}
)


@pytest.mark.parametrize(
    ("instant", "ends"),
    [
        ("2026-11-28T21:00:00+00:00", "2026-11-29T06:00:00+00:00"),
        ("2026-11-28T20:59:59+00:00", None),
        ("2026-11-29T05:59:59+00:00", "2026-11-29T06:00:00+00:00"),
        ("2026-11-29T06:00:00+00:00", None),
        # the clock is put forward in the night of the 29th of March
        ("2026-03-28T21:30:00+00:00", "2026-03-29T05:00:00+00:00"),
        ("2026-03-29T05:00:00+00:00", None),
        # and back in the night of the 25th of October
        ("2026-10-24T20:30:00+00:00", "2026-10-25T06:00:00+00:00"),
        ("2026-10-25T05:59:00+00:00", "2026-10-25T06:00:00+00:00"),
    ],
)
def test_quiet_hours_are_those_of_the_place(instant: str, ends: str | None) -> None:
    found = BERLIN.ends(datetime.fromisoformat(instant))
    assert found == (datetime.fromisoformat(ends) if ends else None)


def test_quiet_hours_do_not_begin_again_when_the_clock_is_put_back() -> None:
    quiet = QuietHours.model_validate(
        {"from": "01:00", "to": "02:30", "timezone": "Europe/Berlin"}
    )
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 for the first time
    assert quiet.ends(first - MINUTE) == first
    assert quiet.ends(first) is None
    assert quiet.ends(first + 45 * MINUTE) is None  # 02:15 for the second time


def test_a_time_that_is_left_out_is_an_hour_later() -> None:
    quiet = QuietHours.model_validate(
        {"from": "01:00", "to": "02:30", "timezone": "Europe/Berlin"}
    )
    ends = quiet.ends(datetime(2026, 3, 29, 0, 30, tzinfo=UTC))
    assert ends == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)  # 03:30 in summer


def test_the_worst_is_told_at_any_hour() -> None:
    night = datetime(2026, 11, 29, 1, tzinfo=UTC)
    assert BERLIN.holds_back(Severity.WARNING, night)
    assert not BERLIN.holds_back(Severity.CRITICAL, night)


# What goes next.


def waiting(number: int, alert: str = "a", **rest: object) -> Waiting:
    given = {
        "kind": Kind.OPENED,
        "severity": Severity.WARNING,
        "tries": 0,
        "next_try_at": NOON,
        **rest,
    }
    return Waiting(number, alert, **given)  # type: ignore[arg-type]


def test_messages_go_in_order_and_all_wait_for_a_sink_that_is_not_well() -> None:
    queue = [waiting(1), waiting(2, "b")]
    assert choose(queue, None, NOON).waiting == queue[0]
    failed = waiting(1, tries=1, next_try_at=NOON + MINUTE)
    assert choose([failed, queue[1]], None, NOON).waiting is None
    assert choose([failed, queue[1]], None, NOON).look_at == NOON + MINUTE
    assert choose([failed, queue[1]], None, NOON + MINUTE).waiting == failed


def test_what_waits_by_itself_holds_up_its_own_alert_alone() -> None:
    later = waiting(1, next_try_at=NOON + HOUR)
    end = waiting(2, kind=Kind.RESOLVED)
    other = waiting(3, "b")
    assert choose([later, end, other], None, NOON).waiting == other
    assert choose([later, end], None, NOON).look_at == NOON + HOUR


def test_quiet_hours_hold_back_until_they_end() -> None:
    night = datetime(2026, 11, 29, 1, tzinfo=UTC)
    queue = [waiting(1), waiting(2, "b", severity=Severity.CRITICAL)]
    assert choose(queue, BERLIN, night).waiting == queue[1]
    found = choose(queue[:1], BERLIN, night)
    assert found.look_at == datetime(2026, 11, 29, 6, tzinfo=UTC)


RETRIES = Retries(timedelta(seconds=10), 15 * MINUTE, 24 * HOUR)


@pytest.mark.parametrize(
    ("tries", "asked", "pause"),
    [(0, None, 10), (1, None, 20), (5, None, 320), (60, None, 900), (0, 120, 120)],
)
def test_tries_lie_further_and_further_apart(
    tries: int, asked: float | None, pause: float
) -> None:
    retry_after = None if asked is None else timedelta(seconds=asked)
    error = SendError("down", retry_after=retry_after)
    tried = waiting(1, tries=tries, first_try_at=NOON)
    found = judge_try(tried, error, RETRIES, NOON)
    assert found.state is DeliveryState.DUE
    assert found.next_try_at == NOON + timedelta(seconds=pause)


def test_what_is_refused_or_too_old_is_given_up() -> None:
    tried = waiting(1, tries=3, first_try_at=NOON - 24 * HOUR)
    refused = judge_try(waiting(1), SendError("no", refused=True), RETRIES, NOON)
    old = judge_try(tried, SendError("down"), RETRIES, NOON)
    assert refused.state is old.state is DeliveryState.FAILED
    assert old.error == "given up after 4 tries: down"
    assert judge_try(tried, None, RETRIES, NOON).state is DeliveryState.SENT


# How often it is looked.


def test_a_look_costs_a_hundredth_of_the_time() -> None:
    pacing = Pacing(
        {
            "failed": Rule(on="failed"),
            "disk": Rule(on="disk_low"),
            "kpi": Rule(sql="select 1"),
        }
    )
    assert pacing.due(0.0) == ["failed", "disk", "kpi"]
    pacing.begin(["failed", "disk", "kpi"])
    pacing.ended({"failed": 0.001, "disk": 0.001, "kpi": 3.0}, 0.0)
    pacing.wake()
    assert pacing.due(1.9) == []
    assert pacing.due(2.0) == ["failed"], "events tell of no disk and of no query"
    pacing.begin(["failed"])
    pacing.ended({"failed": 0.5}, 2.0)
    pacing.wake()
    assert pacing.due(51.9) == []
    assert pacing.due(52.0) == ["failed"]
    assert pacing.due(60.0) == ["failed", "disk"]
    assert pacing.due(300.0) == ["failed", "disk", "kpi"], "a dear query waits longer"


# Values.


def test_hidden_evidence_shows_no_value() -> None:
    shown = Evidence("a.csv:3", "'x''y' is no integer", "id", "x,3", {"id": "x"})
    line = shown.hidden().line()
    assert line == "a.csv:3: id: '…' is no integer | … | id=…"
    long = Evidence("a.csv:3", "off", value="v" * 1000).cut()
    assert long.value is not None
    assert len(long.value) == 200


# Everything together: whatever happens, in the end each sink heard once of each.


@dataclass
class Model:
    """Alerts and deliveries as the tables have them, and sinks that may fail."""

    terms: dict[str, Terms]
    alerts: dict[str, dict[str, object]] = field(default_factory=dict)
    queue: list[dict[str, object]] = field(default_factory=list)
    heard: dict[str, list[tuple[str, Kind]]] = field(default_factory=dict)

    def open(self, now: datetime) -> list[OpenAlert]:
        found = []
        for alert_id, alert in self.alerts.items():
            if alert["resolved_at"] is not None:
                continue
            own = [each for each in self.queue if each["alert"] == alert_id]
            told = {each["sink"] for each in own if each["state"] != "dropped"}
            waits = {
                each["sink"]
                for each in own
                if each["state"] == "due" and not each["tries"] and each["at"] > now  # type: ignore[operator]
            }
            found.append(
                OpenAlert(
                    alert_id,
                    *(str(alert["rule"]), str(alert["cause"])),
                    alert["opened_at"],  # type: ignore[arg-type]
                    alert["seen_at"],  # type: ignore[arg-type]
                    told=frozenset(map(str, told)),
                    waiting=frozenset(map(str, waits)),
                    is_escalated=any(e["kind"] is Kind.ESCALATED for e in own),
                )
            )
        return found

    def look(self, causes: set[str], now: datetime, *, fails: bool) -> None:
        keys = tuple(Cause(key, key) for key in sorted(causes))
        found = [Looked("late", None if fails else keys)]
        past: dict[tuple[str, str], datetime] = {}
        for alert in self.alerts.values():
            if alert["resolved_at"] is not None:
                key = (str(alert["rule"]), str(alert["cause"]))
                past[key] = alert["resolved_at"]  # type: ignore[assignment]
        verdict = judge(self.open(now), found, self.terms, Remembered(past), now)
        for new in verdict.opened:
            assert new.alert_id not in self.alerts
            self.alerts[new.alert_id] = {
                "rule": new.rule,
                "cause": new.cause.key,
                "opened_at": now,
                "seen_at": now,
                "resolved_at": None,
            }
        for seen, _ in verdict.seen:
            self.alerts[seen.alert_id]["seen_at"] = now
        for ended in verdict.resolved:
            self.alerts[ended.alert_id]["resolved_at"] = now
        for each in self.queue:
            if (each["alert"], each["sink"]) in verdict.dropped:
                assert each["state"] == "due"
                each["state"] = "dropped"
        for delivery in verdict.deliveries:
            self.queue.append(
                {
                    "alert": delivery.alert_id,
                    "sink": delivery.sink,
                    "kind": delivery.kind,
                    "at": delivery.not_before,
                    "state": "due",
                    "tries": 0,
                    "first": None,
                }
            )

    def deliver(self, sink: str, now: datetime, *, up: bool) -> None:
        while True:
            own = [
                (number, each)
                for number, each in enumerate(self.queue)
                if each["sink"] == sink and each["state"] == "due"
            ]
            line = [
                Waiting(
                    number,
                    str(each["alert"]),
                    each["kind"],  # type: ignore[arg-type]
                    Severity.WARNING,
                    each["tries"],  # type: ignore[arg-type]
                    each["at"],  # type: ignore[arg-type]
                    each["first"],  # type: ignore[arg-type]
                )
                for number, each in own
            ]
            chosen = choose(line, None, now).waiting
            if chosen is None:
                return
            error = None if up else SendError("down")
            outcome = judge_try(chosen, error, RETRIES, now)
            row = self.queue[chosen.delivery_id]
            row["state"], row["tries"] = outcome.state.value, outcome.tries
            row["at"], row["first"] = outcome.next_try_at, row["first"] or now
            if error is not None:
                return
            self.heard.setdefault(sink, []).append((chosen.alert_id, chosen.kind))


STEPS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(["a", "b", "c"])),
        st.integers(1, 600),
        st.booleans(),
        st.booleans(),
        st.integers(0, 9).map(lambda dice: dice == 0),
    ),
    max_size=40,
)


@given(steps=STEPS, repeat=st.sampled_from([0, 300]), last=st.sets(st.just("a")))
@settings(max_examples=150)
def test_each_open_period_is_told_once_and_ended_once(
    steps: list[tuple[set[str], int, bool, bool, bool]], repeat: int, last: set[str]
) -> None:
    """Causes come and go, sinks fail, looks fail; then all is well again.

    A restart is no step of its own: nothing is remembered but what the tables have.
    """
    terms = Terms(
        *(Severity.WARNING, ("ops", "mail")),
        repeat_after=timedelta(seconds=repeat),
        escalate_after=timedelta(minutes=20),
        escalate_to=("boss",),
    )
    model, now = Model({"late": terms}), NOON
    for causes, seconds, ops_up, mail_up, fails in steps:
        now += timedelta(seconds=seconds)
        model.look(causes, now, fails=fails)
        model.deliver("ops", now, up=ops_up)
        model.deliver("mail", now, up=mail_up)
        model.deliver("boss", now, up=mail_up)
    for causes in (last, set(), set()):
        for _ in range(4):
            now += timedelta(minutes=16)
            model.look(causes, now, fails=False)
            for sink in ("ops", "mail", "boss"):
                model.deliver(sink, now, up=True)
    assert not model.open(now)
    assert not [each for each in model.queue if each["state"] == "due"]
    periods = {
        (str(each["alert"]), str(each["sink"]))
        for each in model.queue
        if each["state"] == "sent"
    }
    for alert_id, sink in periods:
        told = [kind for alert, kind in model.heard[sink] if alert == alert_id]
        first = Kind.ESCALATED if sink == "boss" else Kind.OPENED
        assert told == [first, Kind.RESOLVED], (sink, told)
    if not repeat:
        for alert_id in model.alerts:
            assert {(alert_id, "ops"), (alert_id, "mail")} <= periods
