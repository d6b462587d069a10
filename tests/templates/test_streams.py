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
