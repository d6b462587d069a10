"""Streams of models that come, go and change."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shop import Shop
from small_project import ORDERS, OpenSmall, Warm, make_small, open_small
from snowmelt.events import StatementFinished


def publish(shop: Shop, commands: OpenSmall, number: int) -> dict[str, Any]:
    row = f"o{number},c1,aa,open,1.00,2024-01-01,\n"
    shop.land_bytes(f"orders_{number}.csv", f"{ORDERS}{row}".encode())
    run: dict[str, Any] = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    return run


@pytest.mark.long
def test_a_model_that_is_gone_has_no_offset_and_makes_no_run_slow(
    tmp_path: Path,
) -> None:
    shop = make_small(tmp_path / "shop")
    with open_small(shop) as commands:
        publish(shop, commands, 0)
    models = shop.root / "models" / "gold"
    (models / "dim_customers.sql").unlink()
    described = (models / "_gold.yml").read_text()
    kept = described[: described.index("  - name: dim_customers")]
    (models / "_gold.yml").write_text(kept)
    with open_small(shop) as commands:
        ways = [publish(shop, commands, number)["way"] for number in range(1, 5)]
        left = commands.rows(
            "select * from snowmelt.stream_offsets "
            "where consumer = 'gold.dim_customers'"
        )
    assert ways == ["dbt", "dbt", "dbt", "replay"]
    assert left == []


@pytest.mark.long
def test_an_incremental_model_is_never_given_all_rows_a_second_time(
    tmp_path: Path,
) -> None:
    shop = make_small(tmp_path / "shop")
    with open_small(shop) as commands:
        publish(shop, commands, 0)
        with commands._parts.warehouse.session() as session:
            session.execute(
                "delete from snowmelt.stream_offsets "
                "where consumer = 'gold.order_movements'"
            )
        row = "o1,c1,aa,open,1.00,2024-01-01,\n"
        shop.land_bytes("orders_1.csv", f"{ORDERS}{row}".encode())
        run = commands.run(None)["run"]
        assert run["state"] == "FAILED"
        assert "order_movements has no offset in its streams" in run["error"]
        assert "snowmelt rebuild" in run["error"]
        assert commands.rows("select sum(records) from gold.order_movements") == [(1,)]
        assert commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert commands.rows("select sum(records) from gold.order_movements") == [(2,)]


def test_a_stream_of_columns_says_nothing_of_the_others(
    tmp_path: Path, warm: Warm
) -> None:
    """An order's items are in fct_orders, and nothing that orders_by_state reads."""
    shop = warm.copy(tmp_path / "shop")
    after = "gold__orders_by_state__after"
    told: list[object] = []
    item = b'{"order_id":"w0","line":2,"sku":"b1","quantity":1,"price":5.00}\n'
    order = b"w0,c1,aa,open,7.00,2024-01-01,\n"
    before = "select amount from gold.orders_by_state"
    with open_small(shop) as commands:
        commands.loop.parts.events.subscribe(told.append)
        amounts = commands.rows(before)
        shop.land_bytes("items_new.json", item)
        priced = commands.run(None)["run"]
        assert commands.rows(
            "select item_count from gold.fct_orders where order_id = 'w0'"
        ) == [(2,)]
        assert commands.rows(before) == amounts == [(Decimal("4.00"),)]
        shop.land_bytes("orders_new.csv", ORDERS.encode() + order)
        ordered = commands.run(None)["run"]
        assert commands.rows(before) == [(Decimal("10.00"),)]
    for run, times in ((priced, 0), (ordered, 1)):
        assert (run["way"], run["state"]) == ("replay", "SUCCEEDED")
        made = [
            each
            for each in told
            if isinstance(each, StatementFinished)
            and each.run_id == run["run_id"]
            and f'temp table "{after}"' in each.sql
        ]
        assert len(made) == times


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        pytest.param(
            "order_movements",
            "'orders')",
            "'orders', columns=['amount'])",
            "order_movements names columns; they say which keys",
            id="of a bronze table",
        ),
        pytest.param(
            "orders_by_state",
            "'amount']",
            "'amuont']",
            "orders_by_state names a column 'amuont' that",
            id="misspelt",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "orders_by_state",
            "['month', 'customer_state', 'amount']",
            "'month'",
            'Referenced column "customer_state" not found',
            id="too few for the keys",
            marks=pytest.mark.long,
        ),
    ],
)
def test_columns_that_cannot_be_are_refused_by_the_first_run(
    tmp_path: Path, name: str, old: str, new: str, told: str
) -> None:
    shop = make_small(tmp_path / "shop")
    model = shop.root / "models" / "gold" / f"{name}.sql"
    assert old in model.read_text()
    model.write_text(model.read_text().replace(old, new))
    with open_small(shop) as commands:
        row = "o1,c1,aa,open,1.00,2024-01-01,\n"
        shop.land_bytes("orders_1.csv", f"{ORDERS}{row}".encode())
        run = commands.run(None)["run"]
    assert run["state"] == "FAILED"
    assert told in run["error"]
