"""Each rule that is built in: found, told with what shows it and what helps, ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alert_watch import NOON, Watch, to_hook, watched

from alert_receivers import Hook, served_hook
from snowmelt.observe.alerts.config import DEFAULT_RULES
from snowmelt.service.operating import Operating
from snowmelt.service.publishing.record import Record, write_record

CONTRACT = {
    "columns": [{"name": "id", "type": "integer"}, {"name": "amount", "type": "double"}]
}
PIPES: list[dict[str, Any]] = [
    {
        "name": "orders",
        "pattern": "orders*.csv",
        "on_error": "continue",
        "contract": CONTRACT,
        "expect": "every 1h",
    }
]
GOOD = b"id,amount\n1,2.5\n"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with served_hook() as hook:
        yield hook


def watch_for(rule: dict[str, Any], root: Path, hook: Hook) -> Any:
    return watched(root / "shop", PIPES, to_hook(hook, rules={"it": rule}))


def told(hook: Hook, kind: str, *parts: str) -> dict[str, Any]:
    """Return the newest message, which must be of a kind and say all of this."""
    body = hook.posted[-1].body
    assert body["kind"] == kind, body["text"]
    for part in parts:
        assert part in body["text"], body["text"]
    return body


def ended(watch: Watch, hook: Hook, *parts: str) -> None:
    """The one alert is resolved, and that is told once."""
    told(hook, "resolved", "Resolved: ", *parts)
    assert hook.kinds == ["opened", "resolved"]
    (alert,) = watch.alerts()
    assert alert["resolved_at"] is not None
    watch.later()
    assert len(hook.posted) == 2


@pytest.mark.parametrize(
    ("on", "late_after", "due"),
    [("late", 3700, "13:00"), ("missing_file", 7300, "13:")],
)
def test_a_file_that_does_not_come(
    tmp_path: Path, hook: Hook, on: str, late_after: float, due: str
) -> None:
    with watch_for({"on": on}, tmp_path, hook) as watch:
        watch.shop.land("orders_1.csv", GOOD)
        watch.shop.load()
        watch.later(late_after - 200)
        assert hook.posted == []
        watch.later(300)
        body = told(
            hook,
            "opened",
            f"pipe orders: a file was due by 2026-11-28 {due}",
            "(every 1h)",
            "orders_1.csv: the newest file, loaded 2026-11-28 12:00:00 UTC, 1 row",
            "What helps: snowmelt history --pipe orders",
        )
        assert (body["pipe"], body["rule"], body["cause"]) == ("orders", "it", "orders")
        watch.later()
        watch.later()
        assert len(hook.posted) == 1, "what is open is not told again"
        assert watch.alerts()[0]["seen"] >= 2
        watch.shop.land("orders_2.csv", GOOD + b"2,1\n")
        watch.shop.load()
        watch.later()
        ended(watch, hook, "its files come again")


def test_a_batch_that_is_not_complete(tmp_path: Path, hook: Hook) -> None:
    waits = {"files": 2, "per": r"(\d{4})", "deadline": "1h"}
    pipe = {"name": "daily", "pattern": "daily*.csv", "contract": CONTRACT}
    alerts = to_hook(hook, rules={"it": {"on": "missing_file"}})
    with watched(tmp_path / "shop", [{**pipe, "wait_for": waits}], alerts) as watch:
        watch.shop.land("daily_2026_a.csv", GOOD)
        watch.shop.load()
        watch.later(3700)
        told(hook, "opened", "batch 2026 is not complete: 1 of 2 files", "daily_2026_a")
        watch.shop.land("daily_2026_b.csv", GOOD + b"2,1\n")
        watch.shop.load()
        watch.later()
        ended(watch, hook, "batch 2026 is loaded")


def test_a_file_that_cannot_be_loaded(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "failed", "pipe": "orders"}, tmp_path, hook) as watch:
        watch.shop.land("orders_1.csv", b"nothing\n1\n")
        watch.shop.load()
        watch.later()
        told(
            hook,
            "opened",
            "orders_1.csv could not be loaded",
            "orders_1.csv: the header has none of the contract's columns",
            "What helps: snowmelt why orders_1.csv",
        )
        watch.later(8 * 86400)
        assert len(hook.posted) == 1, "what is open stays open, however old it is"
        watch.shop.land("orders_1.csv", GOOD)
        watch.shop.load()
        watch.later()
        ended(watch, hook, "orders_1.csv: its newest load did not fail")


def test_a_run_that_fails(tmp_path: Path, hook: Hook) -> None:
    insert = (
        "insert into snowmelt.run_history (run_id, state, reason, started_at, "
        "ended_at, full_refresh, project_digest, error) "
        "values ($1, $2, '', $3, $3, '', '', $4)"
    )
    with watch_for({"on": "failed"}, tmp_path, hook) as watch:
        now = watch.clock.now
        watch.write(insert, "r1", "SUCCEEDED", now(), None)
        watch.write(insert, "r2", "FAILED", now(), "a test failed")
        watch.write(
            "insert into snowmelt.node_history (run_id, node, resource_type, status, "
            "seconds, failures, message) values "
            "('r2', 'not_null_orders_id', 'test', 'fail', 0, 3, 'Got 3 results')"
        )
        row = {"id": None, "_file": "orders_1.csv", "_file_row": 7}
        watch.write(
            "insert into snowmelt.test_failures values "
            "('r2', 'not_null_orders_id', 1, $1)",
            json.dumps(row),
        )
        watch.later()
        told(
            hook,
            "opened",
            "the last run failed",
            "test not_null_orders_id: 3 rows: Got 3 results",
            "orders_1.csv#7: a failing row | id=None",
            "What helps: snowmelt status",
        )
        watch.write(insert, "r3", "FAILED", now(), "again")
        watch.later()
        assert len(hook.posted) == 1, "it still fails: that is one alert"
        watch.write(insert, "r4", "SUCCEEDED", now(), None)
        watch.later()
        ended(watch, hook, "the newest run is published")


def test_records_that_are_refused(tmp_path: Path, hook: Hook) -> None:
    rule = {"on": "rejected", "more_than": "5%", "pipe": "orders"}
    few = b"id,amount\n" + b"".join(b"%d,1\n" % each for each in range(19)) + b"x,1\n"
    with watch_for(rule, tmp_path, hook) as watch:
        watch.shop.land("orders_few.csv", few)
        watch.shop.load()
        watch.later()
        assert hook.posted == [], "5% are not more than 5%"
        watch.shop.land("orders_1.csv", b"id,amount\n1,2.5\nx,9\n3,y\n")
        watch.shop.load()
        watch.later()
        told(
            hook,
            "opened",
            "orders_1.csv: 2 of 3 records refused",
            "orders_1.csv:3: id: 'x' is not a valid integer | x,9",
            "orders_1.csv:4: amount: 'y' is not a valid double | 3,y",
            "What helps: snowmelt rejects --file orders_1.csv",
        )
        watch.later(8 * 86400)
        assert len(hook.posted) == 1
        watch.shop.land("orders_1.csv", GOOD)
        watch.shop.load()
        watch.later()
        ended(watch, hook, "its refused records are no more than they may be")


def test_a_file_that_is_held(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "held"}, tmp_path, hook) as watch:
        watch.shop.land("orders_1.csv", GOOD)
        Operating(watch.shop.loop).hold("orders_1.csv", "ask the shop first")
        watch.later()
        told(
            hook,
            "opened",
            "orders_1.csv is held: a person holds it",
            "ask the shop first",
            "What helps: snowmelt why orders_1.csv",
        )
        Operating(watch.shop.loop).release("orders_1.csv")
        watch.later()
        ended(watch, hook, "orders_1.csv is not held any more")


def test_a_stream_that_does_not_move(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "offset_stuck"}, tmp_path, hook) as watch:
        watch.write(
            "insert into snowmelt.stream_offsets values "
            "('silver.orders', 'bronze.orders', 0, $1)",
            NOON,
        )
        watch.later(3600)
        assert hook.posted == [], "nothing waits for it"
        watch.shop.land("orders_1.csv", GOOD)
        watch.shop.load()
        watch.later(14 * 60)
        assert hook.posted == []
        watch.later(120)
        told(
            hook,
            "opened",
            "stream of silver.orders on bronze.orders has not moved since",
            "silver.orders: waiting for it: 1 row",
            "What helps: snowmelt streams",
        )
        watch.write("update snowmelt.stream_offsets set position = 1")
        watch.later()
        ended(watch, hook, "moves again")


def test_an_audit_that_finds_differences(tmp_path: Path, hook: Hook) -> None:
    insert = "insert into snowmelt.audit_history values ($1, $2, '', $3, $3, 1, $4, $5)"
    with watch_for({"on": "audit_failed"}, tmp_path, hook) as watch:
        now = watch.clock.now
        watch.write(
            insert,
            "a1",
            "FAILED",
            now(),
            "silver.orders",
            "silver.orders: other values",
        )
        watch.later()
        told(
            hook,
            "opened",
            "what is published is not what dbt makes",
            "silver.orders: silver.orders: other value",
            "What helps: snowmelt rebuild",
        )
        watch.write(insert, "a2", "SKIPPED", now(), None, "no room")
        watch.later()
        assert len(hook.posted) == 1, "one that was skipped says nothing"
        watch.write(insert, "a3", "SUCCEEDED", now(), None, None)
        watch.later()
        ended(watch, hook, "the newest audit found no difference")


def test_tasks_that_are_suspended_or_fail(tmp_path: Path, hook: Hook) -> None:
    rules = {"stopped": {"on": "task_suspended"}, "failed": {"on": "task_failed"}}
    alerts = to_hook(hook, rules=rules)
    with watched(tmp_path / "shop", PIPES, alerts) as watch:
        watch.later()
        assert watch.alerting.problems == {}, "a project without tasks is in order"
        state = (
            "insert into snowmelt.task_states (name, state, changed_at, changed_by, "
            "reason) values ('nightly', $1, $2, 'failures', $3)"
        )
        run = (
            "insert into snowmelt.task_runs (task_run_id, graph_run_group_id, "
            "attempt_number, name, root_name, kind, query_text, state, error_message, "
            "scheduled_time, completed_time, graph_version, graph_scheduled_time, "
            "scheduled_from) values ($1, $1, 1, 'nightly', 'nightly', 'sql', '', $2, "
            "$3, $4, $4, 1, $4, 'SCHEDULE')"
        )
        now = watch.clock.now
        watch.write(state, "suspended", now(), "failed 3 times")
        watch.write(run, "one", "FAILED", "no such table", now())
        watch.later()
        texts = [each.body["text"] for each in hook.posted]
        assert any("task nightly is suspended by failures" in each for each in texts)
        assert any("nightly: no such table" in each for each in texts)
        watch.write(state, "started", now(), None)
        watch.write(run, "two", "SUCCEEDED", None, now())
        watch.later()
        assert sorted(hook.kinds) == ["opened"] * 2 + ["resolved"] * 2


def test_a_load_of_an_unusual_size(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "anomaly"}, tmp_path, hook) as watch:
        for number in range(10):
            rows = b"".join(b"%d,1\n" % each for each in range(number, number + 100))
            watch.shop.land(f"orders_{number}.csv", b"id,amount\n" + rows)
        watch.shop.load()
        watch.later()
        assert hook.posted == []
        watch.shop.land("orders_odd.csv", GOOD)
        watch.shop.load()
        watch.later()
        told(
            hook,
            "opened",
            "orders_odd.csv has 1 row, loads of pipe orders have 100 as a rule",
            "What helps: snowmelt history --pipe orders",
        )
        watch.later(3600)
        ended(watch, hook, "no load of an unusual size of late")


def test_a_disk_that_runs_full(
    tmp_path: Path, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = SimpleNamespace(total=100_000_000_000, used=0, free=4_000_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: room)
    with watch_for({"on": "disk_low", "less_than": "5GB"}, tmp_path, hook) as watch:
        watch.later()
        told(hook, "opened", "has 4.0 GB free (4.0%)", "What helps: df -h")
        room.free = 50_000_000_000
        watch.later()
        ended(watch, hook, "has room again")


def test_memory_that_was_too_little(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "spilled"}, tmp_path, hook) as watch:
        watch.write(
            "insert into snowmelt.pipeline_log (step, object, started_at, ended_at, "
            "status, bytes) values ('spill', 'orders', $1, $1, 'SPILLED', 5000000)",
            watch.clock.now(),
        )
        watch.later()
        told(hook, "opened", "memory was too little for pipe orders: 5 MB")
        watch.later(3600)
        ended(watch, hook, "memory was enough for pipe orders of late")


def test_a_place_that_gold_does_not_reach(tmp_path: Path, hook: Hook) -> None:
    with watch_for({"on": "publish_failing"}, tmp_path, hook) as watch:
        folder = watch.shop.root / ".snowmelt" / "published" / "bi"
        away = Record("bi", "postgres", "postgresql://bi/db")
        write_record(folder, away.failed("it is away", "", watch.clock.now()))
        watch.later(240)
        assert hook.posted == []
        watch.later(120)
        told(
            hook,
            "opened",
            "gold is not published to bi: it is away",
            "What helps: snowmelt publish now bi",
        )
        write_record(folder, away)
        watch.later(60)
        ended(watch, hook, "gold is published to bi again")


def test_a_figure_that_is_out_of_range_and_back(tmp_path: Path, hook: Hook) -> None:
    rule = {
        "sql": "select 'revenue' as cause, 'revenue is ' || sum(amount) as message, "
        "max(id) as newest_id from bronze.orders having sum(amount) < 100",
        "every": "5m",
        "severity": "critical",
    }
    with watch_for(rule, tmp_path, hook) as watch:
        watch.shop.land("orders_1.csv", GOOD)
        watch.settle()
        watch.shop.load()
        watch.later(60)
        assert hook.posted == [], "a query is asked every 5m"
        watch.later(300)
        body = told(hook, "opened", "revenue is 2.5", "newest_id=1", "it (critical)")
        assert body["cause"] == "revenue"
        watch.shop.land("orders_2.csv", b"id,amount\n2,500\n")
        watch.shop.load()
        watch.later(300)
        ended(watch, hook, "revenue: the query does not find it any more")


def test_a_query_that_fails_ends_nothing(tmp_path: Path, hook: Hook) -> None:
    rule = {"sql": "select 'x' as cause from snowmelt.there"}
    with watch_for(rule, tmp_path, hook) as watch:
        watch.write("create table snowmelt.there (id integer)")
        watch.write("insert into snowmelt.there values (1)")
        watch.later()
        assert hook.kinds == ["opened"]
        watch.write("alter table snowmelt.there rename to gone")
        watch.later()
        assert hook.kinds == ["opened"]
        assert "there does not exist" in watch.alerting.problems["it"]
        watch.write("alter table snowmelt.gone rename to there")
        watch.write("delete from snowmelt.there")
        watch.later()
        assert hook.kinds == ["opened", "resolved"]
        assert watch.alerting.problems == {}


def test_a_query_that_takes_too_long_is_stopped(tmp_path: Path, hook: Hook) -> None:
    alerts = to_hook(
        hook,
        rules={"slow": {"sql": "select count(*) from range(100000), range(10000000)"}},
        query_limit="50ms",
    )
    with watched(tmp_path / "shop", PIPES, alerts) as watch:
        watch.later()
        assert "interrupted" in watch.alerting.problems["slow"]


def test_a_flood_of_causes_is_a_few_alerts(tmp_path: Path, hook: Hook) -> None:
    alerts = to_hook(hook, rules={"it": {"on": "failed"}}, causes_max=3)
    with watched(tmp_path / "shop", PIPES, alerts) as watch:
        for number in range(12):
            watch.shop.land(f"orders_{number}.csv", b"nothing\n%d\n" % number)
        watch.shop.load()
        watch.later()
        assert hook.kinds == ["opened"] * 4
        assert hook.posted[-1].body["summary"] == "9 more causes of this rule"
        for number in range(12):
            watch.shop.land(f"orders_{number}.csv", b"id,amount\n%d,1\n" % number)
        watch.shop.load()
        watch.later()
        assert hook.kinds == ["opened"] * 4 + ["resolved"] * 4


def test_every_default_rule_can_be_asked(tmp_path: Path, hook: Hook) -> None:
    rules = {name: {"on": rule.on} for name, rule in DEFAULT_RULES.items()}
    with watched(tmp_path / "shop", PIPES, to_hook(hook, rules=rules)) as watch:
        watch.later()
        assert watch.alerting.problems == {}
