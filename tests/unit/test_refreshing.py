"""A task's refresh of pipes: since they were made, whatever is changed and when."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refreshed import read_refresh, sent_by
from shipped import deployed_into, states
from snowflake_account import Account, Stopped
from snowflake_gate import problems
from snowmelt.deploy.applying import apply_plan
from snowmelt.deploy.snowflake.refreshing import BEFORE, refresh_code
from snowmelt.deploy.snowflake.session import AccountError
from snowmelt.deploy.snowflake.task import Task
from snowmelt.deploy.snowflake.task_place import Place

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PLACE = Place(
    *("SHOP", "SNOWMELT", "bronze", "SHOP_WH", "SHOP", "1.11.11", None, "prod"),
    *(Path(), ("orders", "events"), ("orders", "events"), ()),
)
ORDERS = ("SHOP", "BRONZE", "ORDERS_PIPE")
LANDED = st.tuples(st.just("land"), st.booleans())
WAITED = st.tuples(st.just("wait"), st.integers(0, 20))
CHANGED = st.tuples(st.just("change"), st.none() | st.integers(0, 40))
REFRESHED = st.tuples(st.just("refresh"), st.none())
COURSE = st.lists(LANDED | WAITED | CHANGED | REFRESHED, max_size=8)
SHORT = settings(max_examples=8)
LONG = settings(max_examples=300)


@pytest.mark.parametrize(
    ("age", "since"),
    [
        (timedelta(0), timedelta(hours=1)),
        (timedelta(days=2), timedelta(days=2, hours=1)),
        (timedelta(hours=165, minutes=59), timedelta(hours=166, minutes=59)),
        (timedelta(hours=166), None),
        (timedelta(days=400), None),
        (None, None),  # the role that runs it does not see the pipe
    ],
)
def test_a_refresh_looks_back_to_when_its_pipe_was_made(
    age: timedelta | None, since: timedelta | None
) -> None:
    pipes = {("BRONZE", "EVENTS_PIPE"): NOW - timedelta(days=3)}
    if age is not None:
        pipes["BRONZE", "ORDERS_PIPE"] = NOW - age
    code = refresh_code(PLACE, ("orders", "events"))
    orders, events = sent_by(code, pipes, NOW)
    assert not [each for said in (orders, events) for each in problems(said)]
    told = NOW - since if since is not None else None
    assert read_refresh(orders) == ("SHOP.BRONZE.ORDERS_PIPE", told)
    assert events.endswith(" MODIFIED_AFTER = '2026-05-29T11:00:00+00:00'")
    assert not problems(f"CREATE TASK S.T WAREHOUSE = W SCHEDULE = '1 HOUR' AS {code}")


@cache
def _deployed() -> Account:
    account = Account()
    first = deployed_into(states()["first"], account)
    apply_plan(first, first.plan())
    return account


class Course:
    """What happens to an account: files come, tasks refresh, a pipe is changed."""

    def __init__(self) -> None:
        self.account = deepcopy(_deployed())
        self.made = [self.account.pipes[ORDERS].made_at]
        self.account.before = self._note
        self._state = "first"

    def _note(self, statement: str) -> None:
        if statement.startswith("CREATE OR REPLACE PIPE SHOP.BRONZE.ORDERS_PIPE"):
            self.made.append(self.account.now + timedelta(seconds=1))

    def land(self, told: bool) -> None:
        """A file is written; its notification may get lost."""
        path = f"raw/orders/{len(self.account.files)}.csv"
        state = self.account.pipes[ORDERS]
        heard, waiting = set(state.history), list(state.pending)
        loads = len(self.account.loads)
        self.account.land(path, path)
        if not told:
            state.history, state.pending = heard, waiting
            del self.account.loads[loads:]

    def wait(self, hours: int) -> None:
        self.account.now += timedelta(hours=hours)

    def change(self, stop_after: int | None) -> None:
        """The pipe's text changes, and whoever applies it may be killed."""
        self._state = "pattern" if self._state == "first" else "first"
        said = len(self.account.statements)
        self.account.stop_after = None if stop_after is None else said + stop_after
        with suppress(Stopped):
            self.apply()
        self.account.stop_after = None

    def apply(self) -> None:
        deployment = deployed_into(states()[self._state], self.account)
        apply_plan(deployment, deployment.plan())

    def refresh(self, _: None) -> None:
        """The deployed task runs."""
        desired = deployed_into(states()[self._state], self.account).desired
        [hourly] = [e for e in desired if isinstance(e, Task) and "HOURLY" in e.name]
        made = {name[1:]: state.made_at for name, state in self.account.pipes.items()}
        for statement in sent_by(hourly.code, made, self.account.now):  # type: ignore[arg-type]
            self.account.rows(statement)


def refresh_while_pipes_are_changed(course: list[tuple[str, object]]) -> None:
    trial = Course()
    for verb, given_ in course:
        getattr(trial, verb)(given_)
    trial.apply()
    trial.wait(1)
    trial.refresh(None)
    loaded = [path for _, path, _ in trial.account.loads]
    for file in trial.account.files.values():
        times = loaded.count(file.path)
        again = [m for m in trial.made if m - BEFORE <= file.modified_at <= m]
        assert 1 <= times <= 1 + len(again), (file.path, times, trial.made)


@SHORT
@given(COURSE)
def test_a_refresh_loses_no_file_and_copies_again_only_the_hour_before(
    course: list[tuple[str, object]],
) -> None:
    """Pipes are changed, the change is killed anywhere, notifications get lost."""
    refresh_while_pipes_are_changed(course)


@pytest.mark.long
@LONG
@given(COURSE)
def test_a_refresh_loses_no_file_at_length(course: list[tuple[str, object]]) -> None:
    refresh_while_pipes_are_changed(course)


def test_a_refresh_after_a_change_copies_nothing_again() -> None:
    """The plain story: loaded, changed some hours later, refreshed by the clock."""
    trial = Course()
    trial.land(True)
    trial.land(False)
    trial.wait(3)
    trial.change(None)
    trial.land(False)
    for _ in range(8):
        trial.refresh(None)
        trial.wait(20)
    paths = sorted(path for _, path, _ in trial.account.loads)
    assert paths == sorted(trial.account.files)


def test_a_file_whose_upload_began_before_the_pipe_is_found() -> None:
    """It was whole after the stage was listed, and nobody was told of it."""
    trial = Course()
    trial.change(None)
    trial.land(False)
    [file] = trial.account.files.values()
    file.modified_at = trial.made[-1] - timedelta(minutes=50)
    trial.refresh(None)
    assert [path for _, path, _ in trial.account.loads] == [file.path]


def test_the_stage_is_listed_when_the_pipe_is_there() -> None:
    """What a refresh does not look at, since it is older than the pipe, is listed."""
    trial = Course()
    trial.change(None)
    for verb in ("CREATE PIPE IF NOT EXISTS", "CREATE OR REPLACE PIPE"):
        said = [each.split("\n")[0] for each in trial.account.statements]
        made = said.index(f"{verb} SHOP.BRONZE.ORDERS_PIPE")
        after = said[made + 1 :]
        listed = after.index("LIST @SHOP.BRONZE.LANDING")
        others = [each for each in after[:listed] if each.startswith(verb)]
        assert not others, "another pipe's listing was taken for this one's"


def test_a_plan_of_a_changed_pipe_shows_no_plain_refresh() -> None:
    """Somebody may copy what it shows."""
    deployment = deployed_into(states()["pattern"], deepcopy(_deployed()))
    [step] = [e for e in deployment.plan().acting if e.address.kind == "pipe"]
    shown = deployment.script(step)
    assert "LIST @SHOP.BRONZE.LANDING" in shown
    assert not [each for each in shown if "REFRESH" in each or problems(each)]


def test_an_account_refuses_to_look_back_further_than_7_days() -> None:
    account = deepcopy(_deployed())
    with pytest.raises(AccountError, match="7 days at most"):
        account.rows(
            "ALTER PIPE SHOP.BRONZE.ORDERS_PIPE REFRESH "
            f"MODIFIED_AFTER = '{account.now - timedelta(days=8):%Y-%m-%dT%H:%M:%S%z}'"
        )
