"""Dashboards as code: listed, answered from one snapshot, refused with a reason."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from shop import Shop
from snowmelt.clock import SystemClock
from snowmelt.errors import ConfigError, UsageError
from snowmelt.events import Events
from snowmelt.project.dashboards import load_dashboard
from snowmelt.project.project import load_project
from snowmelt.service.dashboarding import Look, check_dashboards, dashboard_document
from snowmelt.service.opening import opened
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.recording import load_recordings

ORDERS = "select count(*) as orders from {{ ref('fct_orders') }}"


def write(shop: Shop, text: str) -> None:
    (shop.root / "dashboards" / "mine.yml").write_text(text)


def test_dashboards_are_listed_and_answered(built_shop: Shop) -> None:
    listed = built_shop("dashboards", "--json").document["dashboards"]
    assert [each["name"] for each in listed] == [
        *("customer", "customers", "delivery", "executive", "sales")
    ]
    write(
        built_shop,
        "title: Mine\nrows:\n"
        f'  - - {{kpi: Orders, value: orders, sql: "{ORDERS}"}}\n'
        "    - {table: From a file, sql: dashboards/list.sql}\n",
    )
    (built_shop.root / "dashboards" / "list.sql").write_text("select 1 as one;\n")
    answer = built_shop("dashboards", "mine")
    assert answer.code == 0, answer
    lines = answer.stdout.splitlines()
    assert [line.strip() for line in lines] == [
        *("Mine", "", "Orders: 0", "", "From a file", "one", "1")
    ]
    document = built_shop("dashboards", "mine", "--json").document
    assert document["run_id"]
    assert [each["columns"] for each in document["cards"]] == [["orders"], ["one"]]
    assert [each["rows"] for each in document["cards"]] == [[[0]], [[1]]]


BROKEN = [
    (
        "title: Mine\nrows:\n  - - {kpi: Orders, valeu: orders, sql: select 1}\n",
        "dashboards/mine.yml:3: rows.0.0.valeu: unknown key. Did you mean 'value'?",
    ),
    (
        "title: Mine\nrows:\n  - - {chart: bar, title: A, x: a, sql: select 1}\n",
        "dashboards/mine.yml:3: rows.0.0: y is missing",
    ),
    (
        "title: Mine\nrows:\n  - - {kpi: A, value: a, table: B, sql: select 1}\n",
        "dashboards/mine.yml:3: rows.0.0: write one of kpi, metric, chart and table",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, sql: queries/no.sql}\n",
        "dashboards/mine.yml:3: A: it reads queries/no.sql: No such file",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, sql: ../../no.sql}\n",
        "dashboards/mine.yml:3: A: ../../no.sql is outside of the project",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, sql: dashboards/latin.sql}\n",
        "dashboards/mine.yml:3: A: it reads dashboards/latin.sql: it is not UTF-8",
    ),
    (
        "title: Mine\nrows:\n  - - {kpi: '', value: a, sql: select 1}\n",
        "dashboards/mine.yml:3: rows.0.0.kpi: string should have at least 1 character",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, x: a, sql: select 1}\n",
        "dashboards/mine.yml:3: rows.0.0: a table has no x",
    ),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_a_dashboard_that_is_off_is_refused_by_line(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "mine.yml").write_text(text)
    (tmp_path / "dashboards" / "latin.sql").write_bytes(b"select '\xe9'\n")
    with pytest.raises(ConfigError) as refused:
        load_dashboard(tmp_path, "mine")
    assert str(refused.value).startswith(told), refused.value


CARDS = [
    ("select 1 from {{ ref('fct_order') }}", "there is no model 'fct_order'"),
    ("select 1 as wrong", "its query returns no column 'orders'. It returns: wrong."),
    ("select nothing as orders from {{ ref('fct_orders') }}", "Referenced column"),
    ("select 1 as orders {{ what }}", "its SQL is no template: 'what' is undefined"),
    ("select {{ 1 / 0 }} as orders", "its SQL is no template: division by zero"),
    ("select {{ ref('a', 'b') }}", "its SQL is no template: "),
    ("select 1 as orders from from", "syntax error"),
    ("drop table gold.dim_dates", "only one query at a time"),
    ("select 1 as orders; drop table gold.fct_orders", "only one query at a time"),
    ("select 1 as orders; commit; drop view gold.rfm_segments", "only one query"),
]
ONLY_ANSWERED = [
    ("select unnest([1, 2]) as orders", "2 rows, and a figure is one"),
    ("select range as orders from range(10001)", "more than 10,000 rows"),
]


def one_card(shop: Shop, sql: str) -> None:
    write(shop, f'title: M\nrows: [[{{kpi: Many, value: orders, sql: "{sql}"}}]]\n')


def test_a_card_that_cannot_be_answered_is_named_and_harms_nothing(
    built_shop: Shop,
) -> None:
    graph = load_recordings(built_shop.root / RECORDINGS).graph
    assert graph is not None
    tables = "select table_schema, table_name from information_schema.tables order by 1"
    project = load_project(built_shop.root)
    with opened(project, SystemClock(), Events()) as parts:

        def there() -> list[tuple[str, ...]]:
            with parts.warehouse.snapshot() as session:
                return sorted(session.rows(tables))

        before = there()
        for sql, told in CARDS:
            one_card(built_shop, sql)
            for ask in (
                partial(dashboard_document, parts, Look("mine")),
                partial(check_dashboards, parts, graph),
            ):
                with pytest.raises(ConfigError) as refused:
                    ask()
                assert refused.value.where == "dashboards/mine.yml:2: Many", sql
                assert told in str(refused.value), sql
        for sql, told in ONLY_ANSWERED:
            one_card(built_shop, sql)
            with pytest.raises(ConfigError, match=told):
                dashboard_document(parts, Look("mine"))
        with pytest.raises(UsageError, match="Known: customer, customers"):
            dashboard_document(parts, Look("nothing"))
        assert there() == before


def test_a_dashboard_outlives_what_others_get_wrong(built_shop: Shop) -> None:
    """A broken page, a model under work: what is published can be looked at."""
    write(built_shop, "title: Mine\nrows: 7\n")
    listed = {
        each["name"]: each
        for each in built_shop("dashboards", "--json").document["dashboards"]
    }
    assert listed["executive"]["problem"] is None
    assert listed["mine"]["problem"].startswith("dashboards/mine.yml:2: rows: ")
    models = built_shop.root / "models" / "gold"
    (models / "half_done.sql").write_text("select {{ nobody_knows() }}\n")
    answer = built_shop("dashboards", "executive")
    assert answer.code == 0, answer
    assert "Order value: 0.00" in answer.stdout.splitlines()


def test_a_card_may_come_before_its_model(built_shop: Shop) -> None:
    model = built_shop.root / "models" / "gold" / "brand_new.sql"
    model.write_text("select 1 as orders from {{ ref('fct_orders') }}\n")
    one_card(built_shop, "select count(*) as orders from {{ ref('brand_new') }}")
    with built_shop.commands() as commands:
        assert "mine" in commands.validate()["dashboards"]
        with pytest.raises(ConfigError, match="there is no model 'brand_new'"):
            commands.dashboard("mine")
