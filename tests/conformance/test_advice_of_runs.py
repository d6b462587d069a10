"""Advice of a project that runs: a slow test of a whole table, and what cures it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.cli.main import main
from snowmelt.observe.advice.limits import Limits
from snowmelt.service.advising import advise_document
from snowmelt.transform.package import write_package
from snowmelt.transform.project_digest import project_digest

ORDERS = {
    "name": "orders",
    "pattern": "orders*.csv",
    "contract": columns("id integer, amount integer"),
}
SLOW = (
    "{% test slow(model, column_name) %} select {{ column_name }} from {{ model }} "
    "where (select count(*) from range(2000) a, range(1000) b "
    "where (a.range * b.range + {{ column_name }}) % 1000003 = -1) > 0 {% endtest %}"
)
TABLE = "{{ config(materialized='table') }}"
MODELS = {
    "macros/slow.sql": SLOW,
    "models/orders.sql": "%s select id, amount from {{ source('bronze', 'orders') }}",
    "models/models.yml": """
version: 2
models:
  - name: orders
    columns: [{name: id, data_tests: [unique, slow]}]
""",
}
FEW = replace(Limits(), runs_min=3, seconds_min=0.001)
RUNS = 3


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [ORDERS]) as opened:
        write_package(opened.root)
        for name, text in MODELS.items():
            path = opened.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text.replace("%s", TABLE))
        opened.loop.publishes = True
        yield opened


def run(shop: Shop, number: int) -> None:
    shop.land(f"orders_{number}.csv", f"id,amount\n{number},5\n".encode())
    shop.load()


def by_node(document: dict[str, Any]) -> dict[str, Any]:
    return {each["node"]: each for each in document["advice"]}


def test_a_slow_test_of_a_whole_table_is_found_with_what_cures_it(
    shop: Shop,
) -> None:
    run(shop, 0)
    assert shop.parts.publication.rehearse(project_digest(shop.root))
    for number in range(1, RUNS + 1):
        run(shop, number)
    ways = "select way, count(*) from snowmelt.run_history group by way order by way"
    assert shop.rows(ways) == [("dbt", 1), ("replay", RUNS)]

    document = advise_document(shop.parts, FEW)
    told = by_node(document)["slow_orders_id"]
    assert document["evidence"]["runs_usual"] == RUNS
    assert (told["kind"], told["runs"]) == ("whole_table_test", RUNS)
    assert told["file"] == "models/orders.sql"
    assert told["change"] == (
        "{{ config(materialized='affected_keys', unique_key='id') }}"
    )
    took = shop.rows(
        "select median(seconds) from snowmelt.node_history "
        "where node = 'slow_orders_id' and form = 'replayed'"
    )
    assert told["figures"]["median_seconds"] == pytest.approx(took[0][0], abs=1e-4)
    assert told["seconds"] == max(each["seconds"] for each in document["advice"])
    json.dumps(document)
    assert advise_document(shop.parts)["advice"] == [], "three runs are too few to say"


@pytest.mark.long
def test_the_lines_that_are_advised_cure_it(shop: Shop) -> None:
    change = "{{ config(materialized='affected_keys', unique_key='id') }}"
    model = shop.root / "models" / "orders.sql"
    model.write_text(
        change + " with {% call snowmelt.affected() %} select id from "
        "{{ snowmelt.stream('bronze', 'orders') }} {% endcall %} final as (select id, "
        "amount from {{ source('bronze', 'orders') }} where "
        "{{ snowmelt.is_affected('id') }}) select * from final"
    )
    properties = shop.root / "models" / "models.yml"
    properties.write_text(
        MODELS["models/models.yml"].replace(
            "slow]", "slow: {config: {meta: {on_changes: rows}}}]"
        )
    )
    run(shop, 0)
    assert shop.parts.publication.rehearse(project_digest(shop.root))
    for number in range(1, 5):
        run(shop, number)
    forms = shop.rows(
        "select distinct form from snowmelt.node_history join snowmelt.run_history "
        "using (run_id) where node = 'slow_orders_id' and way = 'replay'"
    )
    assert forms == [("delta",)]
    kinds = {each["kind"] for each in advise_document(shop.parts, FEW)["advice"]}
    assert "whole_table_test" not in kinds


def test_the_command_says_that_it_knows_too_little(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(shop.root)
    shop.loop.close()
    shop.parts.warehouse.close()
    with pytest.raises(SystemExit) as ended:
        main(["advise", "--project-dir", root])
    assert ended.value.code == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("0 published runs of new rows so far; nothing is said")
    with pytest.raises(SystemExit):
        main(["advise", "--project-dir", root, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["advice"] == []
    assert document["thresholds"]["runs_min"] == document["evidence"]["runs_min"] == 10
