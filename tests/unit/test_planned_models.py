"""SQL of models that cannot run is told of before anything is built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from snowmelt.errors import ConfigError
from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.planned_models import (
    Planning,
    compiled_alone,
    told_unchecked,
)
from snowmelt.warehouse.duckdb.warehouse import DuckDBWarehouse, Limits, open_warehouse

ORDERS = '"w"."silver"."orders"'
RIGHT = f"select id from {ORDERS} where amount > 0"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    folder = tmp_path_factory.mktemp("planned")
    limits = Limits(1, 256 << 20)
    opened = open_warehouse(folder / "w.duckdb", folders=[], limits=limits)
    with opened.session() as session:
        session.execute("create schema bronze; create schema silver")
        session.execute("create table bronze.orders as select 1 as id, 2 as amount")
        session.execute("create table silver.orders as select 'built before' as old")
        session.execute("create table silver.zips as select 1 as zip")
    yield opened
    opened.close()


def node(name: str, *parents: str, kind: str = "model", asks_dbt: str = "") -> Node:
    return Node(
        id=name,
        name=name,
        fqn=name,
        resource_type=kind,
        parents=parents,
        materialized="table",
        relation=f'"w"."silver"."{name}"',
        key=f"silver.{name}",
        asks_dbt=asks_dbt,
        path=f"{name}.sql",
    )


def planned(
    warehouse: DuckDBWarehouse, root: Path, nodes: list[Node], **queries: str
) -> dict[str, str]:
    """Plan models as their files have them; return what was not checked."""
    for name, text in queries.items():
        (root / f"{name}.sql").write_text(text)
    with warehouse.session() as session:
        before = session.rows("select database_name from duckdb_databases() order by 1")
        planning = Planning(session, root, warehouse.require_query)
        try:
            planning.models(Graph(nodes, []), queries)
        finally:
            assert before == session.rows(
                "select database_name from duckdb_databases() order by 1"
            )
            assert session.value("select old from silver.orders") == "built before"
    return planning.unchecked


MODELS = [node("orders"), node("totals", "orders")]
ALL = 'select id, amount from "w"."bronze"."orders"'
WRONG = {
    f"-- first\nselct id\nfrom {ORDERS}\n": ("totals.sql:3", "syntax error"),
    f"select\n  id,\n  amont\nfrom {ORDERS}": ("totals.sql:3", '"amont" not found'),
    f"select\n  old\nfrom {ORDERS}": ("totals.sql:2", '"old" not found'),
    f"select id,\n  nofunc(id)\nfrom {ORDERS}": ("totals.sql:2", "nofunc does not"),
    f"select cast(id as datee)\nfrom {ORDERS}": ("totals.sql:1", "datee does not"),
    "drop table silver.orders": ("totals.sql", "syntax error"),
    f"select 1 from {ORDERS}); drop table silver.orders; (select 1": (
        "totals.sql",
        "only one query at a time",
    ),
}


@pytest.mark.parametrize("sql", WRONG)
def test_a_model_that_cannot_run_is_named_by_file_and_line(
    warehouse: DuckDBWarehouse, tmp_path: Path, sql: str
) -> None:
    where, told = WRONG[sql]
    with pytest.raises(ConfigError, match="model totals: ") as error:
        planned(warehouse, tmp_path, MODELS, orders=ALL, totals=sql)
    assert error.value.where.startswith(where)
    assert told in error.value.problem
    assert "planned_" not in str(error.value)


def test_columns_are_those_that_a_build_would_make(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    assert planned(warehouse, tmp_path, MODELS, orders=ALL, totals=RIGHT) == {}


def test_what_depends_on_what_is_not_known_is_told_of(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    """A seed may have a column that it had not; a model may read what a hook makes."""
    seeded = [node("zips", kind="seed"), node("places", "zips"), node("made")]
    unchecked = planned(
        warehouse,
        tmp_path,
        seeded,
        places='select city from "w"."silver"."zips"',
        made="select 1 from silver.by_hook",
    )
    assert list(unchecked) == ["made.sql", "places.sql"]
    place, *_ = told_unchecked({"places.sql": unchecked["places.sql"]})
    assert place.startswith("places.sql: whether it runs was not checked: Binder Error")
    with pytest.raises(ConfigError, match="syntax error"):
        planned(warehouse, tmp_path, seeded, places="selct", made="select 1")


def test_models_that_ask_the_data_are_not_compiled(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    asks = node("orders", asks_dbt="it asks the data while it compiles (run_query)")
    graph = [asks, node("totals", "orders")]
    assert [each.name for each in compiled_alone(Graph(graph, []))] == ["totals"]
    unchecked = planned(warehouse, tmp_path, graph, totals=RIGHT)
    assert list(unchecked) == ["orders.sql", "totals.sql"]
