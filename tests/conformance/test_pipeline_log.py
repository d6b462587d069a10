"""Every step is in the log, with its counts; the log never costs a load."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from small_shop import Shop, columns, open_shop

from snowmelt.observe.metrics import Metrics
from snowmelt.service.commands import OwnCommands
from snowmelt.service.numbers import standing

ORDERS = {
    "name": "orders",
    "pattern": "orders*.csv",
    "on_error": "continue",
    "contract": columns("id integer, amount integer"),
}
MODELS = {
    "models/orders.sql": "{{ config(materialized='table') }} "
    "select id, amount from {{ source('bronze', 'orders') }}",
    "models/totals.sql": "select sum(amount) as total from {{ ref('orders') }}",
    "models/models.yml": """
version: 2
models:
  - name: orders
    columns: [{name: amount, data_tests: [not_null]}]
""",
}
STEPS = (
    "select step, object, status, rows_in, rows_out, rows_rejected, bytes, error "
    "from snowmelt.pipeline_log "
)


def land(shop: Shop, name: str, *rows: str) -> int:
    content = "\n".join(["id,amount", *rows, ""]).encode()
    shop.land(name, content)
    return len(content)


def steps(shop: Shop, where: str) -> list[dict[str, Any]]:
    """Return what the log has by now, oldest first."""
    assert shop.parts.pipeline_log.write()
    with shop.parts.warehouse.snapshot() as session:
        found = session.table(
            f"select * from snowmelt.pipeline_log where {where} "
            "order by started_at, rowid"
        )
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [ORDERS]) as opened:
        yield opened


@pytest.fixture
def published(shop: Shop) -> Shop:
    for name, text in MODELS.items():
        path = shop.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    shop.loop.publishes = True
    return shop


def test_each_step_of_a_run_is_logged_with_its_counts(published: Shop) -> None:
    shop = published
    size = land(shop, "orders_1.csv", "1,10", "2,20", "3,x", "4,40")
    shop.load()
    ((run_id, models, tests),) = shop.rows(
        "select run_id, models, tests from snowmelt.run_history"
    )
    (listing,) = steps(shop, "step = 'listing'")
    assert json.loads(listing["details"]) == {"files": 1}
    (copy,) = steps(shop, "step = 'copy'")
    counts = ("rows_in", "rows_out", "rows_rejected", "bytes")
    assert [copy[name] for name in counts] == [4, 3, 1, size]
    assert (copy["object"], copy["status"]) == ("orders_1.csv", "Partially loaded")
    assert json.loads(copy["details"]) == {"pipe": "orders", "load_seq": 1}

    of_run = steps(shop, f"run_id = '{run_id}'")
    assert len(of_run) == models + tests + 2, "the run, its nodes, and publishing it"
    by_name = {(each["step"], each["object"]): each for each in of_run}
    assert by_name["model", "orders"]["rows_out"] == 3
    assert by_name["model", "totals"]["rows_out"] is None, "a view has no rows"
    assert by_name["test", "not_null_orders_amount"]["rows_rejected"] == 0
    assert by_name["run", "gold"]["status"] == "SUCCEEDED"
    assert by_name["publish", "gold"]["ended_at"] >= by_name["run", "gold"]["ended_at"]
    assert shop.rows(
        "select node, resource_type, status from snowmelt.node_history"
    ) == [
        (each["object"], each["step"], each["status"])
        for each in of_run
        if each["step"] in ("model", "test")
    ]
    assert all(each["started_at"] <= each["ended_at"] for each in of_run)
    assert all(each["turn"] >= listing["turn"] == 1 for each in of_run)

    queries = shop.rows(
        "select query_text, rows_produced from snowmelt.query_history "
        f"where run_id = '{run_id}' and node = 'model.small.orders' "
        "and query_text like '%create%table%' and status = 'SUCCEEDED'"
    )
    assert [rows for _, rows in queries] == [3]
    strange = "select count(*) from snowmelt.query_history where run_id <> $1"
    assert shop.rows(strange, [run_id]) == [(0,)]

    land(shop, "orders_2.csv", "5,")
    shop.load()
    (failed,) = shop.rows(
        "select run_id, error from snowmelt.run_history where state = 'FAILED'"
    )
    of_run = steps(shop, f"run_id = '{failed[0]}'")
    by_name = {(each["step"], each["object"]): each for each in of_run}
    run = by_name["run", "gold"]
    assert (run["status"], run["error"]) == ("FAILED", failed[1])
    assert by_name["test", "not_null_orders_amount"]["rows_rejected"] == 1
    assert ("publish", "gold") not in by_name

    commands = OwnCommands(shop.loop, serving=False)
    told = commands.log(failed[0], "test", None, 10)["steps"]
    assert [each["object"] for each in told] == ["not_null_orders_amount"]
    assert len(commands.log(None, None, None, 2)["steps"]) == 2


def test_a_statement_that_fails_is_logged_with_its_error(published: Shop) -> None:
    shop = published
    (shop.root / "models" / "orders.sql").write_text(
        "{{ config(materialized='table') }} select cast('x' as integer) as amount"
    )
    shop.load()
    (run,) = steps(shop, "step = 'run'")
    assert run["status"] == "FAILED"
    assert "Could not convert string 'x'" in run["error"]
    (model,) = steps(shop, "step = 'model' and object = 'orders'")
    assert (model["status"], model["rows_out"]) == ("error", None)
    ((node, query, error),) = shop.rows(
        "select node, query_text, error from snowmelt.query_history "
        "where status = 'FAILED'"
    )
    assert node == "model.small.orders"
    assert "cast('x' as integer)" in query
    assert error in model["error"] or error.splitlines()[0] in model["error"]


def test_replays_actions_and_judgements_are_logged(tmp_path: Path) -> None:
    pipe = ORDERS | {"after_load": {"archive": ".loaded"}, "expect": "every 1h"}
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        land(shop, "orders_1.csv", "1,10", "2,x")
        shop.load()
        (action,) = steps(shop, "step = 'after_load'")
        assert (action["object"], action["status"]) == ("orders_1.csv", "done")
        assert json.loads(action["details"])["action"] == "archive"

        later = shop.parts.clock.now() + timedelta(minutes=90)
        shop.loop.watching.check(later)
        (judged,) = steps(shop, "step = 'expectation'")
        assert (judged["object"], judged["status"]) == ("orders", "late")
        (judgement,) = shop.rows(
            "select pipe_name, state, judged_at, round(lag_seconds / 60) "
            "from snowmelt.freshness_history"
        )
        assert judgement == ("orders", "late", later, 90)

        OwnCommands(shop.loop, serving=False).replay()
        (replay,) = steps(shop, "step = 'replay'")
        assert (replay["object"], replay["status"]) == ("orders_1.csv", "FAILED")
        assert (replay["rows_in"], replay["rows_out"]) == (1, 0)
        assert "x" in replay["error"]


def test_a_log_that_cannot_be_written_fails_no_load(shop: Shop) -> None:
    log = shop.parts.pipeline_log
    with shop.parts.warehouse.session() as session:
        session.execute("alter table snowmelt.pipeline_log rename to away")
    land(shop, "orders_1.csv", "1,10")
    shop.load()
    assert not log.write()
    assert shop.rows("select count(*) from bronze.orders") == [(1,)]
    told = OwnCommands(shop.loop, serving=False).status()["log"]
    assert told["rows_waiting"] >= 2
    assert "pipeline_log" in told["problem"]
    with shop.parts.warehouse.session() as session:
        session.execute("alter table snowmelt.away rename to pipeline_log")
    (copy,) = steps(shop, "step = 'copy'")
    assert copy["object"] == "orders_1.csv"
    assert (log.waiting, log.lost, log.problem) == (0, 0, None)


def test_the_numbers_agree_with_load_history(shop: Shop) -> None:
    metrics = Metrics(lambda: standing(shop.loop))
    shop.parts.events.subscribe(metrics)
    land(shop, "orders_1.csv", "1,10", "2,x", "3,30")
    land(shop, "orders_2.csv", "4,40")
    shop.load()
    land(shop, "orders_2_again.csv", "4,40")
    land(shop, "orders_3.csv", '5,"')
    shop.load()
    (shop.parts.project.landing / "orders_2.csv").touch()
    land(shop, "other.txt")
    shop.load()

    kind, content = metrics.read()
    assert kind.startswith("text/plain")
    numbers = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(content.decode())
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }
    pipe = ("pipe", "orders")
    files = shop.rows(
        "select status, count(*), sum(row_count), sum(error_count) "
        "from snowmelt.load_history group by status"
    )
    assert {status for status, *_ in files} > {"Loaded", "Load skipped"}
    for status, count, *_ in files:
        key = ("snowmelt_files_settled_total", pipe, ("status", status))
        assert numbers[key] == count, status
    loaded = sum(rows for *_, rows, _ in files)
    rejected = sum(errors for *_, errors in files)
    assert numbers["snowmelt_rows_loaded_total", pipe] == loaded
    assert numbers["snowmelt_rows_rejected_total", pipe] == rejected
    assert numbers["snowmelt_pending_files", pipe] == 0
    assert 0 <= numbers["snowmelt_lag_seconds", pipe] < 60
    assert numbers[("snowmelt_log_rows_lost_total",)] == 0
