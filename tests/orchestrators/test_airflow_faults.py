"""What dies between Airflow and a service: no run is asked for twice, no event lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from environment import AIRFLOW_BIN, Airflow

from ports import free_port
from serving import Serving, serving, until
from shop import Shop
from small_project import VISITS, Warm

pytestmark = [pytest.mark.cloud, pytest.mark.timeout(900)]
ASKING = Path(__file__).with_name("one_operator.py")
DAG = """
import pendulum
from airflow.sdk import dag, task
from snowmelt.airflow.assets import snowmelt_asset

GOLD = snowmelt_asset("gold", kinds=["published"], poll_interval=1.0)


@dag(
    dag_id="watching",
    schedule=[GOLD],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    is_paused_upon_creation=False,
)
def watching():
    @task
    def hear():
        return 1

    hear()


watching()
"""


@pytest.fixture
def service(warm: Warm, tmp_path: Path) -> Iterator[Serving]:
    root = tmp_path / "shop"
    shutil.copytree(warm.root, root, symlinks=True)
    visits = root / "pipes" / "visits.yml"
    visits.write_text(visits.read_text().replace("continue", "skip_file"))
    with serving(root) as running:
        yield running


@pytest.fixture
def airflow(service: Serving, tmp_path: Path) -> Airflow:
    leads_here = {
        "conn_type": "snowmelt",
        "host": service.url,
        "password": service.operator,
    }
    return Airflow(tmp_path / "airflow", {"snowmelt_default": json.dumps(leads_here)})


def ask(airflow: Airflow, how: str = "lives", **arguments: Any) -> dict[str, Any]:
    store = airflow.home / "store.json"
    done = subprocess.run(
        [AIRFLOW_BIN / "python", ASKING, store, how, json.dumps(arguments)],
        env=airflow.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if how in ("dies", "is_ended"):
        assert done.returncode == 9, done.stderr[-3000:]
        return {}
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_a_worker_that_died_is_followed_by_one_that_waits_for_the_same_run(
    service: Serving, airflow: Airflow
) -> None:
    ask(airflow, "dies", what="run", since=None, cause="first")
    answer = ask(airflow, what="run", since=None, cause="second")
    with service.client() as client:
        (only,) = client.get("/api/v1/errands").json()["errands"]
        assert (only["errand"], only["state"]) == (answer["errand"], "SUCCEEDED")
        assert only["cause"] == "first"
        # it has ended and was heard of: a task that is cleared asks for another
        again = ask(airflow, what="run", since=None, cause="third")
        assert again["errand"] != answer["errand"]
        # a task that was changed between two tries does not get what it did not ask for
        ask(airflow, "dies", what="run", since=None)
        other = ask(airflow, what="refresh", pipe="orders", since=None)
        found = client.get(f"/api/v1/errands/{other['errand']}").json()["errand"]
        assert (found["what"], found["asked"]) == ("refresh", {"pipe": "orders"})


def test_a_try_after_one_that_was_ended_asks_for_another_run(
    service: Serving, airflow: Airflow
) -> None:
    # a rebuild goes on for a moment after it is cancelled: it is rolled back
    ask(airflow, "is_ended", what="rebuild")
    late = ask(airflow, what="rebuild", seconds=0.1)
    assert "took longer than" in late["problem"]
    answer = ask(airflow, "waits", what="rebuild")
    with service.client() as client:
        listed = client.get("/api/v1/errands").json()["errands"]
    states = [each["state"] for each in reversed(listed)]
    assert states == ["CANCELLED", "CANCELLED", "CANCELLED", "SUCCEEDED"]
    assert answer["errand"] == listed[0]["errand"]


def test_what_failed_is_named_with_file_and_line(
    service: Serving, airflow: Airflow
) -> None:
    bad = f"{VISITS}1,c1,2\n2,c1,many\n".encode()
    Shop(service.root).land_bytes("visits_bad.csv", bad)
    with service.client() as client:
        until(
            lambda: client.get("/api/v1/arrived?pipe=visits").json()["failed"],
            "the file is not looked at",
        )
    told = ask(airflow, what="run", since="2024-01-01T00:00:00+00:00")
    assert told["kind"] == "SnowmeltRunError"
    assert "visits_bad.csv:3: pages: " in told["problem"]


def test_a_triggerer_that_is_killed_or_stopped_loses_no_event(
    service: Serving, airflow: Airflow
) -> None:
    airflow.environment |= {
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
    }
    (airflow.dags / "watching.py").write_text(DAG)
    airflow("db", "migrate")
    airflow("dags", "reserialize")
    number = 0

    def publish() -> None:
        nonlocal number
        number += 1
        row = f"{VISITS}{5000 + number},c1,3\n".encode()
        Shop(service.root).land_bytes(f"visits_{number}.csv", row)
        with service.client() as client:
            until(lambda: len(published(client)) >= number, "nothing is published")

    started_at = now(service)

    def published(client: Any) -> list[str]:
        page = client.get("/api/v1/happenings", params={"after": started_at}).json()
        return [
            each["id"] for each in page["happenings"] if each["kind"] == "published"
        ]

    for ends in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        process = airflow.start("triggerer")
        try:
            until(lambda: position(airflow), "nothing is watched", 240)
            before = position(airflow)
            publish()
            until(lambda: len(heard(airflow)) >= number, "an event is lost", 240)
            until(partial(has_moved, airflow, before), "no position is written", 240)
            publish()  # told, perhaps, and perhaps not stored
        finally:
            end(process, ends)
        publish()  # while nobody listens
    process = airflow.start("triggerer")
    try:
        until(lambda: len(heard(airflow)) >= number, "an event is lost", 240)
    finally:
        end(process, signal.SIGKILL)
    with service.client() as client:
        assert heard(airflow) == set(published(client))
    # told twice is only what was told within moments of an end
    assert len(asked(airflow, "select id from asset_event")) <= number + 3 * 2


def now(service: Serving) -> str:
    with service.client() as client:
        found: str = client.get("/api/v1/happenings?after=now").json()["next"]
        return found


def asked(airflow: Airflow, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{airflow.home}/airflow.db?mode=ro", uri=True) as base:
        found = base.execute(sql).fetchall()
    base.close()
    return found


def position(airflow: Airflow) -> list[tuple[Any, ...]]:
    return asked(airflow, "select value from asset_state_store")


def has_moved(airflow: Airflow, before: list[tuple[Any, ...]]) -> bool:
    return position(airflow) != before


def heard(airflow: Airflow) -> set[str]:
    events = asked(airflow, "select extra from asset_event")
    return {json.loads(extra)["payload"]["id"] for (extra,) in events}


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """End a triggerer and what it started."""
    os.killpg(process.pid, how)
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)
