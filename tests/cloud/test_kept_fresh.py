"""What dbt-snowflake reads in a model that asks to be a dynamic table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from doubles import LACKING, PYTHON, run_dbt

from small_project import make_small, open_small

pytestmark = [pytest.mark.cloud]
MODEL = "{{ snowmelt.dynamic_table('DOWNSTREAM') }} select 1 as one"


def test_dbt_makes_it_with_the_lag_and_the_warehouse(tmp_path: Path) -> None:
    if not PYTHON.exists():
        pytest.skip(LACKING)
    shop = make_small(tmp_path / "shop")
    (shop.root / "models" / "gold" / "kept_fresh.sql").write_text(MODEL)
    with open_small(shop):
        pass  # the sources of bronze are written where a project is opened
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    output = {
        "type": "snowflake",
        "account": "a",
        "user": "u",
        "password": "p",
        "database": "SHOP",
        "schema": "public",
        "warehouse": "SHOP_WH",
    }
    profile = {"snowmelt": {"target": "prod", "outputs": {"prod": output}}}
    (profiles / "profiles.yml").write_text(yaml.safe_dump(profile))
    run_dbt(shop.root, profiles, "parse")
    nodes = json.loads((profiles / "target/manifest.json").read_text())["nodes"]
    [found] = (node for name, node in nodes.items() if name.endswith(".kept_fresh"))
    config = {key: found["config"][key] for key in ("materialized", "target_lag")}
    assert config == {"materialized": "dynamic_table", "target_lag": "downstream"}
    assert found["config"]["snowflake_warehouse"] == "SHOP_WH"
