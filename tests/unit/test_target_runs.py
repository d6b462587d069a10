"""Runs on a target: the profile, dbt as a child, what came of it, and the loop."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest
import sqlglot
import yaml

from shipped import make_project
from snowmelt.deploy.naming import Names
from snowmelt.deploy.opening import names_of
from snowmelt.deploy.resource import Owner
from snowmelt.deploy.running.invocation import OWN_DBT, Ended, OutsideDbt
from snowmelt.deploy.running.loop import Follower, only_one
from snowmelt.deploy.running.outcome import Outcome, Problem, outcome_of
from snowmelt.deploy.running.profile import write_profile
from snowmelt.deploy.running.remedies import Around, remedy_of
from snowmelt.deploy.running.runner import Runner
from snowmelt.deploy.snowflake.session import Row
from snowmelt.errors import ConfigError, InUseError, SnowmeltError, UnreachableError
from snowmelt.project.targets import SnowflakeTarget

AROUND = Around("prod", "DEPLOYING", "SHOP_WH", "DEPLOYER")
AWS = {"account": "123456789012", "region": "eu-central-1", "bucket": "shop-landing"}


def names(**more: str) -> Names:
    target = SnowflakeTarget.model_validate(
        {"account": "o-a", "user": "DEPLOYER", "aws": AWS, **more}
    )
    return Names(Owner("shop", "prod"), target)


@pytest.mark.parametrize(
    ("key", "written"),
    [("key_path", "private_key_path"), ("token", "token")],
)
def test_a_profile_names_secrets_and_holds_none(
    key: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_SECRET", "hunter2")
    folder = write_profile(tmp_path, names(**{key: "${THE_SECRET}"}), "main")
    text = (folder / "profiles.yml").read_text()
    assert "hunter2" not in text
    output = yaml.safe_load(text)["snowmelt"]["outputs"]["prod"]
    assert output[written] == "{{ env_var('THE_SECRET') }}"
    assert (output["database"], output["warehouse"]) == ("SHOP", "SHOP_WH")


@pytest.mark.parametrize(
    ("message", "command"),
    [
        (
            "003001 (42501): SQL access control error: Insufficient privileges to "
            "operate on schema 'GOLD_NEXT'.",
            "GRANT USAGE, CREATE TABLE, CREATE VIEW, CREATE STREAM ON SCHEMA GOLD_NEXT "
            "TO ROLE DEPLOYING",
        ),
        (
            "090073 (22000): Warehouse 'SHOP_WH' cannot be resumed because resource "
            "monitor 'SHOP_MONITOR' has exceeded its quota.",
            "warehouse.credits_per_month",
        ),
        (
            "000606 (57P03): No active warehouse selected in the current session.",
            "ALTER WAREHOUSE SHOP_WH RESUME IF SUSPENDED",
        ),
        (
            "002003 (02000): Object 'SHOP.BRONZE.ORDERS' does not exist or not "
            "authorized.",
            "snowmelt deploy apply --target prod",
        ),
        ("250001 (08001): JWT token is invalid. [7d3a]", "ALTER USER DEPLOYER SET"),
        ("OAuth access token expired", "the target's token: names"),
        ("100038 (22018): Numeric value 'x' is not recognized", ""),
    ],
)
def test_an_error_of_the_account_names_what_mends_it(
    message: str, command: str
) -> None:
    found = remedy_of(message, AROUND)
    assert command in found
    assert bool(found) == bool(command)


CHILD = """
import json, pathlib, sys
target = pathlib.Path(sys.argv[sys.argv.index("--target-path") + 1])
target.mkdir(parents=True, exist_ok=True)
def say(name, level, msg):
    print(json.dumps({"info": {"name": name, "level": level, "msg": msg}}))
"""
FAILS_AT_ONCE = (
    CHILD
    + """
say("MainEncounteredError", "error", "Failed to connect: JWT token is invalid.")
sys.exit(2)
"""
)
ONE_MODEL_FAILS = (
    CHILD
    + """
say("LogModelResult", "info", "1 of 2 ERROR model days")
compiled = target / "compiled/shop/models"
compiled.mkdir(parents=True)
(compiled / "days.sql").write_text("select")
def result(id, status, message=None):
    return {"unique_id": id, "status": status, "message": message}
(target / "run_results.json").write_text(json.dumps({
    "metadata": {"invocation_id": "run-1"}, "elapsed_time": 2.5,
    "results": [
        result("model.shop.days", "error", "Database Error\\n  003001 (42501): "
               "Insufficient privileges to operate on schema 'SILVER'"),
        result("test.shop.t.1", "skipped"), result("test.shop.u.1", "warn"),
    ]}))
(target / "manifest.json").write_text(json.dumps({"nodes": {"model.shop.days": {
    "package_name": "shop", "original_file_path": "models/days.sql",
    "relation_name": "SHOP.GOLD_NEXT.DAYS"}}}))
sys.exit(1)
"""
)


def outcome_from(script: str, folder: Path) -> tuple[Outcome, list[str]]:
    told: list[str] = []
    old = folder / "target" / "run_results.json"
    old.parent.mkdir(parents=True)
    old.write_text("of the run before")
    child = OutsideDbt(folder, folder, "prod", (sys.executable, "-c", script))
    ended = child.run(["build"], told.append)
    return outcome_of(ended, folder, AROUND), told


def test_dbt_that_cannot_even_begin_is_the_problem(tmp_path: Path) -> None:
    outcome, _ = outcome_from(FAILS_AT_ONCE, tmp_path)
    [problem] = outcome.problems
    assert outcome.state == "FAILED"
    assert "JWT token is invalid" in problem.message
    assert "RSA_PUBLIC_KEY" in problem.remedy


def test_a_failing_model_names_object_statement_error_and_remedy(
    tmp_path: Path,
) -> None:
    outcome, told = outcome_from(ONE_MODEL_FAILS, tmp_path)
    assert told == ["1 of 2 ERROR model days"]
    assert (outcome.models, outcome.tests, outcome.tests_warned) == (1, 2, 1)
    assert (outcome.run_id, outcome.skipped) == ("run-1", 1)
    [problem] = outcome.problems
    assert problem == Problem(
        "SHOP.GOLD_NEXT.DAYS",
        "error",
        "Database Error 003001 (42501): Insufficient privileges to operate on schema "
        "'SILVER'",
        str(tmp_path / "target/compiled/shop/models/days.sql"),
        "GRANT USAGE, CREATE TABLE, CREATE VIEW, CREATE STREAM ON SCHEMA SILVER TO "
        "ROLE DEPLOYING, or let the role that deployed run it: role: in the target",
    )
    json.dumps(outcome.document)


NO_DBT = {
    "dbt/__init__.py": "",
    "dbt/cli/__init__.py": "",
    "dbt/cli/main.py": """
import sys
import snowflake.connector


def cli():
    for tag in ("shop/prod", ""):
        given = {"QUERY_TAG": tag} if tag else {}
        snowflake.connector.connect(account=sys.argv[1], session_parameters=given)
""",
    "snowflake/__init__.py": "",
    "snowflake/connector/__init__.py": """
def connect(**given):
    print(given)
""",
}


def test_whatever_sessions_dbt_opens_their_zone_is_utc(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in NO_DBT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{before}")
    done = subprocess.run([*OWN_DBT, "o-a"], capture_output=True, text=True, check=True)
    tagged, plain = map(ast.literal_eval, done.stdout.splitlines())
    assert tagged == {
        "account": "o-a",
        "session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "shop/prod"},
    }
    assert plain["session_parameters"] == {"TIMEZONE": "UTC"}


GOES_WELL = """
import json, pathlib, sys
folder = pathlib.Path(sys.argv[sys.argv.index("--profiles-dir") + 1]) / "target"
folder.mkdir(parents=True, exist_ok=True)
metadata = {"invocation_id": "run-1"}
results = {"metadata": metadata, "elapsed_time": 2.5, "results": []}
(folder / "run_results.json").write_text(json.dumps(results))
(folder / "manifest.json").write_text(json.dumps({"nodes": {}}))
"""


class Engine:
    """A session whose rows are DuckDB's."""

    def __init__(self) -> None:
        self.con = duckdb.connect()
        self.con.execute("attach ':memory:' as SHOP")
        for schema in ("BRONZE", "SNOWMELT"):
            self.con.execute(f"create schema SHOP.{schema}")
        for table, columns in (
            ("SNOWMELT.NEWS_READ", "stream_name varchar, row_count int, read_at text"),
            ("SNOWMELT.PIPELINE_LOG", "run_id text, step text, object text, "
             "started_at text, ended_at text, status text, error text, details text"),
            ("BRONZE.ORDERS__NEWS", "id int"), ("BRONZE.EVENTS__NEWS", "id int"),
        ):  # fmt: skip
            self.con.execute(f"create table SHOP.{table} ({columns})")

    def rows(self, statement: str) -> list[Row]:
        [told] = sqlglot.transpile(statement, read="snowflake", write="duckdb")
        done = self.con.execute(told)
        names = [column[0].lower() for column in done.description or ()]
        return [dict(zip(names, row, strict=True)) for row in done.fetchall()]


def test_a_run_tells_of_the_news_that_it_read_and_of_no_other(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    engine = Engine()
    engine.con.execute("insert into SHOP.BRONZE.ORDERS__NEWS values (1), (2)")
    there = names_of(project, "prod")
    command = (sys.executable, "-c", GOES_WELL)
    assert not Runner(project, there, engine, command).run().problems
    read = "select stream_name, row_count from SHOP.SNOWMELT.NEWS_READ"
    assert engine.con.execute(read).fetchall() == [("SHOP.BRONZE.ORDERS__NEWS", 2)]


def test_a_hook_that_fails_is_a_problem_although_no_node_did() -> None:
    results = {
        "metadata": {"invocation_id": "r"}, "elapsed_time": 1.0, "results": [],
    }  # fmt: skip
    ended = Ended(1, results, {"nodes": {}}, ["on-run-end failed"])
    [problem] = outcome_of(ended, Path(), AROUND).problems
    assert problem.message == "on-run-end failed"


GOOD = Outcome("g", 1.0)
BAD = Outcome("b", 1.0, problems=(Problem("days", "error", "no"),))


@dataclass
class Scripted:
    """A runner and a clock: what each run comes to, what each look finds."""

    runs: list[Outcome | SnowmeltError]
    news: list[bool] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    opened: int = 0
    ran: int = 0

    def __call__(self) -> Scripted:
        self.opened += 1
        return self

    def has_news(self) -> bool:
        return self.news.pop(0)

    def run(self) -> Outcome:
        self.ran += 1
        came = self.runs.pop(0)
        if isinstance(came, SnowmeltError):
            raise came
        return came

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.waits.append(seconds)
        if not self.runs and not self.news:
            wake.set()
        return wake.is_set()


def followed(script: Scripted) -> tuple[list[Outcome], list[str]]:
    ran: list[Outcome] = []
    failed: list[str] = []
    Follower(
        script,  # type: ignore[arg-type]
        script,  # type: ignore[arg-type]
        ran.append,
        lambda error: failed.append(error.problem),
        every=10.0,
    ).follow()
    return ran, failed


def test_it_runs_once_for_what_was_left_then_when_there_is_news() -> None:
    script = Scripted([GOOD, GOOD], [False, True, False])
    ran, _ = followed(script)
    assert len(ran) == 2
    assert script.waits == [10.0] * 4


def test_failing_runs_come_more_seldom_until_one_goes_well() -> None:
    script = Scripted([*[BAD] * 9, GOOD], [False])
    ran, _ = followed(script)
    assert len(ran) == 10
    assert script.waits == [20, 40, 80, 160, 320, 640, 900, 900, 900, 10, 10]


def test_a_lost_session_is_opened_anew_and_what_is_due_stays_due() -> None:
    lost = UnreachableError("Snowflake", "it does not answer")
    script = Scripted([lost, GOOD], [False])
    ran, failed = followed(script)
    assert (len(ran), failed, script.opened) == (1, ["it does not answer"], 2)


def test_a_project_that_is_wrong_is_not_tried_again() -> None:
    with pytest.raises(ConfigError):
        followed(Scripted([ConfigError("pipes", "no such column")]))


def test_two_processes_of_a_machine_do_not_run_one_target(tmp_path: Path) -> None:
    path = tmp_path / "prod/run.lock"
    with only_one(path), pytest.raises(InUseError), only_one(path):
        raise AssertionError("both run")
    with only_one(path):
        pass
