"""Streams of models that come, go and change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from shop import Shop
from small_project import ORDERS, OpenSmall, make_small, open_small


def publish(shop: Shop, commands: OpenSmall, number: int) -> dict[str, Any]:
    row = f"o{number},c1,aa,open,1.00,2024-01-01,\n"
    shop.land_bytes(f"orders_{number}.csv", f"{ORDERS}{row}".encode())
    run: dict[str, Any] = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    return run


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
