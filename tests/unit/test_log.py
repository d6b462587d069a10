"""The log's buffer has limits, its rows an end, and its writing a pace."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from snowmelt.events import (
    Event,
    Events,
    FileSettled,
    FreshnessChanged,
    RunFinished,
    StatementFinished,
    concerning,
)
from snowmelt.observe.log_lines import EventLog, json_lines, log
from snowmelt.observe.log_rows import QUERY_CHARS_MAX, LogRows, Query, name_of
from snowmelt.observe.pipeline_log import LogConfig, PipelineLog, kept_log
from snowmelt.transform.statements import count_rows, makes_rows_of
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import (
    DuckDBWarehouse,
    Limits,
    open_warehouse,
)
from snowmelt.warehouse.port import Table

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = timedelta(days=1)


class HandedClock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.instant = NOON

    def now(self) -> datetime:
        return self.instant

    def monotonic(self) -> float:
        return (self.instant - NOON).total_seconds()

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        raise AssertionError("nothing here waits")


def settled(name: str, at: datetime = NOON) -> FileSettled:
    return FileSettled("p", name, "Loaded", 3, 0, None, 3, 40, 1, at, at)


def statement(sql: str, at: datetime = NOON, error: str | None = None) -> Event:
    return StatementFinished("run-1", "model.shop.orders", sql, at, 0.5, 2, error)


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    opened = open_warehouse(tmp_path / "w.duckdb", folders=[], limits=Limits(threads=1))
    try:
        ensure_system_tables(opened)
        yield opened
    finally:
        opened.close()


@pytest.fixture
def clock() -> HandedClock:
    return HandedClock()


def make_log(
    warehouse: DuckDBWarehouse, clock: HandedClock, **config: Any
) -> PipelineLog:
    return PipelineLog(warehouse, LogConfig(**config), clock)


def ask(warehouse: DuckDBWarehouse, sql: str) -> list[Any]:
    with warehouse.snapshot() as session:
        return [row[0] if len(row) == 1 else row for row in session.rows(sql)]


def test_exactly_what_is_old_is_forgotten(
    warehouse: DuckDBWarehouse, clock: HandedClock
) -> None:
    kept = make_log(warehouse, clock, keep="30d", queries_keep="7d")
    second = timedelta(seconds=1)
    for days in (30, 7):
        for name, at in (
            (f"older than {days}", NOON - days * DAY - second),
            (f"just {days}", NOON - days * DAY),
        ):
            kept(settled(name, at))
            kept(statement(name, at))
            kept(FreshnessChanged(name, "late", at, at, 5.0))
    assert kept.write()
    with warehouse.session() as session:
        for run_id, at in (("old", NOON - 31 * DAY), ("new", NOON - 29 * DAY)):
            session.insert(
                "snowmelt.run_history",
                {
                    "run_id": [run_id],
                    "state": ["FAILED"],
                    "reason": [""],
                    "started_at": [at],
                    "full_refresh": [""],
                    "project_digest": [""],
                },
            )
            session.execute(
                "insert into snowmelt.node_history (run_id, node, resource_type, "
                "status, seconds) values ($1, 'n', 'test', 'fail', 1)",
                [run_id],
            )
            session.execute(
                "insert into snowmelt.test_failures values ($1, 'n', 1, '{}')",
                [run_id],
            )
    kept.keep_up(busy=False)
    assert kept.problem is None
    names = ["just 30", "just 7", "older than 7"]
    copies = "select object from snowmelt.pipeline_log where step = 'copy' order by 1"
    assert ask(warehouse, copies) == names
    judged = "select pipe_name from snowmelt.freshness_history order by 1"
    assert ask(warehouse, judged) == names
    assert ask(warehouse, "select query_text from snowmelt.query_history") == ["just 7"]
    for table in ("node_history", "test_failures"):
        assert ask(warehouse, f"select run_id from snowmelt.{table}") == ["new"], table
    runs = "select run_id from snowmelt.run_history order by 1"
    assert ask(warehouse, runs) == ["new", "old"]


def test_old_rows_are_looked_for_at_the_start_and_once_an_hour(
    warehouse: DuckDBWarehouse, clock: HandedClock
) -> None:
    kept = make_log(warehouse, clock)
    assert kept.is_due(busy=False)
    assert not kept.is_due(busy=True), "what loads goes first"
    kept.keep_up(busy=False)
    clock.instant += timedelta(minutes=59)
    assert not kept.is_due(busy=False)
    clock.instant += timedelta(minutes=2)
    assert kept.is_due(busy=False)
    clock.instant += timedelta(hours=1)
    assert kept.is_due(busy=True), "it is not put off for ever"


def test_rows_are_written_when_nothing_else_is_done_or_have_waited(
    warehouse: DuckDBWarehouse, clock: HandedClock
) -> None:
    kept = make_log(warehouse, clock, write_every="5s")
    kept.keep_up(busy=False)
    kept(settled("a"))
    assert not kept.is_due(busy=False)
    clock.instant += timedelta(seconds=1)
    assert kept.is_due(busy=False)
    assert not kept.is_due(busy=True)
    clock.instant += timedelta(seconds=5)
    assert kept.is_due(busy=True)
    kept.keep_up(busy=True)
    assert not kept.is_due(busy=False)


def test_the_oldest_rows_are_lost_when_nothing_can_be_written(
    warehouse: DuckDBWarehouse, clock: HandedClock, caplog: pytest.LogCaptureFixture
) -> None:
    kept = make_log(warehouse, clock, waiting_rows_max=100)
    with warehouse.session() as session:
        session.execute("alter table snowmelt.pipeline_log rename to away")
    for number in range(130):
        kept(settled(f"{number}"))
    assert not kept.write()
    assert (kept.waiting, kept.lost) == (100, 30)
    assert not kept.is_due(busy=False), "it is not tried again at once"
    clock.instant += timedelta(minutes=1)
    assert kept.is_due(busy=False)
    with warehouse.session() as session:
        session.execute("alter table snowmelt.away rename to pipeline_log")
    assert kept.write()
    first = "select min(object::int), count(*) from snowmelt.pipeline_log"
    assert ask(warehouse, first) == [(30, 100)]
    assert "30 rows of the log are lost" in caplog.text
    assert "could not be written" in caplog.text

    big = make_log(warehouse, clock, waiting_bytes_max=65_536)
    for _ in range(10):
        big(statement("x" * 15_000))
    assert 0 < big.waiting < 5
    assert big.lost == 10 - big.waiting


def test_what_is_left_is_written_at_the_end_or_counted_as_lost(
    warehouse: DuckDBWarehouse, clock: HandedClock
) -> None:
    events = Events()
    with kept_log(warehouse, LogConfig(), clock, events) as kept:
        events.emit(settled("a"))
    assert ask(warehouse, "select object from snowmelt.pipeline_log") == ["a"]
    with kept_log(warehouse, LogConfig(), clock, events) as kept:
        events.emit(settled("b"))
        with warehouse.session() as session:
            session.execute("drop table snowmelt.pipeline_log")
    assert (kept.waiting, kept.lost) == (0, 1)


def test_any_text_can_be_written(
    warehouse: DuckDBWarehouse, clock: HandedClock
) -> None:
    kept = make_log(warehouse, clock)
    for name in ("nul\0", "half \udcff", "quote ' and \\ and ⏎\n"):
        kept(settled(name))
        kept(statement(name))
    for number in range(20):
        kept(settled(f"{number}\0"))
    assert kept.write(), kept.problem
    found = ask(warehouse, "select query_text from snowmelt.query_history order by 1")
    assert found == ["half \\udcff", "nul\\0", "quote ' and \\ and ⏎\n"]


def test_a_long_statement_is_cut_and_says_so() -> None:
    (query,) = LogRows().of(statement("x" * (QUERY_CHARS_MAX + 7)))
    assert isinstance(query, Query)
    assert query.query_text.endswith("x\n-- 7 more characters")
    assert (query.query_id, query.status) == ("run-1.00001", "SUCCEEDED")


def test_the_name_of_a_node_is_the_third_part_of_its_id() -> None:
    for unique_id, name in (
        ("model.shop.orders", "orders"),
        ("test.shop.not_null_orders_id.a1b2", "not_null_orders_id"),
        ("model.shop.orders.v2", "orders"),
        ("orders", "orders"),
    ):
        assert name_of(unique_id) == name


@pytest.mark.parametrize(
    ("sql", "columns", "rows", "count"),
    [
        ('/* {"app": "dbt"} */\n create table t as select 1', ["Count"], [(5,)], 5),
        ("-- a\n/* create */ insert into t values (1)", ["Count"], [(1,)], 1),
        ("create or replace view v as select 1", ["Count"], [], None),
        ("alter table t rename to u", ["Success"], [], None),
        ("/* a */ with t as (select 1) select * from t", ["a"], [(1,), (2,)], 2),
        ('(select 7 as "Count")', ["Count"], [(7,)], 1),
    ],
)
def test_rows_of_a_statement_are_those_it_wrote_or_returned(
    sql: str, columns: list[str], rows: list[Any], count: int | None
) -> None:
    assert count_rows(sql, Table(columns, ["ANY"], rows)) == count


def test_whatever_is_logged_is_a_line_of_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    own, library = logging.getLogger("snowmelt"), logging.getLogger("botocore")
    with json_lines():
        with concerning(run_id="run-1"), concerning(pipe="orders"):
            own.warning("a batch of pipe %s could not be copied", "orders")
        try:
            int("a line\nand another")
        except ValueError:
            library.exception("it failed")
        log.info("watching", location="/landing")
        sink = EventLog()
        sink(settled("a.csv"))
        sink(statement("select 1"))
        sink(RunFinished("run-2", "FAILED", 1.5, "no", "news", NOON, NOON, ()))
    own.warning("nobody hears this as JSON")
    lines = [json.loads(line) for line in said.getvalue().splitlines()]
    warned, failed, watching, file, run = lines
    assert warned["event"] == "a batch of pipe orders could not be copied"
    assert (warned["pipe"], warned["run_id"]) == ("orders", "run-1")
    assert warned["level"] == "warning"
    assert (failed["logger"], failed["level"]) == ("botocore", "error")
    assert "ValueError: invalid literal" in failed["exception"]
    assert "pipe" not in failed
    assert (watching["event"], watching["location"]) == ("watching", "/landing")
    assert (file["event"], file["pipe"]) == ("file_settled", "p")
    assert file["started_at"] == NOON.isoformat()
    assert (run["run_id"], run["level"], run["nodes"]) == ("run-2", "warning", 0)
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize(
    ("sql", "is_so"),
    [
        ('create table "shop"."gold"."orders__dbt_tmp" as (select 1)', True),
        ("/* made */ insert into gold.Orders by name select 1", True),
        ('create or replace temp table "orders" as select 1', True),
        ('merge into "gold"."orders" using came on true', True),
        ("insert into snowmelt.row_tallies select 1", False),
        ('delete from "gold"."orders"', False),
        ('create table "gold"."orders__came" as select 1', False),
        ("select * from orders", False),
    ],
)
def test_rows_of_a_model_are_those_put_into_its_table(sql: str, is_so: bool) -> None:
    assert makes_rows_of(sql, "orders") is is_so
