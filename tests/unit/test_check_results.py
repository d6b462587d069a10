"""What a check found holds until it is asked again, whatever other runs tested."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from snowmelt.clock import SystemClock
from snowmelt.service.check_results import standing_checks
from snowmelt.service.pages.health import attention_of_checks
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.port import Session

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ORDERS = ("orders", "model", "success")
SMALL = ("small", "test", "warn")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder: Path = tmp_path_factory.mktemp("checks")
    limits = Limits(1, 256 << 20)
    warehouse = open_warehouse(folder / "w.duckdb", folders=[], limits=limits)
    ensure_system_tables(warehouse, SystemClock())
    with warehouse.session() as session:
        yield session
    warehouse.close()


@pytest.fixture
def session(opened: Session) -> Session:
    for table in ("run_history", "node_history"):
        opened.execute(f"delete from snowmelt.{table}")
    return opened


def runs(session: Session, *all_nodes: list[tuple[str, str, str]]) -> None:
    """Write runs down, oldest first, each with how its nodes ended."""
    for number, nodes in enumerate(all_nodes):
        run_id = f"run{number:02}"
        session.execute(
            "insert into snowmelt.run_history (run_id, state, reason, started_at, "
            "full_refresh, project_digest) values ($1, 'SUCCEEDED', '', $2, '', '')",
            [run_id, NOON + timedelta(minutes=number)],
        )
        for node, kind, status in nodes:
            session.execute(
                "insert into snowmelt.node_history (run_id, node, resource_type, "
                "status, seconds, failures) values ($1, $2, $3, $4, 0.1, 3)",
                [run_id, node, kind, status],
            )


def graph(*tests: str) -> Graph:
    model = Node("m", "orders", "p.orders", "model", (), "latest_version")
    nodes = [Node(f"t.{each}", each, each, "test", ("m",)) for each in tests]
    return Graph([model, *nodes], [])


def standing(session: Session, *tests: str) -> list[tuple[str, str]]:
    found = standing_checks(session, graph(*tests))
    return [(each["node"], each["run_id"]) for each in found]


def test_a_warning_outlives_runs_that_did_not_ask_it(session: Session) -> None:
    runs(session, [SMALL], [("other", "test", "pass")], [("a", "model", "success")])
    assert standing(session, "small", "other") == [("small", "run00")]
    (told,) = attention_of_checks(standing_checks(session, graph("small")), None)
    assert (told["level"], told["told"]) == ("warn", "small warns: 3 rows")


@pytest.mark.parametrize("later", ["pass", "skipped"])
def test_a_warning_ends_when_the_test_passes(session: Session, later: str) -> None:
    runs(session, [SMALL], [("small", "test", later)])
    assert bool(standing(session, "small")) is (later == "skipped")


def test_a_test_that_is_gone_from_the_project_holds_no_more(session: Session) -> None:
    runs(session, [SMALL, ("left", "test", "fail")])
    assert standing(session, "left") == [("left", "run00")]


def test_a_rule_holds_until_its_model_is_made_without_it(session: Session) -> None:
    rule = ("orders.rules", "rule", "warn")
    runs(session, [ORDERS, rule], [("other", "model", "success")])
    assert standing(session) == [("orders.rules", "run00")]
    runs(session, [], [], [ORDERS])
    assert standing(session) == []


def test_loads_of_an_odd_size_are_news_of_one_run(session: Session) -> None:
    runs(session, [("sales", "volume", "warn")])
    assert standing(session) == [("sales", "run00")]
    runs(session, [], [ORDERS])
    assert standing(session) == []


def test_what_failed_a_run_is_told_of_once(session: Session) -> None:
    runs(session, [SMALL, ("left", "test", "fail")])
    checks = standing_checks(session, graph("small", "left"))
    failed = {"run_id": "run00", "state": "FAILED"}
    names = [each["name"] for each in attention_of_checks(checks, failed)]
    assert names == ["small"]
    names = [each["name"] for each in attention_of_checks(checks, None)]
    assert names == ["left", "small"], "failures first"
