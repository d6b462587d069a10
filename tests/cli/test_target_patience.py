"""Dashboards of a target whose account is slow, silent, or signs nobody in any more."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest
from click.testing import CliRunner

from boards_project import COLUMNS, ROWS, account_of, dashboards_project
from gold_account import GoldAccount
from snowmelt.cli.dashboards import command as dashboards_command
from snowmelt.cli.sql import command as sql_command
from snowmelt.clock import SystemClock
from snowmelt.deploy import opening
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.errors import SnowmeltError, UnreachableError, UsageError
from snowmelt.project.project import Project
from snowmelt.serve.commands import Commands
from snowmelt.serve.schemas import ANSWERS
from snowmelt.service.targets.answering import answered_there
from snowmelt.service.targets.asking_there import BOARD_SECONDS
from snowmelt.service.targets.commands import DIAGNOSIS_SECONDS
from snowmelt.service.targets.project import observed_project
from snowmelt.service.targets.querying import ROWS_MAX
from snowmelt.snowflake import may_repeat


class FastClock(SystemClock):
    """Time that goes on when somebody says so, or waits for what does not come."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        if wake.wait(min(seconds, 0.1)):
            return True
        self.ahead += seconds
        return False


class Target:
    """A project with dashboards, its account, and a clock of the test."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.observed = observed_project(project, "prod")
        self.account: GoldAccount = account_of(project)
        self.clock = FastClock()

    def anew(self) -> None:
        """Gold was published an hour ago, and nothing is known of it here."""
        self.observed.warehouse_path.unlink(missing_ok=True)
        account, self.clock = self.account, FastClock()
        account.problem, account.before = None, lambda statement: None
        for each in (account.log, account.refuses, account.asked, account.sent):
            each.clear()
        account.make("GOLD.FCT_SALES", COLUMNS, ROWS)
        self.publish(timedelta(hours=1))

    def publish(self, ago: timedelta) -> None:
        self.account.now = self.clock.now()
        self.account.publish(self.clock.now() - ago)

    @contextmanager
    def commands(self) -> Iterator[Commands]:
        with answered_there(self.observed, self.clock, None) as commands:
            yield commands


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return Target(dashboards_project(tmp_path_factory.mktemp("patience")))


@pytest.fixture
def target(made: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    made.anew()
    monkeypatch.setattr(opening, "connect", lambda *_: made.account)
    return made


def shown(document: dict[str, Any]) -> list[Any]:
    """Return what each card shows, or why it does not."""
    return [
        each["problem"]["problem"] if each.get("problem") else each["rows"]
        for each in document["cards"]
    ]


def is_of_gold(statement: str) -> bool:
    return "SHOP.GOLD." in statement


def is_which(statement: str) -> bool:
    """Does it ask which publication it is?"""
    return "PUBLISHED_AT" in statement


class ExpiredError(Exception):
    """As the connector has it."""

    raw_msg, errno = "Authentication token has expired.", 390114


class Connector:
    """The connector, over an account: sessions that end when nobody asks."""

    def __init__(self, account: GoldAccount) -> None:
        self.account = account
        self.sessions: list[Connected] = []

    def connect(self, **_: Any) -> Connected:
        self.sessions.append(Connected(self.account))
        return self.sessions[-1]

    def expire(self) -> None:
        """Let four hours go by."""
        for each in self.sessions:
            each.is_over = True


class Connected:
    def __init__(self, account: GoldAccount) -> None:
        self.account = account
        self.is_over = self.is_closed = False

    def cursor(self) -> Connected:
        return self

    def __enter__(self) -> Connected:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def execute(self, statement: str) -> None:
        if self.is_over:
            raise ExpiredError
        self.rows = self.account.rows(statement)

    @property
    def description(self) -> list[tuple[str]]:
        return [(name,) for name in (self.rows[0] if self.rows else ())]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.rows]

    def close(self) -> None:
        self.is_closed = True


def test_after_a_night_in_which_nobody_looked_pages_are_there(
    made: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made.anew()
    connector = Connector(made.account)
    module = ModuleType("snowflake.connector")
    errors = SimpleNamespace(Error=ExpiredError, OperationalError=ZeroDivisionError)
    module.__dict__.update(connect=connector.connect, errors=errors)
    package = ModuleType("snowflake")
    package.__dict__.update(connector=module)
    monkeypatch.setitem(sys.modules, "snowflake", package)
    monkeypatch.setitem(sys.modules, "snowflake.connector", module)
    monkeypatch.setattr("snowmelt.snowflake._private_key", lambda login: b"")
    monkeypatch.setenv("SHOP_KEY", str(tmp_path / "key.p8"))
    with made.commands() as commands:
        before = shown(commands.board("sales", None))
        connector.expire()
        old, began = list(connector.sessions), made.clock.ahead
        south = shown(commands.board("sales", "region=south"))
        assert south[0] == [["21.00"]]
        assert len(connector.sessions) > len(old)
        assert any(each.is_closed for each in old)
        assert made.clock.ahead == began, "nobody waited for a session that is over"
        connector.expire()
        made.publish(timedelta(minutes=5))
        assert shown(commands.board("sales", "region=north"))[0] == [["40.00"]]
        assert shown(commands.board("sales", None)) == before
        connector.expire()
        commands.doctor(fresh=True)
        found = commands.doctor()["findings"]
        assert (found[0]["check"], found[0]["level"]) == ("account", "pass")
    assert all(each.is_closed for each in connector.sessions[-2:])


def test_what_pages_and_history_ask_can_be_asked_again(target: Target) -> None:
    with target.commands() as commands:
        commands.status()
        commands.board("sales", None)
        commands.doctor(fresh=True)
    assert len(target.account.sent) > 20
    assert [each for each in target.account.sent if not may_repeat(each)] == []


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_a_network_that_drops_at_any_statement_holds_nobody_up(
    target: Target, every: int
) -> None:
    """The lock is held for three minutes at most, and figures are right afterwards."""
    with target.commands() as commands:
        commands.board("sales", None)
        target.publish(timedelta(minutes=40))
        sent = len(target.account.sent)
        right = shown(commands.board("sales", "region=south"))
        statements = len(target.account.sent) - sent
        assert statements > 8
        for at in range(statements - 1, -1, -every):
            back, left = threading.Event(), [at]

            def drops(
                statement: str, back: threading.Event = back, left: list[int] = left
            ) -> None:
                left[0] -= 1
                if left[0] < 0:
                    back.wait(30)

            target.publish(timedelta(minutes=1 + at))
            target.account.before = drops
            began = target.clock.monotonic()
            try:
                found = commands.board("sales", f"region=south&region=of-{at}")
                told = [each for each in shown(found) if isinstance(each, str)]
                told += [found["unconfirmed"]] if found["unconfirmed"] else []
            except UnreachableError as error:  # a filter could not be filled
                told = [error.problem]
            assert target.clock.monotonic() - began <= BOARD_SECONDS + 5
            assert told, at
            assert all("did not answer within" in each for each in told), told
            target.account.before = lambda statement: None
            back.set()
            target.clock.ahead += 60
            again = commands.board("sales", f"region=south&region=of-{at}")
            assert (shown(again), again["unconfirmed"]) == (right, "")


def test_a_page_is_cut_where_its_time_ends(target: Target) -> None:
    """Each answer comes within its own limit, and together they take too long."""

    def slow(statement: str) -> None:
        target.clock.ahead += 50 if is_of_gold(statement) else 0

    target.account.before = slow
    with target.commands() as commands:
        began = target.clock.monotonic()
        with pytest.raises(UsageError, match="its dashboard has asked for 180 seconds"):
            commands.board("sales", None)
        assert target.clock.monotonic() - began <= BOARD_SECONDS + 50 + 5
        target.account.before = lambda statement: None
        asked = len(target.account.asked)
        commands.board("sales", None)
        again = target.account.asked[asked:]
        assert not set(again) & set(target.account.asked[:asked])


def test_who_waits_for_others_is_told(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, done = threading.Event(), threading.Event()

    def slow(statement: str) -> None:
        if "south" in statement:
            begun.set()
            done.wait(30)

    with target.commands() as commands:
        target.account.before = slow
        monkeypatch.setattr(target.clock, "wait", SystemClock().wait)
        other = threading.Thread(target=commands.board, args=("sales", "region=south"))
        other.start()
        assert begun.wait(20)
        limit = "snowmelt.service.targets.asking_there.BOARD_SECONDS"
        with monkeypatch.context() as patch:
            patch.setattr(limit, 0.1)
            with pytest.raises(UsageError, match="others have asked prod"):
                commands.board("sales", "region=north")
        done.set()
        other.join(20)
        assert shown(commands.board("sales", "region=north"))[0] == [["40.00"]]


def test_history_is_not_read_while_somebody_waits_for_figures(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many pipes that takes minutes; a run that published is known all the same."""
    monkeypatch.setattr("snowmelt.service.targets.observing.FRESH", timedelta(-1))
    with target.commands() as commands:
        commands.board("sales", None)
        target.publish(timedelta(minutes=5))
        sent = len(target.account.sent)

        def slow(statement: str) -> None:
            target.clock.ahead += 0.1 if is_of_gold(statement) else 20

        target.account.before = slow
        found = commands.board("sales", "region=north")
        assert shown(found)[0] == [["40.00"]]
        before = target.account.sent[sent:]
        first = next(place for place, each in enumerate(before) if is_of_gold(each))
        assert len(before[:first]) <= 4
        target.account.before = lambda statement: None
        known = "select count(*) from snowmelt.run_history"
        assert commands.query(known, None)["rows"] == [[2]]
        newest = "select max(run_id) from snowmelt.run_history"
        assert commands.query(newest, None)["rows"] == [[found["run_id"]]]


def test_what_was_answered_is_shown_when_its_publication_cannot_be_told(
    target: Target,
) -> None:
    """It is kept when it is told later that nothing was published, and only then."""
    for is_published in (False, True):
        target.anew()
        asked_which = [0]

        def drops(statement: str, asked_which: list[int] = asked_which) -> None:
            asked_which[0] += is_which(statement)
            if asked_which[0] > 1:
                raise UnreachableError("Snowflake", "it did not answer", "Look again.")

        target.account.before = drops
        with target.commands() as commands:
            found = commands.board("sales", None)
            assert shown(found)[0] == [["86.00"]]
            assert found["unconfirmed"] == "it did not answer"
            jsonschema_rs.validator_for(ANSWERS["board"]).validate(
                json.loads(json.dumps(found, default=str))
            )
            target.clock.ahead += 60
            still = commands.board("sales", None)
            assert (shown(still), still["unconfirmed"]) == (
                shown(found),
                "it did not answer",
            )
            target.account.before = lambda statement: None
            target.clock.ahead += 60
            asked = len(target.account.asked)
            if is_published:
                target.account.make("GOLD.FCT_SALES", COLUMNS, ROWS[:1])
                target.publish(timedelta(seconds=55))
            told = commands.board("sales", None)
            assert told["unconfirmed"] == ""
            if is_published:
                assert shown(told)[0] == [["10.00"]]
            else:
                assert shown(told) == shown(found)
                assert target.account.asked[asked:] == []


def test_the_command_says_what_is_not_confirmed(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def commands(_: Path) -> Iterator[Commands]:
        with target.commands() as found:
            yield found

    asked_which = [0]

    def drops(statement: str) -> None:
        asked_which[0] += is_which(statement)
        if asked_which[0] > 1:
            raise UnreachableError("Snowflake", "it did not answer", "Look again.")

    target.account.before = drops
    monkeypatch.setattr("snowmelt.cli.dashboards.connected", commands)
    root = str(target.project.root)
    done = CliRunner().invoke(dashboards_command, ["sales", "--project-dir", root])
    assert "Revenue: 86.00" in done.output
    assert "Not confirmed: gold may have been published while" in done.output


def test_what_dbt_publishes_by_hand_is_shown(target: Target) -> None:
    """It is a step of the log, and of no run."""
    log = target.account.log
    log[:] = [each for each in log if each["STEP"] == "publish"]
    with target.commands() as commands:
        found = commands.dashboard("sales", None)
        assert shown(found)[0] == [["86.00"]]
        assert found["run_id"] == log[0]["RUN_ID"]
        assert found["shell"]["run_id"] is None
        assert found["shell"]["published_at"] == found["health"]["data_as_of"]
    target.anew()
    target.publish(timedelta(minutes=5))
    log[:] = [
        each
        for each in log
        if each["STEP"] == "publish" or each["RUN_ID"] != log[-1]["RUN_ID"]
    ]
    with target.commands() as commands:
        found = commands.dashboard("sales", None)
        assert found["run_id"] == log[-1]["RUN_ID"]
        assert found["shell"]["run_id"] is None
        target.publish(timedelta(minutes=1))
        commands.board("sales", "region=north")
        assert commands.shell()["run_id"] is not None, "the newest is a run again"


def test_doctor_is_asked_anew_by_who_says_so(target: Target) -> None:
    with target.commands() as commands:

        def asks(fresh: bool | None = None) -> int:
            sent = len(target.account.sent)
            commands.doctor(fresh=fresh)
            return len(target.account.sent) - sent

        assert asks() > 0
        target.clock.ahead += DIAGNOSIS_SECONDS - 60
        assert asks() == 0
        assert asks(fresh=False) == 0
        assert asks(fresh=True) > 0
        target.clock.ahead += DIAGNOSIS_SECONDS + 1
        assert asks() > 0
        target.account.problem = UnreachableError("shop", "it does not answer")
        commands.doctor(fresh=True)
        target.account.problem = None
        assert asks() == 0
        target.clock.ahead += 61
        assert asks() > 0, "who could not be asked is asked again soon"


def test_help_and_error_say_how_many_rows_a_query_returns(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = CliRunner().invoke(sql_command, ["--help"]).output
    assert f"{ROWS_MAX:,}" in told
    monkeypatch.setattr("snowmelt.service.targets.querying.ROWS_MAX", 4)
    with target.commands() as commands:
        query = "select sale_id from gold.fct_sales"
        with pytest.raises(SnowmeltError, match="more than 4 rows") as refused:
            commands.query(query, None)
        assert "--limit N" in refused.value.remedy
        assert len(commands.query(query, 5)["rows"]) == 5


def test_a_statement_that_takes_too_long_there_is_told_as_that(target: Target) -> None:
    """The account tells first, so that its session is not given up."""
    told = "Statement reached its statement or warehouse timeout of 60 second(s)"

    def slow(statement: str) -> None:
        if "SUM(amount)" in statement and "GROUP BY" not in statement:
            target.clock.ahead += 60
            raise AccountError(statement, 630, told)

    target.account.before = slow
    with target.commands() as commands:
        found = shown(commands.board("sales", None))
        assert "took longer than 60 seconds there" in found[0]
        assert found[1] == [[3.0]]
