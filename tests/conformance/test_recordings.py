"""What dbt sent is sent again only while nothing that it depends on has changed.

One project, warmed up once: its runs are replayed. Each test changes one thing that
dbt's text depends on and sees the next run asked of dbt, with what is published equal
to what the change says.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from forms import with_long
from shop import Shop
from snowmelt.errors import ConfigError
from snowmelt.project.new import make_project
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.transform import project_digest as digests
from snowmelt.transform.project_digest import project_digest

PIPE = """
name: sales
pattern: "sales_*.csv"
file_format: {type: csv, parse_header: true}
contract:
  columns:
    - {name: sale_id, type: bigint}
    - {name: city, type: varchar}
    - {name: amount, type: "decimal(18,2)"}
"""
SALES = """
{{ config(materialized='latest_version', unique_key='sale_id') }}

select
    sale_id, {{ tidy('city') }} as city, amount,
    _file, _file_row, _load_seq, _version_at
from {{ snowmelt.stream('bronze', 'sales') }}
"""
BY_CITY = """
{{ config(materialized='affected_keys', unique_key='city') }}

with

{% call snowmelt.affected() %}
    select city from {{ snowmelt.stream(ref('sales')) }}
{% endcall %}

sales as (select * from {{ ref('sales') }} where {{ snowmelt.is_affected('city') }})

select
    sales.city,
    max(regions.region) as region,
    cast(sum(amount) * {{ var('rate') }} as decimal(18, 2)) as amount,
    '{{ env_var("SHOP_NAME", "corner") }}' as shop
from sales
left join {{ ref('regions') }} as regions on sales.city = regions.city
group by sales.city
"""
MODELS_YML = """
models:
  - name: sales
    columns:
      - {name: sale_id, data_tests: [unique, not_null]}
  - name: by_city
    columns:
      - {name: city, data_tests: [unique, not_null]}
      - name: amount
        data_tests: [{snowmelt.at_least: {arguments: {value: 0}}}]
"""


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.lstrip())


@pytest.fixture(scope="module")
def warmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose next run would be replayed."""
    root = tmp_path_factory.mktemp("warmed") / "shop"
    make_project(root, "blank")
    write(root, "pipes/sales.yml", PIPE)
    write(root, "models/silver/sales.sql", SALES)
    write(root, "models/gold/by_city.sql", BY_CITY)
    write(root, "models/models.yml", MODELS_YML)
    write(root, "seeds/regions.csv", "city,region\nrome,south\nparis,west\n")
    tidy = "{% macro tidy(column) %}lower(trim({{ column }})){% endmacro %}"
    write(root, "macros/tidy.sql", tidy)
    text = (root / "dbt_project.yml").read_text()
    (root / "dbt_project.yml").write_text(text + "\nvars: {rate: 1}\n")
    shop = Shop(root)
    shop.land_bytes("sales_1.csv", b"sale_id,city,amount\n1,rome,5\n2,paris,3\n")
    with shop.commands() as commands:
        assert commands.run(None)["run"]["way"] == "dbt"
        publication = commands._parts.publication
        assert publication.rehearse(project_digest(root))
        assert sold(shop, commands, "2", "4")["way"] == "replay"
    return root


@pytest.fixture
def shop(tmp_path: Path, warmed: Path) -> Shop:
    shutil.copytree(warmed, tmp_path / "shop", symlinks=True)
    return Shop(tmp_path / "shop")


def sold(shop: Shop, commands: OwnCommands, sale: str, amount: str) -> dict[str, Any]:
    """Let one sale in Rome land; return the run."""
    row = f"sale_id,city,amount\n{sale},Rome,{amount}\n"
    shop.land_bytes(f"sales_{sale}_{amount}.csv", row.encode())
    run: dict[str, Any] = commands.run(None)["run"]
    assert run["state"] == "SUCCEEDED", run
    return run


def rome(commands: OwnCommands) -> list[object]:
    rows = commands.query(
        "select amount, region, shop from gold.by_city where city = 'rome'", None
    )["rows"]
    return list(rows[0])


def test_a_run_of_new_rows_is_replayed(shop: Shop) -> None:
    with shop.commands() as commands:
        run = sold(shop, commands, "3", "10")
        assert (run["way"], run["fallback_reason"]) == ("replay", None)
        assert rome(commands) == ["19.00", "south", "corner"]
        forms = commands.query(
            "select distinct form from snowmelt.node_history where run_id = "
            f"'{run['run_id']}' order by form",
            None,
        )
        assert forms["rows"] == [["delta"], ["replayed"]]
        results = json.loads((shop.root / "target" / "run_results.json").read_text())
        assert results["metadata"]["invocation_id"] == run["run_id"]
        assert len(results["results"]) == run["models"] + run["tests"] == 7


def replace(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text()
    assert old in text
    (root / name).write_text(text.replace(old, new))


CHANGES: dict[str, tuple[Callable[[Path], None], list[object]]] = {
    "macro": (
        lambda root: replace(root, "macros/tidy.sql", "lower", "upper"),
        ["19.00", None, "corner"],
    ),
    "var": (
        lambda root: replace(root, "dbt_project.yml", "rate: 1", "rate: 2"),
        ["38.00", "south", "corner"],
    ),
    "seed": (
        lambda root: replace(root, "seeds/regions.csv", "south", "centre"),
        ["19.00", "centre", "corner"],
    ),
    "model": (
        lambda root: replace(root, "models/gold/by_city.sql", "sum(amount)", "7"),
        ["7.00", "south", "corner"],
    ),
    "contract": (
        lambda root: replace(
            root,
            "pipes/sales.yml",
            "    - {name: amount",
            "    - {name: note, type: varchar, optional: true}\n    - {name: amount",
        ),
        ["19.00", "south", "corner"],
    ),
}


@pytest.mark.parametrize("change", with_long(CHANGES, 1))
def test_a_change_of_the_project_asks_dbt(shop: Shop, change: str) -> None:
    make, expected = CHANGES[change]
    make(shop.root)
    with shop.commands() as commands:
        run = sold(shop, commands, "3", "10")
        assert (run["way"], run["reason"]) == ("dbt", "the dbt project changed")
        found = commands.query(
            "select amount, region, shop from gold.by_city where lower(city) = 'rome'",
            None,
        )
        assert found["rows"] == [expected]


def test_another_value_of_a_variable_asks_dbt(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_NAME", "market")
    monkeypatch.setenv("NOT_NAMED_BY_THE_PROJECT", "x")
    with shop.commands() as commands:
        run = sold(shop, commands, "3", "10")
        assert (run["way"], run["reason"]) == ("dbt", "the dbt project changed")
        assert rome(commands) == ["19.00", "south", "market"]


def test_another_version_of_dbt_asks_dbt(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "_versions", lambda: "dbt-core==1.11.99")
    with shop.commands() as commands:
        run = sold(shop, commands, "3", "10")
        assert (run["way"], run["reason"]) == ("dbt", "the dbt project changed")


def test_the_versions_are_those_of_all_that_writes_dbts_text() -> None:
    for product in ("snowmelt", "dbt-core", "dbt-duckdb", "duckdb"):
        assert f"{product}==" in digests._versions()


def test_a_table_of_another_shape_asks_dbt(shop: Shop) -> None:
    with shop.commands() as commands:
        with commands._parts.warehouse.session() as session:
            session.execute("alter table gold.by_city add column strange integer")
        run = sold(shop, commands, "3", "10")
        assert (run["way"], run["full_refresh"]) == ("dbt", ["everything"])
        assert run["fallback_reason"] == "the columns of a table changed"
        assert rome(commands) == ["19.00", "south", "corner"]


@pytest.mark.parametrize("damage", with_long(["{", "", '{"format": 0}', "[1]"], 1))
def test_recordings_are_a_cache(shop: Shop, damage: str) -> None:
    recordings = shop.root / ".snowmelt" / "recordings.json"
    if damage:
        recordings.write_text(damage)
    else:
        recordings.unlink()
    with shop.commands() as commands:
        assert sold(shop, commands, "3", "10")["way"] == "dbt"
        assert rome(commands) == ["19.00", "south", "corner"]


def corrupt(shop: Shop, old: str, new: str) -> None:
    """Change what is recorded of gold.by_city."""
    path = shop.root / ".snowmelt" / "recordings.json"
    document = json.loads(path.read_text())
    (node_id,) = (key for key in document["nodes"] if key.endswith(".by_city"))
    statements = document["nodes"][node_id]["statements"]
    assert any(old in each for each in statements)
    document["nodes"][node_id]["statements"] = [
        each.replace(old, new) for each in statements
    ]
    path.write_text(json.dumps(document))


@pytest.mark.long
def test_the_audit_catches_a_corrupted_recording(shop: Shop) -> None:
    with shop.commands() as commands:
        audit = commands.audit()["audit"]
        assert (audit["state"], audit["differing"]) == ("SUCCEEDED", [])
        assert audit["tables_compared"] == 3
    corrupt(shop, "sum(amount)", "max(amount)")
    with shop.commands() as commands:
        assert sold(shop, commands, "3", "10")["way"] == "replay"
        assert rome(commands) == ["10.00", "south", "corner"]
        audit = commands.audit()["audit"]
        assert audit["state"] == "FAILED"
        assert [each["table"] for each in audit["differing"]] == [
            '"warehouse"."gold"."by_city"'
        ]
        assert rome(commands) == ["10.00", "south", "corner"], (
            "an audit publishes nothing"
        )
        found = commands.query(
            "select state, tables_compared, tables_differing "
            "from snowmelt.audit_history order by started_at",
            None,
        )["rows"]
        assert found == [
            ["SUCCEEDED", 3, ""],
            ["FAILED", 3, '"warehouse"."gold"."by_city"'],
        ]
        assert commands.rebuild()["run"]["state"] == "SUCCEEDED"
        assert rome(commands) == ["19.00", "south", "corner"]


def test_an_audit_counts_what_is_loaded_and_not_published_yet(shop: Shop) -> None:
    with shop.commands() as commands:
        commands._loop.publishes = False
        shop.land_bytes("sales_9.csv", b"sale_id,city,amount\n9,Rome,1\n")
        commands.run(None)
        assert rome(commands) == ["9.00", "south", "corner"], "nothing was published"
        assert commands.audit()["audit"]["state"] == "SUCCEEDED"
        assert rome(commands) == ["9.00", "south", "corner"]


def test_a_large_warehouse_is_audited_by_samples(shop: Shop) -> None:
    settings = shop.root / "snowmelt.yml"
    settings.write_text(settings.read_text() + "\naudit: {rows_max: 1}\n")
    with shop.commands() as commands:
        audit = commands.audit()["audit"]
        assert (audit["state"], audit["sampled"]) == ("SUCCEEDED", True)
        assert audit["tables_compared"] == 1
        with commands._parts.warehouse.session() as session:
            session.execute("update gold.by_city set amount = amount + 1")
        audit = commands.audit()["audit"]
        assert audit["state"] == "FAILED"
        assert "gold" in audit["error"]


@pytest.mark.parametrize("schedule", ["every five", "61 * * * *", "0 0 31 2 *"])
def test_a_schedule_that_is_none_is_refused_by_name(shop: Shop, schedule: str) -> None:
    settings = shop.root / "snowmelt.yml"
    settings.write_text(settings.read_text() + f'\naudit: {{schedule: "{schedule}"}}\n')
    with pytest.raises(ConfigError, match=r"audit\.schedule"):
        load_project(shop.root)


def test_a_statement_that_fails_is_dbts_to_judge(shop: Shop) -> None:
    corrupt(shop, "sum(amount)", "no_such_function(amount)")
    with shop.commands() as commands:
        run = sold(shop, commands, "3", "10")
        assert run["way"] == "dbt"
        assert rome(commands) == ["19.00", "south", "corner"]


@pytest.fixture
def failing(shop: Shop) -> Iterator[OwnCommands]:
    """A project of which a run has just failed a test, on changed rows alone."""
    with shop.commands() as commands:
        shop.land_bytes("sales_8.csv", b"sale_id,city,amount\n8,Rome,-99\n")
        run = commands.run(None)["run"]
        assert (run["state"], run["way"]) == ("FAILED", "replay")
        assert run["error"].startswith("test snowmelt_at_least_by_city_amount")
        yield commands


def test_a_test_of_changed_rows_keeps_its_evidence(failing: OwnCommands) -> None:
    assert rome(failing) == ["9.00", "south", "corner"]
    found = failing.query("select test, failing_row from snowmelt.test_failures", None)[
        "rows"
    ]
    assert [row[0] for row in found] == ["snowmelt_at_least_by_city_amount__0"]
    assert json.loads(found[0][1]) == {"amount": "-90.00"}
    left = failing.query(
        "select count(*) from snowmelt.stream_offsets, "
        "(select max(load_seq) as last from snowmelt.load_history) "
        "where source = 'bronze.sales' and position = last",
        None,
    )
    assert left["rows"] == [[0]], "an offset moved although nothing was published"
