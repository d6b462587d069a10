"""Alerts of a real service: mail and webhook, over restarts, from late to resolved."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alert_watch import HandedClock
from small_shop import open_shop

from alert_receivers import PASSWORD, USER, Hook, Mailbox, served_hook, served_mail
from shop import SNOWMELT, Answer, Shop
from snowmelt.cli.alerts import show_alerts
from snowmelt.cli.main import main
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.serve.client import connect_service
from snowmelt.service.alert_queries import check_alert_queries
from snowmelt.service.commands import OwnCommands
from snowmelt.service.lane import Lane
from snowmelt.service.loop import Loop
from snowmelt.service.noticing import Noticed, Noticing
from snowmelt.service.opening import opened
from snowmelt.transform.graph import Graph

WAIT_SECONDS = 60
PIPE = {
    "name": "orders",
    "pattern": "orders*.csv",
    "on_error": "continue",
    "expect": "every 1h",
    "contract": {"columns": [{"name": "id", "type": "integer"}]},
}


@pytest.fixture
def servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Hook, Mailbox]]:
    with served_hook() as hook, served_mail(tmp_path / "mail") as box:
        monkeypatch.setenv("OPS_URL", hook.url)
        monkeypatch.setenv("SMTP_PASSWORD", PASSWORD)
        yield hook, box


def alerts_to(box: Mailbox, **rules: Any) -> dict[str, Any]:
    mail = {
        "host": "127.0.0.1",
        "port": box.port,
        "ca_file": str(box.ca_file),
        "user": USER,
        "password": "${SMTP_PASSWORD}",
        "from": "snow@example.org",
        "to": ["ops@example.org"],
    }
    return {
        "sinks": {"ops": {"webhook": {"url": "${OPS_URL}"}}, "mail": {"email": mail}},
        "rules": rules,
    }


def overdue_shop(root: Path, alerts: dict[str, Any]) -> None:
    """Make a project whose pipe has waited for a file for hours."""
    long_ago = HandedClock(SystemClock().now() - timedelta(hours=3))
    with open_shop(root, [PIPE], long_ago, alerts=alerts) as shop:
        shop.loop.turn()


@contextmanager
def killed_service(root: Path) -> Iterator[None]:
    """Run a service for the length of a block; then it is killed."""
    with (root / "said.txt").open("a") as said:
        up = subprocess.Popen([SNOWMELT, "up"], cwd=root, stderr=said)
        try:
            yield
        finally:
            up.send_signal(signal.SIGKILL)
            up.wait(timeout=60)
            (root / ".snowmelt" / "service.sock").unlink()


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.05)


def asked(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> Answer:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([*words, "--project-dir", str(root)])
    told = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return Answer(ended.value.code, told.out, told.err)


def answered(root: Path) -> dict[str, Any]:
    """Return what the service says of its alerts; empty while none answers."""
    with connect_service(root / ".snowmelt" / "service.sock") as client:
        return client.alerts() if client is not None else {}


def on_record(root: Path, kind: str) -> bool:
    """Is it on record that every sink got a message?"""
    found = answered(root).get("open", [])
    sent = [each for alert in found for each in alert["deliveries"]]
    states = [each["state"] for each in sent if each["kind"] == kind]
    return states == ["sent", "sent"]


@pytest.mark.long
def test_from_late_to_resolved_over_a_kill(
    tmp_path: Path,
    servers: tuple[Hook, Mailbox],
    capsys: pytest.CaptureFixture[str],
) -> None:
    hook, box = servers
    root = tmp_path / "shop"
    overdue_shop(root, alerts_to(box, late={"on": "late", "every": "1s"}))
    with killed_service(root):
        until(lambda: on_record(root, "opened"), "nobody heard of it")
        (alert,) = answered(root)["open"]
    with killed_service(root):
        until(lambda: bool(answered(root)), "the service did not come back")
        (cause,) = answered(root)["causes"]
        assert cause["alert_id"] == alert["alert_id"], "it is the same alert"
        Shop(root).land_bytes("orders_1.csv", b"id\n1\n")
        until(lambda: len(hook.posted) + len(box.mails) == 4, "its end is not told")
        told = asked(capsys, root, "alerts", "history")
    assert hook.kinds == ["opened", "resolved"], "one of each, whatever was killed"
    ids = [each.headers["Idempotency-Key"] for each in hook.posted]
    assert ids == [f"{alert['alert_id']}.{kind}" for kind in ("opened", "resolved")]
    assert [str(each["X-Snowmelt-Message-Id"]) for each in box.mails] == ids
    assert "pipe orders: a file was due by" in box.subjects[0]
    assert box.subjects[1] == "[small] resolved: pipe orders: its files come again"
    assert PASSWORD not in (root / "said.txt").read_text()
    assert "opened mail: sent" in told.stdout


def test_what_would_be_told_is_shown_without_any_configuration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "shop"
    overdue_shop(root, {})
    told = asked(capsys, root, "alerts")
    assert told.code == 0
    assert "late   warning" in told.stdout
    assert "Nobody is told of it: snowmelt.yml has no alerts." in told.stderr
    assert asked(capsys, root, "alerts", "test").code == 2
    assert asked(capsys, root, "alerts", "mute", "late", "--for", "2h").code == 2


def test_alerts_that_a_service_has_not_read_are_not_said_to_be_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        lane: Lane[Noticed] = Lane("project", lambda: None)
        noticing = Noticing(shop.parts.project, shop.parts.clock, lane, lambda: None)
        noticing.noticed = Noticed({"snowmelt.yml": "changed"})
        shop.parts.noticing = noticing
        document = OwnCommands(shop.loop, serving=True).alerts()
    show_alerts(document)
    told = capsys.readouterr().err
    assert "snowmelt.yml changed; `snowmelt up` reads it after a restart" in told
    assert "has no alerts" not in told


def test_sinks_are_tried_and_rules_muted(
    tmp_path: Path,
    servers: tuple[Hook, Mailbox],
    capsys: pytest.CaptureFixture[str],
) -> None:
    hook, box = servers
    root = tmp_path / "shop"
    with open_shop(root, [PIPE], alerts=alerts_to(box, late={"on": "late"})):
        pass
    told = asked(capsys, root, "alerts", "test")
    assert told.code == 0
    assert (hook.kinds, len(box.mails)) == (["test"], 1)
    hook.is_down = True
    told = asked(capsys, root, "alerts", "test", "ops")
    assert told.code == 1
    assert "it answered 503" in told.stdout
    assert hook.url not in told.stdout + told.stderr
    assert asked(capsys, root, "alerts", "test", "opps").code == 2
    told = asked(capsys, root, "alerts", "mute", "late", "--for", "2h")
    assert told.stdout.startswith("late is muted until ")
    assert "late is muted until" in asked(capsys, root, "alerts").stderr
    told = asked(capsys, root, "alerts", "mute", "late", "--for", "0s")
    assert told.stdout == "late is not muted any more\n"
    assert asked(capsys, root, "alerts", "mute", "late", "--for", "long").code == 2


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("create table x as select 1", "only one query at a time"),
        ("select 1; select 2", "only one query at a time"),
        ("copy (select 1) to 'x.csv'", "only one query at a time"),
        ("selec 1", "syntax error"),
        ("select nothing from snowmelt.alerts", "nothing"),
        ("select * from {{ ref('nothing') }}", "there is no model 'nothing'"),
    ],
)
def test_a_query_that_cannot_be_asked_is_refused(
    tmp_path: Path, sql: str, told: str
) -> None:
    alerts = {"rules": {"late": {"on": "late"}, "kpi": {"sql": sql}}}
    with (
        open_shop(tmp_path / "shop", [], alerts=alerts) as shop,
        pytest.raises(ConfigError) as error,
    ):
        check_alert_queries(shop.parts, Graph([], []))
    lines = (tmp_path / "shop" / "snowmelt.yml").read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if "sql:" in text)
    assert error.value.where == f"snowmelt.yml:{line}: alerts.rules.kpi.sql"
    assert told in str(error.value)


def test_run_tells_of_what_it_found_at_its_end(
    tmp_path: Path, servers: tuple[Hook, Mailbox]
) -> None:
    hook, box = servers
    root = tmp_path / "shop"
    rules = {"rejected": {"on": "rejected", "to": ["ops"]}, "late": {"on": "late"}}
    overdue_shop(root, alerts_to(box, **rules))
    Shop(root).land_bytes("orders_1.csv", b"id\n1\nx\n")
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts, publishes=False)
        try:
            told = OwnCommands(loop, serving=False).run(None)
        finally:
            loop.close()
    assert told["error_count"] == 1
    assert hook.kinds == ["opened"]
    assert hook.posted[0].body["cause"] == "orders_1.csv"
    assert box.mails == [], "the file that was late has come before anybody looked"
