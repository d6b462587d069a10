"""A model that Snowflake would keep fresh by itself is a table here, made in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from small_project import ORDERS, make_small, open_small

MODEL = """{{ snowmelt.dynamic_table('10 minutes') }}

select status, count(*) as orders from {{ ref('fct_orders') }} group by status
"""


@pytest.mark.long
def test_it_is_a_table_with_a_target_lag(tmp_path: Path) -> None:
    shop = make_small(tmp_path / "shop")
    (shop.root / "models" / "gold" / "by_status.sql").write_text(MODEL)
    with open_small(shop) as commands:
        for number in range(2):
            row = f"o{number},c1,aa,open,1.00,2024-01-01,\n"
            shop.land_bytes(f"orders_{number}.csv", f"{ORDERS}{row}".encode())
            assert commands.run(None)["run"]["state"] == "SUCCEEDED"
        assert commands.rows("select * from gold.by_status") == [("open", 2)]
        [goal] = (
            each
            for each in commands.status()["lag"]["models"]
            if each["model"] == "gold.by_status"
        )
    assert goal["target_lag"] == "10 minutes"
