"""A graph of tasks that builds a real project: gold waits for its gate."""

from __future__ import annotations

from pathlib import Path

from shop import Shop
from small_project import ORDERS, Warm, open_small

TASKS = """
tasks:
  load: {refresh: {}}
  silver: {after: load, dbt: {select: silver}}
  gate: {after: silver, sql: {file: gate.sql, expect: empty}}
  gold: {after: gate, dbt: {select: gold}}
"""
GATE = "select order_id from silver.orders where order_id = 'z2'"
SEEN = (
    "select (select count(*) from silver.orders where order_id = 'z{0}'), "
    "(select count(*) from gold.fct_orders where order_id = 'z{0}')"
)


def test_gold_waits_for_its_gate_and_a_retry_publishes(
    warm: Warm, tmp_path: Path
) -> None:
    shop = warm.copy(tmp_path / "shop")
    with (shop.root / "snowmelt.yml").open("a") as settings:
        settings.write(TASKS)
    (shop.root / "gate.sql").write_text(GATE)
    with open_small(shop) as commands:
        land(shop, 1, "open")
        document = commands.task_run(None, None)
        assert document["graph_run"]["state"] == "SUCCEEDED", document
        assert commands.rows(SEEN.format(1)) == [(1, 1)]
        land(shop, 2, "open")
        document = commands.task_run(None, None)
        states = {each["name"]: each["state"] for each in document["task_runs"]}
        assert states == {
            "load": "SUCCEEDED",
            "silver": "CANCELLED",
            "gate": "FAILED",
        }
        assert commands.rows(SEEN.format(2)) == [(0, 0)], "readers keep the run before"
        (shop.root / "gate.sql").write_text("select 1 where false")
        document = commands.task_retry(None)
        assert document["graph_run"]["state"] == "SUCCEEDED", document
        assert commands.rows(SEEN.format(2)) == [(1, 1)]


def land(shop: Shop, number: int, status: str) -> None:
    row = f"z{number},c1,aa,{status},1.00,2024-01-01,\n"
    shop.land_bytes(f"orders_z{number}.csv", f"{ORDERS}{row}".encode())
