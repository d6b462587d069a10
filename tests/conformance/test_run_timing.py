"""A run waits for as long as the goals of the models allow, and no longer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from shop import Shop
from small_project import ORDERS, OpenSmall, Warm
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.service.status import status_document
from snowmelt.transform.build import RECORDINGS

TEN_MINUTES = timedelta(minutes=10)
WAITING = (
    "select min(last_load_time) from snowmelt.load_history where row_count > 0 and "
    "load_seq > (select max(read_through) from snowmelt.run_history "
    "where state = 'SUCCEEDED')"
)
RUNS = "select count(*) from snowmelt.run_history"


class ShiftedClock(SystemClock):
    """The machine's time, moved."""

    shift = timedelta()

    def now(self) -> datetime:
        return super().now() + self.shift


def give_lags(shop: Shop, lags: dict[str, str]) -> None:
    """Let dbt have read these goals in the project as it is; `*` is of all models.

    How they are read is for the tests of a graph: here a build of dbt is spared.
    """
    path = shop.root / RECORDINGS
    document = json.loads(path.read_text())
    for node in document["graph"]["nodes"]:
        if node["resource_type"] == "model":
            node["target_lag"] = lags.get(node["name"], lags.get("*", ""))
    path.write_text(json.dumps(document))


@contextmanager
def served(shop: Shop, clock: ShiftedClock) -> Iterator[OpenSmall]:
    """Open a project as a service does, turned by the test."""
    with opened(load_project(shop.root), clock, Events()) as parts:
        loop = Loop(parts)
        try:
            yield OpenSmall(loop)
        finally:
            loop.close()


def turn(commands: OpenSmall, times: int = 3) -> None:
    """Turn until nothing is under way, and some times more."""
    loop = commands.loop
    for _ in range(times):
        loop.turn()
        while not (loop.load_lanes.idle and loop.run_lane.idle and not loop._left()):
            loop.wake.wait(0.02)
            loop.turn()


def land(shop: Shop, commands: OpenSmall, order: str) -> None:
    """Let an order land and be loaded."""
    shop.land_bytes(f"orders_{order}.csv", f"{ORDERS}{order},c1,aa,open,7,,\n".encode())
    commands.loop.ask_refresh()
    turn(commands)
    known = f"select count(*) from bronze.orders where order_id = '{order}'"
    assert commands.rows(known) == [(1,)]


def settled(shop: Shop, clock: ShiftedClock) -> None:
    """Let a service take in what a copied project has for news."""
    with served(shop, clock) as commands:
        turn(commands)
        commands.run(None)
        assert commands.rows(WAITING) == [(None,)]


@pytest.fixture
def shop(tmp_path: Path, warm: Warm) -> Shop:
    return warm.copy(tmp_path / "shop")


def test_a_run_comes_just_in_time_also_after_a_restart(shop: Shop) -> None:
    clock = ShiftedClock()
    settled(shop, clock)
    give_lags(shop, {"*": "10 minutes"})
    with served(shop, clock) as commands:
        turn(commands)
        before = commands.rows(RUNS)
        land(shop, commands, "n1")
        loop = commands.loop
        ((came,),) = commands.rows(WAITING)
        due_at = loop.run_due_at(clock.now())
        assert due_at is not None
        assert came + TEN_MINUTES - timedelta(seconds=60) < due_at < came + TEN_MINUTES
        assert commands.rows(RUNS) == before
        lag = status_document(loop, serving=True)["lag"]
        assert lag["next_run_at"] == due_at.isoformat()
        models = {each["model"]: each for each in lag["models"]}
        assert 0 < models["gold.fct_orders"]["lag_seconds"] < 120
        assert models["silver.visits"]["lag_seconds"] == 0, "nothing came for it"
    clock.shift = timedelta(minutes=3)
    with served(shop, clock) as commands:
        turn(commands)
        land(shop, commands, "n2")
        loop = commands.loop
        assert loop.run_due_at(clock.now()) == due_at, "it counts from what came first"
        clock.shift += due_at - clock.now() - timedelta(seconds=60)
        turn(commands)
        assert commands.rows(RUNS) == before
        assert loop.seconds_to_next() <= 5
        clock.shift += due_at - clock.now()
        turn(commands)
        turn(commands)
        assert commands.rows(RUNS) == [(before[0][0] + 1,)]
        shown = "select count(*) from gold.fct_orders where order_id in ('n1', 'n2')"
        assert commands.rows(shown) == [(2,)]
        ((began,),) = commands.rows("select max(started_at) from snowmelt.run_history")
        assert timedelta() <= began - due_at < timedelta(seconds=20)
        lag = status_document(loop, serving=True)["lag"]
        models = {each["model"]: each for each in lag["models"]}
        facts = models["gold.fct_orders"]
        assert facts["lag_seconds"] == 0
        assert facts["runs"] > 1
        assert facts["runs_within"] >= facts["runs"] - 1, "by a machine that is busy"
        assert facts["target_lag"] == "10 minutes"


def test_a_run_that_a_person_asks_for_comes_at_once(shop: Shop) -> None:
    clock = ShiftedClock()
    settled(shop, clock)
    give_lags(shop, {"*": "10 minutes"})
    with served(shop, clock) as commands:
        turn(commands)
        land(shop, commands, "n1")
        commands.loop.ask_run()
        turn(commands)
        assert commands.rows(WAITING) == [(None,)]
        land(shop, commands, "n2")
        assert commands.rows(WAITING) != [(None,)], "the next waits again"
    with served(shop, clock) as commands:
        assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        assert commands.rows(WAITING) == [(None,)]


def test_news_that_a_model_without_a_goal_reads_are_published_at_once(
    shop: Shop,
) -> None:
    clock = ShiftedClock()
    settled(shop, clock)
    give_lags(shop, {"*": "10 minutes", "orders_by_status": ""})
    with served(shop, clock) as commands:
        turn(commands)
        land(shop, commands, "n1")
        turn(commands)
        assert commands.rows(WAITING) == [(None,)]


def test_a_clock_that_is_put_back_keeps_nobody_waiting(shop: Shop) -> None:
    clock = ShiftedClock()
    settled(shop, clock)
    give_lags(shop, {"*": "10 minutes"})
    with served(shop, clock) as commands:
        turn(commands)
        land(shop, commands, "n1")
        clock.shift = -timedelta(days=1)
        turn(commands)
        due_at = commands.loop.run_due_at(clock.now())
        assert due_at is not None
        assert due_at <= clock.now() + TEN_MINUTES
        land(shop, commands, "n2")
        due_at = commands.loop.run_due_at(clock.now())
        assert due_at is not None
        assert due_at <= clock.now() + TEN_MINUTES
        clock.shift += TEN_MINUTES
        turn(commands)
        assert commands.rows(WAITING) == [(None,)]


def test_status_and_doctor_say_which_goals_are_odd(shop: Shop) -> None:
    give_lags(shop, {"order_balance": "DOWNSTREAM", "fct_orders": "1 hour"})
    told = shop("status").stderr
    assert "order_balance has target lag DOWNSTREAM, and nothing" in told
    assert "fct_orders has target lag 1 hour, and orders_by_" in told
    assert "Target lag: 1 of 1 models are within it" in told
    findings = {
        each["check"]: each for each in shop("doctor", "--json").document["findings"]
    }
    assert not findings["target lag"]["ok"]
    assert "order_balance" in findings["target lag"]["found"]
    give_lags(shop, {"fct_orders": "an hour"})
    assert "model fct_orders: target_lag: 'an hour' is no" in shop("status").stderr


@pytest.mark.long
def test_validate_refuses_what_is_no_target_lag(shop: Shop) -> None:
    path = shop.root / "models" / "gold" / "_gold.yml"
    text = path.read_text()
    path.write_text(
        text.replace(
            "  - name: fct_items\n",
            "  - name: fct_items\n    config: {meta: {target_lag: 5m}}\n",
        )
    )
    answer = shop("validate")
    assert answer.code == 3
    assert "model fct_items: target_lag: '5m' is no target lag" in answer.stderr
    assert "models/gold/" in answer.stderr
    assert "'5 minutes'" in answer.stderr
    settings = shop.root / "snowmelt.yml"
    settings.write_text(settings.read_text() + "\npublish: {target_lag: soon}\n")
    with pytest.raises(
        ConfigError, match=r"publish\.target_lag.*'soon' is no target lag"
    ):
        load_project(shop.root)
