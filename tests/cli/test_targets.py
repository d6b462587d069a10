"""Commands with --target, as a person uses them, against an account in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import duckdb
import pytest

from shipped import deployed_into, make_project
from snowflake_history import RememberingAccount
from snowflake_live import LiveAccount, TellingBucket
from snowmelt.cli import main
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.canary import bucket as buckets
from snowmelt.deploy.harvest.scope import scope_of
from snowmelt.errors import UnreachableError
from snowmelt.events import Events, Vacuumed
from snowmelt.project.project import Project, load_project
from snowmelt.serve.api import GETS, POSTS
from snowmelt.service.loop import Loop
from snowmelt.service.targets import observing
from snowmelt.service.targets.answering import answered_there
from snowmelt.service.targets.commands import ANSWERED
from snowmelt.service.targets.observing import Observing
from snowmelt.service.targets.opening import opened_target
from snowmelt.service.targets.project import observed_project
from snowmelt.service.targets.refusing import refusal
from snowmelt.service.targets.serving import Pace, _watch

ORDERS, ORDERS_PIPE = "SHOP.BRONZE.ORDERS__ALL", "SHOP.BRONZE.ORDERS_PIPE"
NODE = json.dumps({"app": "snowmelt", "node": "model.shop.sales"})


class Person:
    """Says words to a command, and keeps what it answered."""

    def __init__(self, project: Project, account: RememberingAccount) -> None:
        self.root = project.root
        self.account = account
        self.problem: Exception | None = None
        self.capsys: Any = None

    def connect(self, *given: object) -> Any:
        if self.problem is not None:
            raise self.problem
        return self.account

    def says(self, *words: str) -> int:
        with pytest.raises(SystemExit) as ended:
            main([*words, "--project-dir", str(self.root)])
        self.out, self.err = self.capsys.readouterr()
        return int(ended.value.code or 0)

    def asks(self, *words: str) -> dict[str, Any]:
        self.says(*words, "--target", "prod", "--json")
        told: dict[str, Any] = json.loads(self.out)
        return told


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Person:
    """A deployed project whose account has a day behind it."""
    project = make_project(tmp_path_factory.mktemp("shop"))
    account = RememberingAccount()
    deployment = deployed_into(project, account)
    apply_plan(deployment, deployment.plan())
    account.__dict__["close"] = lambda: None
    account.now = SystemClock().now()
    a_day(account)
    return Person(project, account)


def a_day(account: RememberingAccount) -> None:
    """Files, a refused record, a failed file, a graph run, a run, credits."""
    began = account.now - timedelta(minutes=50)
    account.remember_copy(ORDERS, ORDERS_PIPE, "orders/1.csv", at=began)
    account.remember_copy(
        ORDERS,
        ORDERS_PIPE,
        "orders/2.csv",
        at=began + timedelta(minutes=1),
        status="Partially loaded",
        row_count=2,
        error_count=1,
        first_error_message="Numeric value 'x' is not recognized",
        first_error_line_number=3,
    )
    account.told["VALIDATE_PIPE_LOAD"].append(
        {
            "ERROR": "Numeric value 'x' is not recognized",
            "FILE": "orders/2.csv",
            "LINE": 3,
            "BYTE_OFFSET": 40,
            "CATEGORY": "conversion",
            "ROW_NUMBER": 2,
            "REJECTED_RECORD": "7,a@b,x",
            "PIPE": ORDERS_PIPE,
            "AT": began + timedelta(minutes=1),
        }
    )
    account.remember_copy(
        ORDERS,
        ORDERS_PIPE,
        "orders/3.csv",
        at=began + timedelta(minutes=2),
        status="Load failed",
        row_count=0,
        error_count=3,
        first_error_message="End of record reached",
        first_error_line_number=1,
    )
    account.remember_task("HOURLY", at=began)
    account.remember_task("BUILD", at=began, state="FAILED", error_message="dbt failed")
    account.remember_run(began)
    account.remember_query("q1", at=began + timedelta(seconds=5), query_tag=NODE)
    hour = began.replace(minute=0, second=0, microsecond=0)
    account.told["WAREHOUSE_METERING_HISTORY"].append(
        {
            "WAREHOUSE_NAME": "SHOP_WH",
            "START_TIME": hour,
            "END_TIME": hour + timedelta(hours=1),
            "CREDITS_USED": 0.5,
            "CREDITS_USED_COMPUTE": 0.5,
        }
    )
    account.told["PIPE_USAGE_HISTORY"].append(
        {
            "PIPE_NAME": ORDERS_PIPE,
            "START_TIME": hour,
            "END_TIME": hour + timedelta(hours=1),
            "CREDITS_USED": 0.02,
            "BYTES_INSERTED": 1000,
            "FILES_INSERTED": 2,
            "BYTES_BILLED": 1000,
        }
    )


@pytest.fixture
def person(
    seen: Person,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Person]:
    seen.capsys = capsys
    seen.problem = None
    seen.account.refused.clear()
    seen.account.now = SystemClock().now()
    monkeypatch.setattr(opening, "connect", seen.connect)
    yield seen


def test_status_and_history_are_those_of_the_target(person: Person) -> None:
    assert person.says("status", "--target", "prod") == 0
    assert "prod: account myorg-shop, database SHOP, read " in person.err
    told = person.asks("status")
    [orders] = [each for each in told["pipes"] if each["pipe_name"] == "orders"]
    assert orders["execution_state"] == "RUNNING"
    assert orders["files_loaded"] == 2
    assert orders["files_failed"] == 1
    assert told["landing"] == "s3://shop-landing/raw/"
    loads = person.asks("history")["loads"]
    assert [(e["file_name"], e["status"]) for e in loads] == [
        ("orders/3.csv", "Load failed"),
        ("orders/2.csv", "Partially loaded"),
        ("orders/1.csv", "Loaded"),
    ]
    rejects = person.asks("rejects")["rejects"]
    assert ("orders/2.csv", 3, "7,a@b,x") in [
        (e["file_name"], e["line"], e["rejected_record"]) for e in rejects
    ]


def test_what_is_kept_of_a_target_is_kept_for_so_long_as_the_project_says(
    person: Person,
) -> None:
    """By whatever command reads an account; once in an hour."""
    person.says("status", "--target", "prod")
    path = person.root / ".snowmelt/targets/prod/warehouse.duckdb"
    old = (
        "insert into snowmelt.query_history (query_id, query_text, started_at, "
        "seconds, status) values ('old', '', now() - interval 8 day, 1, 'ok')",
        "insert into account.queries select 'old' || days, node, query_type, "
        "query_tag, user_name, warehouse_name, warehouse_size, "
        "now() - to_days(days), ended_at, 1, 0, 0, 0 "
        "from account.queries, (values (7), (9)) as ages (days)",
        "insert into account.uses "
        "select warehouse_name, node, now() - interval 401 day, 1, 1, 1 "
        "from account.uses",
        "insert into account.gaps select 'COPY_HISTORY', 'A', lost, lost, lost, 'x' "
        "from (values (now() - interval 401 day), (now())) as told (lost)",
        "delete from account.meta where key in ('tidied_at', 'harvested_at')",
    )
    with duckdb.connect(str(path)) as con:
        for statement in old:
            con.execute(statement)
    person.says("status", "--target", "prod")
    kept = (
        "select query_id from snowmelt.query_history",
        "select query_id from account.queries order by all",
        "select count(*) from account.uses where hour < now() - interval 1 year",
        "select count(*) from account.gaps",
    )
    with duckdb.connect(str(path)) as con:
        found = [con.execute(each).fetchall() for each in kept]
        con.execute("delete from account.gaps")
        con.execute("delete from account.queries where query_id = 'old7'")
    assert found == [[("q1",)], [("old7",), ("q1",)], [(0,)], [(1,)]]


class OneTurn(SystemClock):
    """A clock by which whoever waits between two turns has to stop."""

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        wake.set()
        return True


def test_who_observes_writes_down_its_own_log_and_lets_go_of_it(
    person: Person,
) -> None:
    events, now = Events(), SystemClock().now()
    observed = observed_project(load_project(person.root), "prod", None)
    with opened_target(observed, OneTurn(), events) as parts:
        for days in (0, 31):
            at = now - timedelta(days=days)
            events.emit(Vacuumed(1, 0, 0, (), at, at))
        pace = Pace(timedelta(hours=1), timedelta(hours=1))
        how = (threading.Event(), pace, lambda told: None)
        _watch(Loop(parts), Observing(parts, observed), cast("Any", None), how)
        with parts.warehouse.session() as session:
            logged = session.rows(
                "select started_at from snowmelt.pipeline_log where step = 'vacuum'"
            )
            session.execute("delete from snowmelt.pipeline_log where step = 'vacuum'")
    assert logged == [(now,)]


def test_tasks_runs_streams_and_why_are_those_of_the_target(person: Person) -> None:
    tasks = {each["name"]: each for each in person.asks("tasks")["tasks"]}
    assert tasks["build"]["last_state"] == "FAILED"
    assert tasks["hourly"]["state"] == "started"
    runs = person.asks("tasks", "history")["task_runs"]
    assert {(e["name"], e["state"]) for e in runs} == {
        ("hourly", "SUCCEEDED"),
        ("build", "FAILED"),
    }
    [run] = person.asks("runs")["runs"]
    assert (run["state"], run["models"]) == ("SUCCEEDED", 1)
    assert person.asks("streams")["streams"][0]["source"] == "bronze.events"
    assert person.says("streams", "--target", "prod") == 0
    told = person.asks("why", "orders/3.csv")["answer"]
    assert "End of record reached" in told
    assert "Snowpipe does not try a name again for 14 days" in told
    assert (
        "snowmelt doctor --target prod" in person.asks("why", "orders/9.csv")["answer"]
    )
    assert person.says("why", "odd.txt", "--target", "prod") == 2
    [alert] = [e for e in person.asks("alerts")["causes"] if e["rule"] == "failed"]
    assert alert["command"].endswith(" --target prod")


def test_what_a_target_has_not_is_refused_with_the_way(person: Person) -> None:
    assert person.says("pause", "orders", "--target", "prod") == 2
    assert "pause --target prod: the account does this" in person.err
    assert "ALTER PIPE SHOP.BRONZE.ORDERS_PIPE SET PIPE_EXECUTION" in person.err
    assert person.says("pause", "nosuch", "--target", "prod") == 2
    assert "orders" in person.err


@pytest.mark.parametrize(
    ("verb", "given", "mends"),
    [
        ("task_suspend", {"name": "build"}, "ALTER TASK SHOP.SNOWMELT.BUILD SUSPEND"),
        ("task_run", {}, "EXECUTE TASK SHOP.SNOWMELT.HOURLY"),
        ("refresh", {"pipe": "orders"}, "ALTER PIPE SHOP.BRONZE.ORDERS_PIPE REFRESH"),
        ("reload", {"files": ["orders/1.csv"]}, "snowmelt land FILE --target prod"),
        ("quarantine", {}, "SHOP_READER"),
        ("hold", {"file": "orders/1.csv"}, "nothing is held there"),
    ],
)
def test_every_verb_that_is_refused_has_its_way(
    seen: Person, verb: str, given: dict[str, Any], mends: str
) -> None:
    project = load_project(seen.root)
    error = refusal(verb, scope_of(project, opening.names_of(project, "prod")), given)
    assert mends in error.remedy


def test_no_verb_is_neither_answered_nor_refused(seen: Person) -> None:
    project = load_project(seen.root)
    scope = scope_of(project, opening.names_of(project, "prod"))
    verbs = {*GETS, *POSTS}
    assert verbs >= ANSWERED
    for verb in verbs - ANSWERED:
        assert refusal(verb, scope, {}).remedy


def test_an_account_that_is_away_shows_what_was_read_before(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.says("status", "--target", "prod")
    person.problem = UnreachableError("myorg-shop", "it does not answer", "Is it up?")
    monkeypatch.setattr(
        "snowmelt.service.targets.observing.FRESH", timedelta(seconds=-1)
    )
    told = person.asks("status")
    assert told["problems"] == ["myorg-shop: it does not answer. Is it up?"]
    assert person.asks("history")["loads"]
    causes = {each["rule"]: each for each in person.asks("alerts")["causes"]}
    assert causes["account"]["message"] == "myorg-shop: it does not answer. Is it up?"
    person.problem = None
    assert person.asks("status")["problems"] == []
    assert "account" not in {e["rule"] for e in person.asks("alerts")["causes"]}


def test_credits_are_shared_by_what_ran(person: Person) -> None:
    told = person.asks("cost")
    assert told["credits"] == {"pipes": 0.02, "warehouse": 0.5, "total": 0.52}
    [model] = told["models"]
    assert (model["name"], model["statements"]) == ("sales", 1)
    [warehouse] = told["warehouses"]
    parts = ("credits_models", "credits_others", "credits_idle")
    assert sum(warehouse[name] for name in parts) == pytest.approx(0.5)
    # 3 seconds of the half hour that 0.5 credits of an X-Small are
    assert model["credits_used"] == pytest.approx(0.5 * 3 / 1800, abs=1e-6)
    assert person.says("cost", "--target", "prod") == 0
    assert "0.52 credits in 7 days" in person.err


def test_doctor_finds_in_the_vendors_order_and_names_statement_and_way(
    person: Person,
) -> None:
    account = person.account
    now = account.now
    account.statuses[ORDERS_PIPE] = {
        "executionState": "RUNNING",
        "notificationChannelName": "arn:aws:sqs:eu-central-1:1:sf-snowpipe",
        "lastReceivedMessageTimestamp": now.isoformat(),
    }
    account.states["SHOP", "SNOWMELT", "CHECK"] = "suspended"
    account.stale_streams.add("SHOP.BRONZE.ORDERS__NEWS")
    assert person.says("doctor", "--target", "prod") == 1
    account.states["SHOP", "SNOWMELT", "CHECK"] = "started"
    account.stale_streams.clear()
    lines = [line for line in person.out.splitlines() if "EVENTS" not in line]
    names = [line.split()[1].rstrip(":") for line in lines]
    assert names[:4] == ["account", "warehouse", "quota", "trust"]
    order = ["trust", "pipe", "path", "copies", "streams", "task"]
    assert sorted(order, key=names.index) == order
    assert "✗ copies SHOP.BRONZE.ORDERS_PIPE: 1 of 3 files" in person.out
    assert "orders/3.csv:1: End of record reached" in person.out
    assert "! path SHOP.BRONZE.ORDERS_PIPE: messages arrive, and none" in person.out
    assert 'ALTER TASK SHOP.SNOWMELT."CHECK" RESUME' in person.err
    assert "asked by: SELECT SYSTEM$PIPE_STATUS('SHOP.BRONZE.ORDERS_PIPE')" in (
        person.err
    )
    assert "DROP STREAM SHOP.BRONZE.ORDERS__NEWS" in person.err


def test_doctor_says_in_which_zone_a_day_is_one(person: Person) -> None:
    def zones() -> list[tuple[str, str, str]]:
        told = person.asks("doctor")["findings"]
        return [
            (each["level"], each["found"].partition(":")[0], each["remedy"])
            for each in told
            if each["check"] == "time zone"
        ]

    account = person.account
    assert zones() == [
        (
            "warn",
            "America/Los_Angeles",
            "ALTER ACCOUNT SET TIMEZONE = 'UTC'; where others need it as it is, write "
            "CONVERT_TIMEZONE('UTC', CURRENT_TIMESTAMP())::DATE",
        )
    ]
    account.zones = {"ACCOUNT": "UTC", "USER": "Asia/Tokyo"}
    assert zones() == [
        ("pass", "UTC, as here", ""),
        ("warn", "Asia/Tokyo", "ALTER USER DEPLOYER SET TIMEZONE = 'UTC'"),
    ]
    account.refused["IN ACCOUNT"] = "Insufficient privileges to operate on account"
    account.zones = {"ACCOUNT": "UTC"}
    [(level, *_)] = zones()
    assert level == "warn", "it may be right all the same"


def test_doctor_tells_a_missing_privilege_as_a_finding(person: Person) -> None:
    person.account.refused["COPY_HISTORY"] = "Insufficient privileges to operate on"
    told = person.asks("doctor")
    refused = [e for e in told["findings"] if e["check"] == "copies"]
    assert {each["level"] for each in refused} == {"fail"}
    assert "GRANT MONITOR ON PIPE SHOP.BRONZE.ORDERS_PIPE" in refused[1]["remedy"]
    person.problem = UnreachableError("myorg-shop", "JWT token is invalid", "Clock?")
    told = person.asks("doctor")
    [finding] = told["findings"]
    assert (finding["object"], finding["remedy"]) == ("myorg-shop", "Clock?")


@pytest.mark.long
def test_the_projects_own_files_are_not_touched(person: Person, tmp_path: Path) -> None:
    before = {
        path: path.read_bytes()
        for path in person.root.rglob("*")
        if path.is_file() and ".snowmelt" not in path.parts
    }
    person.says("status", "--target", "prod")
    person.says("cost", "--target", "prod")
    after = {
        path: path.read_bytes()
        for path in person.root.rglob("*")
        if path.is_file() and ".snowmelt" not in path.parts
    }
    assert after == before
    assert not (person.root / ".snowmelt" / "warehouse.duckdb").exists()


def test_without_a_target_cost_says_what_it_needs(person: Person) -> None:
    assert person.says("observe") == 2
    assert "it needs a target; in snowmelt.yml: prod" in person.err
    assert person.says("status", "--target", "nowhere") == 2
    assert "known: local, prod" in person.err


@pytest.mark.long
def test_a_canary_goes_through_and_its_transcript_says_so(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = LiveAccount()
    account.__dict__.update(person.account.__dict__ | {"statements": []})
    monkeypatch.setattr(opening, "connect", lambda *given: account)
    bucket = TellingBucket(account)
    monkeypatch.setattr(buckets, "open_bucket", lambda *given: bucket)
    assert person.says("doctor", "--live", "--target", "prod") == 0
    assert "✓ gold SHOP.SNOWMELT_CANARY_" in person.out
    transcript = Path(person.err.partition("Transcript: ")[2].strip())
    lines = transcript.read_text().splitlines()
    said = [line.split(" ", 1)[1] for line in lines]
    assert said[0].startswith("snowmelt ")
    assert "account myorg-shop, user DEPLOYER, role ACCOUNTADMIN" in said[0]
    asked = [each for each in said if each.startswith("> ")]
    assert len(asked) == len(account.statements)
    assert any(each.startswith("= pass gold ") for each in said)
    assert "DROP SCHEMA IF EXISTS SHOP.SNOWMELT_CANARY_" in asked[-1]
    assert not bucket.objects
    assert person.says("doctor", "--live") == 2
    assert "snowmelt doctor --live --target prod" in person.err


def test_what_observes_a_target_is_not_the_service_of_this_machine(
    seen: Person,
) -> None:
    here = load_project(seen.root)
    there = observed_project(here, "prod")
    assert here.socket.parent == here.state
    assert there.socket.parent == there.state != here.state
    assert there.warehouse_path != here.warehouse_path


def test_a_condition_is_told_as_the_task_there_asks_it(
    person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken and not built begins a run, too; the account is read anew."""
    person.account.stream_rows = {"SHOP.SNOWMELT.NEWS_OWED": 1}
    with monkeypatch.context() as patched:
        patched.setattr(observing, "FRESH", timedelta(0))
        assert person.says("tasks", "--target", "prod") == 0
    asked = "stream_has_data(orders) or stream_has_data(news_owed)"
    assert f"build runs when {asked}: so now." in person.err
    project = observed_project(load_project(person.root), "prod")
    with answered_there(project, SystemClock(), None) as commands:
        [of_list] = commands.tasks()["conditions"]
        [of_board] = commands.task_board(None, None, None, 9)["conditions"]
        of_task = commands.task_detail("build", None, None, 9)["condition"]
    assert of_list == of_board == of_task
    assert of_list == {
        "task": "build",
        "when": asked,
        "holds": True,
        "problem": None,
        "streams": [
            {"name": "orders", "has_data": False},
            {"name": "news_owed", "has_data": True},
        ],
    }
