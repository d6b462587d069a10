"""Messages arrive, once and in order, whatever becomes of sinks and processes."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from alert_watch import NOON, HandedClock, Watch, to_hook, watched
from moto.server import ThreadedMotoServer

from alert_receivers import PASSWORD, USER, Hook, served_hook, served_mail
from s3_server import ENVIRONMENT
from snowmelt.observe.alerts.message import Kind, trial_message
from snowmelt.observe.alerts.sinks.apprise import Apprise
from snowmelt.observe.alerts.sinks.sending import SendError
from snowmelt.observe.alerts.sinks.shell import Shell
from snowmelt.observe.alerts.sinks.sns import Sns
from snowmelt.observe.metrics import Metrics
from snowmelt.service.alert_verbs import AlertVerbs, alerts_summary
from snowmelt.service.alerting import has_to_alert
from snowmelt.service.numbers import standing

RULE = {"sql": "select what as cause, what as message from snowmelt.wrong"}
RULES = {"it": RULE}
CONTRACT = {"columns": [{"name": "id", "type": "integer"}]}
PIPES = [
    {
        "name": "orders",
        "pattern": "*.csv",
        "contract": CONTRACT,
        "on_error": "continue",
    }
]


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served_hook() as hook:
        yield hook


class Wrong:
    """What is wrong: rows that a rule finds."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        watch.write("create table if not exists snowmelt.wrong (what varchar)")

    def now(self, *causes: str) -> None:
        """Let exactly this be wrong, and have it looked for."""
        self._watch.write("delete from snowmelt.wrong")
        for cause in causes:
            self._watch.write("insert into snowmelt.wrong values ($1)", cause)
        self._watch.later()


def test_a_sink_that_is_down_for_an_hour_hears_later_in_order_and_once(
    tmp_path: Path, hook: Hook
) -> None:
    alerts = to_hook(hook, rules=RULES, repeat_after="0s")
    with watched(tmp_path / "shop", [], alerts) as watch:
        wrong = Wrong(watch)
        hook.is_down = True
        wrong.now("a")
        wrong.now("a", "b")
        wrong.now("b")
        wrong.now()
        for _ in range(58):
            watch.later(60)
        assert hook.posted == []
        tries = [tries for *_, tries in watch.deliveries()]
        assert tries[0] in range(6, 12), "further and further apart"
        assert tries[1:] == [0, 0, 0], "the others wait for the first"
        with watch.shop.parts.warehouse.snapshot() as session:
            (told,) = alerts_summary(session)["told"]
        assert told.startswith("sink ops of alerts fails: it answered 503")
        hook.is_down = False
        watch.later(15 * 60)
        told_of = [(each.body["cause"], each.body["kind"]) for each in hook.posted]
        assert told_of == [
            *(("a", "opened"), ("b", "opened")),
            *(("a", "resolved"), ("b", "resolved")),
        ]
        watch.later(3600)
        assert len(hook.posted) == 4


def test_numbers_tell_what_is_open_and_what_was_sent(
    tmp_path: Path, hook: Hook
) -> None:
    with watched(tmp_path / "shop", [], to_hook(hook, rules=RULES)) as watch:
        metrics = Metrics(lambda: standing(watch.shop.loop))

        def number(name: str, **labels: str) -> float | None:
            return metrics._registry.get_sample_value(name, labels)

        assert number("snowmelt_alerts_open", rule="it") == 0, "a rule that is quiet"
        wrong = Wrong(watch)
        wrong.now("a", "b")
        hook.is_down = True
        wrong.now("b")
        assert number("snowmelt_alerts_open", rule="it") == 1
        sent = number("snowmelt_alert_deliveries", sink="ops", state="sent")
        due = number("snowmelt_alert_deliveries", sink="ops", state="due")
        assert (sent, due) == (2, 1)


def test_after_a_restart_nothing_is_lost_and_nothing_told_twice(
    tmp_path: Path, hook: Hook
) -> None:
    clock, root = HandedClock(), tmp_path / "shop"
    alerts = to_hook(hook, rules=RULES)
    with watched(root, [], alerts, clock) as watch:
        Wrong(watch).now("a")
    assert hook.kinds == ["opened"]
    with watched(root, [], alerts, clock) as watch:
        watch.later()
        assert hook.kinds == ["opened"]
        hook.is_down = True
        Wrong(watch).now()
    with watched(root, [], alerts, clock) as watch:
        hook.is_down = False
        watch.later()
        watch.later()
    assert hook.kinds == ["opened", "resolved"]
    ids = [each.headers["X-Snowmelt-Message-Id"] for each in hook.posted]
    assert [each.rpartition(".")[2] for each in ids] == ["opened", "resolved"]
    assert [each.body["message_id"] for each in hook.posted] == ids


def test_a_sink_that_says_when_is_asked_no_earlier(tmp_path: Path, hook: Hook) -> None:
    with watched(tmp_path / "shop", [], to_hook(hook, rules=RULES)) as watch:
        hook.answers = [(429, {"Retry-After": "600"}), (500, {})]
        Wrong(watch).now("a")
        watch.later(598)
        ((*_, tries),) = watch.deliveries()
        assert tries == 1
        watch.later(3)
        assert watch.deliveries() == [("ops", "opened", "due", 2)]
        watch.later(30)
        assert watch.deliveries() == [("ops", "opened", "sent", 3)]
        assert hook.kinds == ["opened"]


def test_a_message_that_is_refused_holds_up_no_other(
    tmp_path: Path, hook: Hook
) -> None:
    with watched(tmp_path / "shop", [], to_hook(hook, rules=RULES)) as watch:
        wrong = Wrong(watch)
        hook.answers = [(400, {})]
        wrong.now("a", "b")
        assert watch.deliveries() == [
            ("ops", "opened", "failed", 1),
            ("ops", "opened", "sent", 1),
        ]
        wrong.now()
        told = [(each.body["cause"], each.body["kind"]) for each in hook.posted]
        assert told == [("b", "opened"), ("b", "resolved")], "of a nobody had heard"


def test_nobody_hears_the_end_of_what_they_never_heard_of(
    tmp_path: Path, hook: Hook
) -> None:
    with watched(tmp_path / "shop", [], to_hook(hook, rules=RULES)) as watch:
        wrong = Wrong(watch)
        hook.answers = [(503, {"Retry-After": "100"}), (400, {})]
        wrong.now("a")
        wrong.now()
        watch.later(100)
        states = [(kind, state) for _, kind, state, _ in watch.deliveries()]
        assert states == [("opened", "failed"), ("resolved", "dropped")]
        assert hook.posted == []


def test_it_is_given_up_in_the_end(tmp_path: Path, hook: Hook) -> None:
    alerts = to_hook(hook, rules=RULES, give_up_after="1h", retry_max="10m")
    with watched(tmp_path / "shop", [], alerts) as watch:
        hook.is_down = True
        Wrong(watch).now("a")
        for _ in range(8):
            watch.later(601)
        ((_, _, state, tries),) = watch.deliveries()
        assert (state, tries) == ("failed", 7)
        ((error,),) = watch.shop.rows("select error from snowmelt.alert_deliveries")
        assert error.startswith("given up after 7 tries: it answered 503")


def test_a_sink_that_hangs_holds_up_neither_loads_nor_other_sinks(
    tmp_path: Path, hook: Hook
) -> None:
    hook.hangs = threading.Event()
    with served_hook() as other:
        sinks = {
            "ops": {"webhook": {"url": hook.url}, "time_limit": "1s"},
            "other": {"webhook": {"url": other.url}},
        }
        alerts = {"sinks": sinks, "rules": RULES}
        with watched(tmp_path / "shop", PIPES, alerts) as watch:
            watch.write("create table snowmelt.wrong as select 'a' as what")
            watch.clock.advance(61)
            watch.alerting.turn()
            watch.shop.wait_until(lambda: _turned(watch) and bool(other.posted))
            watch.shop.land("a.csv", b"id\n1\n")
            watch.shop.load()
            assert watch.shop.history("a.csv")[0]["status"] == "Loaded"
            assert hook.posted == [], "it still hangs"
            watch.settle()
            ((error,),) = watch.shop.rows(
                "select error from snowmelt.alert_deliveries where sink = 'ops'"
            )
            assert error.startswith("no answer within 1 s")
            hook.hangs.set()
    assert other.kinds == ["opened"]


def _turned(watch: Watch) -> bool:
    watch.alerting.turn()
    return True


def test_quiet_hours_hold_messages_back_and_not_the_record(
    tmp_path: Path, hook: Hook
) -> None:
    quiet = {"from": "22:00", "to": "07:00", "timezone": "Europe/Berlin"}
    rules = {"it": RULE, "worst": {**RULE, "severity": "critical"}}
    clock = HandedClock(NOON.replace(month=3, day=28, hour=21, minute=30))
    alerts = to_hook(hook, rules=rules, quiet_hours=quiet)
    with watched(tmp_path / "shop", [], alerts, clock) as watch:
        wrong = Wrong(watch)
        wrong.now("a")
        assert [each.body["severity"] for each in hook.posted] == ["critical"]
        assert len(watch.alerts()) == 2
        watch.later(7 * 3600)  # 06:31 in summer
        assert len(hook.posted) == 1
        watch.later(1800)
        assert len(hook.posted) == 2


def test_what_is_muted_is_told_later_if_it_is_still_there(
    tmp_path: Path, hook: Hook
) -> None:
    with watched(tmp_path / "shop", [], to_hook(hook, rules=RULES)) as watch:
        wrong = Wrong(watch)
        verbs = AlertVerbs(watch.shop.loop, serving=True)
        verbs.mute("it", "1h")
        wrong.now("a", "b")
        wrong.now("b")
        assert hook.posted == []
        watch.later(3600)
        assert [each.body["cause"] for each in hook.posted] == ["b"]
        assert {state for _, _, state, _ in watch.deliveries()} == {"dropped", "sent"}


def test_who_hears_later_hears_of_the_end_too(tmp_path: Path, hook: Hook) -> None:
    with served_hook() as boss:
        sinks = {
            "ops": {"webhook": {"url": hook.url}},
            "boss": {"webhook": {"url": boss.url}, "values": "hidden"},
        }
        rule = {
            "sql": "select what as cause, 42 as figure from snowmelt.wrong",
            "to": ["ops"],
        }
        escalate = {"after": "1h", "to": ["boss"]}
        alerts = {"sinks": sinks, "rules": {"it": rule}, "escalate": escalate}
        with watched(tmp_path / "shop", [], alerts) as watch:
            wrong = Wrong(watch)
            wrong.now("a")
            watch.later(3000)
            assert boss.posted == []
            watch.later(700)
            watch.later(3600)
            assert boss.kinds == ["escalated"]
            body = boss.posted[0].body
            assert body["subject"] == "[small] still open, warning: a"
            assert "figure=…" in body["text"]
            assert "42" not in json.dumps(body["evidence"])
            assert "figure=42" in hook.posted[0].body["text"]
            wrong.now()
            assert boss.kinds == ["escalated", "resolved"]
            assert hook.kinds == ["opened", "resolved"]


def test_alerts_of_a_rule_that_is_taken_out_end_and_say_so(
    tmp_path: Path, hook: Hook
) -> None:
    clock, root = HandedClock(), tmp_path / "shop"
    with watched(root, [], to_hook(hook, rules=RULES), clock) as watch:
        Wrong(watch).now("a")
    with watched(root, [], to_hook(hook), clock) as watch:
        assert has_to_alert(watch.shop.parts)
        watch.later()
        assert not has_to_alert(watch.shop.parts)
    text = hook.posted[-1].body["text"]
    assert text.startswith("Resolved: its rule is not in snowmelt.yml any more.")


def test_events_wake_and_a_look_finds(tmp_path: Path, hook: Hook) -> None:
    rules = {"failed": {"on": "failed", "every": "1h"}}
    with watched(tmp_path / "shop", PIPES, to_hook(hook, rules=rules)) as watch:
        watch.settle()
        watch.later(60)
        assert watch.alerting.idle
        watch.shop.land("a.csv", b"nothing\n")
        watch.shop.load()
        watch.settle()
        assert hook.kinds == ["opened"], "it did not wait for an hour"


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.long)])
def test_whatever_happens_each_sink_hears_once_of_each(
    tmp_path: Path, hook: Hook, seed: int
) -> None:
    """Causes come and go, sinks are down, processes end; then all is well again."""
    dice = random.Random(seed)
    clock, root = HandedClock(), tmp_path / "shop"
    steps = 60 if seed == 3 else 16
    with served_hook() as boss:
        alerts = {
            "sinks": {
                "ops": {"webhook": {"url": hook.url}},
                "boss": {"webhook": {"url": boss.url}},
            },
            "rules": {"it": {**RULE, "to": ["ops"], "every": "1s"}},
            "escalate": {"after": "10m", "to": ["boss"]},
            "repeat_after": dice.choice(["0s", "5m"]),
        }
        while steps:
            with watched(root, [], alerts, clock) as watch:
                wrong = Wrong(watch)
                for _ in range(min(steps, dice.randrange(1, 8))):
                    steps -= 1
                    hook.is_down = dice.random() < 0.4
                    boss.is_down = dice.random() < 0.4
                    clock.advance(dice.choice([1, 200, 700]))
                    wrong.now(*dice.sample("abc", dice.randrange(4)))
        hook.is_down = boss.is_down = False
        with watched(root, [], alerts, clock) as watch:
            wrong = Wrong(watch)
            wrong.now()
            for _ in range(3):
                watch.later(901)
            known = {each["alert_id"] for each in watch.alerts()}
            assert all(each["resolved_at"] for each in watch.alerts())
            states = {state for _, _, state, _ in watch.deliveries()}
            assert states <= {"sent", "dropped"}
    assert hook.posted, "nothing happened at all"
    for each, first in ((hook, "opened"), (boss, "escalated")):
        for alert_id in known:
            bodies = [p.body for p in each.posted if p.body["alert_id"] == alert_id]
            assert [b["kind"] for b in bodies] in ([], [first, "resolved"]), alert_id


def test_old_alerts_are_forgotten(tmp_path: Path, hook: Hook) -> None:
    alerts = to_hook(hook, rules=RULES, keep="10d")
    with watched(tmp_path / "shop", [], alerts) as watch:
        wrong = Wrong(watch)
        wrong.now("a")
        wrong.now()
        watch.later(9 * 86400)
        assert len(watch.alerts()) == 1
        watch.later(2 * 86400)
        assert watch.alerts() == []
        assert watch.deliveries() == []


# One sink after the other.


def test_mail_is_secured_and_can_be_read(tmp_path: Path) -> None:
    with served_mail(tmp_path) as box:
        mail: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": box.port,
            "ca_file": str(box.ca_file),
            "user": USER,
            "password": PASSWORD,
            "from": "snow@example.org",
            "to": ["a@example.org", "b@example.org"],
        }
        alerts = {"sinks": {"mail": {"email": mail}}, "rules": {"it": {"on": "failed"}}}
        with watched(tmp_path / "shop", PIPES, alerts) as watch:
            watch.shop.land("a<b>.csv", b"nothing\n")
            watch.shop.load()
            watch.later()
            watch.shop.land("a<b>.csv", b"id\n1\n")
            watch.shop.load()
            watch.later()
    assert box.subjects == [
        "[small] warning: a<b>.csv could not be loaded",
        "[small] resolved: a<b>.csv: its newest load did not fail",
    ]
    assert box.users == [USER, USER]
    opened, resolved = box.mails
    assert opened["To"] == "a@example.org, b@example.org"
    assert resolved["In-Reply-To"] == opened["Message-ID"]
    assert opened["Message-ID"] == f"<{opened['X-Snowmelt-Message-Id']}@example.org>"
    plain, html = opened.get_body(("plain",)), opened.get_body(("html",))
    assert plain is not None
    assert html is not None
    assert "What helps: snowmelt why 'a<b>.csv'" in plain.get_content()
    assert "<code>snowmelt why &#x27;a&lt;b&gt;.csv&#x27;</code>" in html.get_content()


@pytest.mark.parametrize(
    ("off", "told"),
    [
        ({"password": "hunter2"}, "it refused user or password (535)"),
        ({"ca_file": None}, "CERTIFICATE_VERIFY_FAILED"),
        ({"port": 1}, "refused"),
    ],
)
def test_mail_that_cannot_be_sent_says_why(
    tmp_path: Path, off: dict[str, Any], told: str
) -> None:
    with served_mail(tmp_path) as box:
        mail: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": box.port,
            "ca_file": str(box.ca_file),
            "user": USER,
            "password": PASSWORD,
            "from": "snow@example.org",
            "to": ["a@example.org"],
            **off,
        }
        alerts = {"sinks": {"mail": {"email": mail}}}
        with watched(tmp_path / "shop", [], alerts) as watch:
            verbs = AlertVerbs(watch.shop.loop, serving=True)
            (result,) = verbs.test(None)["sinks"]
    assert result["sent"] is False
    assert told in result["error"]
    assert "hunter2" not in result["error"]
    assert box.mails == []


def test_slack_gets_its_own_shape(tmp_path: Path, hook: Hook) -> None:
    alerts = {"sinks": {"chat": {"slack": {"url": hook.url}}}, "rules": RULES}
    with watched(tmp_path / "shop", [], alerts) as watch:
        Wrong(watch).now("a <b> & c " + "x" * 4000)
    body = hook.posted[0].body
    assert body["text"].startswith("[small] warning: a &lt;b&gt; &amp; c")
    kinds = [block["type"] for block in body["blocks"]]
    assert (kinds[0], kinds[-1]) == ("header", "context")
    assert len(body["blocks"][0]["text"]["text"]) == 150
    sections = [each["text"]["text"] for each in body["blocks"][1:-1]]
    assert all(len(each) <= 3000 for each in sections)
    assert "What helps: `snowmelt alerts`" in sections


def test_a_command_gets_the_message_on_its_stdin(tmp_path: Path) -> None:
    message = trial_message("shop", "script", NOON)
    taken = tmp_path / "taken"
    Shell(command=f"cat > {taken}; echo $SNOWMELT_MESSAGE_ID >> {taken}").send(
        message, 5
    )
    document, message_id = taken.read_text().rsplit("}", 1)
    assert json.loads(document + "}")["kind"] == Kind.TEST
    assert message_id.strip() == message.message_id
    with pytest.raises(SendError, match="it ended with code 3: no way"):
        Shell(command="echo no way >&2; exit 3").send(message, 5)
    with pytest.raises(SendError, match=r"it did not end within 0.2 s"):
        Shell(command="sleep 60 & sleep 60").send(message, 0.2)


def test_a_topic_gets_text_and_machines_get_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        sns = boto3.client("sns", endpoint_url=endpoint)
        sqs = boto3.client("sqs", endpoint_url=endpoint)
        topic = sns.create_topic(Name="alerts")["TopicArn"]
        queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
        sns.subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=arn["Attributes"]["QueueArn"],
            Attributes={"RawMessageDelivery": "true"},
        )
        message = trial_message("shop", "topic", NOON)
        Sns(topic_arn=topic, endpoint=endpoint).send(message, 10)
        taken = sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"]
        assert json.loads(taken)["message_id"] == message.message_id
        with pytest.raises(SendError, match="topic"):
            Sns(topic_arn=topic + "2", endpoint=endpoint).send(message, 10)
    finally:
        server.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_takes_what_it_knows(hook: Hook) -> None:
    pytest.importorskip("apprise")
    message = trial_message("shop", "any", NOON)
    Apprise.model_validate({"url": f"json://127.0.0.1:{hook.port}/"}).send(message, 5)
    assert hook.posted[0].body["title"] == message.subject
    with pytest.raises(SendError, match="does not know"):
        Apprise.model_validate({"url": "nothing://hunter2"}).send(message, 5)
