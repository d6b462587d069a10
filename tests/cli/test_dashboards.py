"""Dashboards as code: listed, answered from one snapshot, refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import Shop
from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.dashboards import load_dashboards

ORDERS = "select count(*) as orders from {{ ref('fct_orders') }}"


def write(shop: Shop, text: str) -> None:
    (shop.root / "dashboards" / "mine.yml").write_text(text)


def test_dashboards_are_listed_and_answered(built_shop: Shop) -> None:
    listed = built_shop("dashboards", "--json").document["dashboards"]
    assert [each["name"] for each in listed] == ["customers", "delivery", "executive"]
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
        "dashboards/mine.yml:3: rows.0.0: write one of kpi, chart and table",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, sql: queries/no.sql}\n",
        "dashboards/mine.yml: the card 'A' reads queries/no.sql, which is missing",
    ),
    (
        "title: Mine\nrows:\n  - - {table: A, sql: ../../no.sql}\n",
        "dashboards/mine.yml: ../../no.sql is outside of the project",
    ),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_a_dashboard_that_is_off_is_refused_by_line(
    tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards" / "mine.yml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        load_dashboards(tmp_path)
    assert str(refused.value).startswith(told), refused.value


CARDS = [
    ("select 1 from {{ ref('fct_order') }}", "there is no model 'fct_order'"),
    ("select 1 as wrong", "its query returns no column 'orders'. It returns: wrong."),
    ("select nothing as orders from {{ ref('fct_orders') }}", "Referenced column"),
    ("select 1 as orders {{ what }}", "its SQL is no template: 'what' is undefined"),
]


def test_a_card_that_cannot_be_answered_is_named(built_shop: Shop) -> None:
    with built_shop.commands() as commands:
        for sql, told in CARDS:
            write(
                built_shop,
                f'title: M\nrows: [[{{kpi: How many, value: orders, sql: "{sql}"}}]]\n',
            )
            with pytest.raises(ConfigError) as refused:
                commands.dashboard("mine")
            assert refused.value.where == "dashboards/mine.yml: How many"
            assert told in str(refused.value)
        with pytest.raises(ConfigError, match="How many: its SQL"):
            commands.validate()
        write(
            built_shop,
            'title: M\nrows: [[{table: T, sql: "drop table gold.fct_orders"}]]\n',
        )
        with pytest.raises(UsageError):
            commands.dashboard("mine")
        with pytest.raises(UsageError, match="Known: customers, delivery"):
            commands.dashboard("nothing")
