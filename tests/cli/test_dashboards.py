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
from snowmelt.service.boards.exposures import exposure_warnings, write_exposures
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


HEAD = """\
title: Mine
filters:
  - {name: state, type: multi, column: "{{ ref('fct_orders') }}.customer_state"}
  - {name: period, type: date_range, column: "{{ ref('fct_orders') }}.purchased_at"}
rows:
"""
BOTH = "where {{ filter('state', 'customer_state') }} and {{ filter('period') }}"
GOOD = (
    "  - - kpi: Orders\n      value: orders\n      sql: select count(*) as orders "
    "from {{ ref('fct_orders') }} WHERE\n"
).replace("WHERE", BOTH)
FILTERED = [
    (HEAD + GOOD, ""),
    (
        HEAD + GOOD.replace("filter('state'", "filter('stat'"),
        "dashboards/mine.yml:6: Orders: there is no filter 'stat'. Did you mean",
    ),
    (
        HEAD + GOOD.replace(" and {{ filter('period') }}", ""),
        "dashboards/mine.yml:4: filters: no card takes the filter 'period'",
    ),
    (
        HEAD.replace("customer_state", "customer_stat") + GOOD,
        "dashboards/mine.yml:3: filters: Binder Error: Referenced column",
    ),
    (
        HEAD.replace("ref('fct_orders') }}.purch", "ref('fct_order') }}.purch") + GOOD,
        "dashboards/mine.yml:4: filters: there is no model 'fct_order'. Did you mean",
    ),
    (
        HEAD.replace("purchased_at", "order_id") + GOOD,
        "dashboards/mine.yml:4: filters: ",
    ),
    (
        HEAD.replace(".customer_state", "") + GOOD,
        "dashboards/mine.yml:3: filters.0.column: write it as {{ ref(",
    ),
    (
        HEAD.replace("name: period", "name: state") + GOOD,
        "dashboards/mine.yml:2: filters: two filters are called state",
    ),
    (
        HEAD + GOOD.replace("customer_state", "nothing_like_it"),
        "dashboards/mine.yml:6: Orders: Binder Error: Referenced column",
    ),
    (
        HEAD + GOOD + "      drill: /d/nowhere\n",
        "dashboards/mine.yml:9: Orders: drill: there is no dashboard 'nowhere'",
    ),
    (
        HEAD + GOOD + "      drill: /d/other?stat={orders}\n",
        "dashboards/mine.yml:9: Orders: drill: dashboard 'other' has no filter 'stat'. "
        "Did you mean 'state'?",
    ),
    (
        HEAD + GOOD + "      drill: /d/other?region={orders}\n",
        "dashboards/mine.yml:9: Orders: drill: dashboard 'other' has no filter "
        "'region'. Its filters: state, period.",
    ),
    (
        HEAD + GOOD + "      drill: /d/other?state={order}\n",
        "dashboards/mine.yml:6: Orders: its query returns no column 'order'",
    ),
    (
        HEAD + GOOD + "      drill: https://evil.example/\n",
        "dashboards/mine.yml:9: rows.0.0.drill: write it as /d/DASHBOARD",
    ),
    (
        HEAD + GOOD + "  - - {metric: revenu}\n",
        "dashboards/mine.yml:9: revenu: there is no metric 'revenu'. Did you mean",
    ),
    (
        HEAD
        + GOOD
        + "  - - {kpi: A, value: a, compare: previous_year, sql: select 1 as a}\n",
        "dashboards/mine.yml:9: A: compare needs a query that takes a date_range",
    ),
    (
        HEAD + GOOD + "      format: 0.0 %\n",
        "dashboards/mine.yml:9: rows.0.0.format: '0.0 %' is no format",
    ),
]


def test_filters_links_and_metrics_are_checked_by_file_and_line(
    built_shop: Shop,
) -> None:
    graph = load_recordings(built_shop.root / RECORDINGS).graph
    assert graph is not None
    for path in (built_shop.root / "dashboards").glob("*.yml"):
        path.unlink()
    other = HEAD.replace("Mine", "Other") + GOOD
    (built_shop.root / "dashboards" / "other.yml").write_text(other)
    with opened(load_project(built_shop.root), SystemClock(), Events()) as parts:
        for text, told in FILTERED:
            write(built_shop, text)
            if not told:
                assert "mine" in check_dashboards(parts, graph)
                continue
            with pytest.raises(ConfigError) as refused:
                check_dashboards(parts, graph)
            assert str(refused.value).startswith(told), refused.value


def test_the_last_dashboard_that_was_right_goes_on(built_shop: Shop) -> None:
    """A page shows it, and says what is wrong by line; a command says that alone."""
    with opened(load_project(built_shop.root), SystemClock(), Events()) as parts:
        write(built_shop, HEAD + GOOD)
        page = Look("mine", is_page=True)
        assert dashboard_document(parts, page)["problem"] is None
        write(built_shop, HEAD + GOOD.replace("value:", "valeu:"))
        document = dashboard_document(parts, page)
        assert document["problem"]["where"] == "dashboards/mine.yml:7: rows.0.0.valeu"
        assert document["cards"][0]["rows"] == [[0]]
        with pytest.raises(ConfigError, match="unknown key"):
            dashboard_document(parts, Look("mine"))
        write(built_shop, HEAD + GOOD.replace("as orders", "as other"))
        document = dashboard_document(parts, page)
        assert document["problem"] is None
        (card,) = document["cards"]
        assert card["problem"]["where"] == "dashboards/mine.yml:6: Orders"
        write(built_shop, HEAD + GOOD)
        assert "problem" not in dashboard_document(parts, page)["cards"][0]


def test_exposures_are_written_when_asked_for_and_never_over_another_file(
    built_shop: Shop,
) -> None:
    path = built_shop.root / "models" / "exposures.yml"
    answer = built_shop("dashboards", "--exposures")
    assert answer.stdout == "models/exposures.yml is written.\n", answer
    first = path.read_text()
    project = load_project(built_shop.root)
    assert write_exposures(project) == (path, False)
    assert exposure_warnings(project) == []
    write(built_shop, "title: Mine\nrows: [[{table: A, sql: select 1 as one}]]\n")
    (told,) = exposure_warnings(project)
    assert told.startswith("models/exposures.yml is older than dashboards/"), told
    write_exposures(project)
    assert path.read_text() != first
    for edited in (first.replace("One customer", "Another"), "exposures: []\n"):
        path.write_text(edited)
        with pytest.raises(ConfigError, match="Move what"):
            write_exposures(project)
        assert path.read_text() == edited


@pytest.mark.long
def test_dbt_reads_the_exposures(built_shop: Shop) -> None:
    write_exposures(load_project(built_shop.root))
    with built_shop.commands() as commands:
        assert commands.validate()["warnings"] == []


def test_a_link_is_made_listed_and_taken_back(built_shop: Shop) -> None:
    words = ("--dashboard", "customers", "--days", "2", "--filter", "segment=lost")
    made = built_shop(
        "link", *words, "--origin", "https://Intra.example:8443/", "--json"
    )
    document = made.document
    assert document["path"].startswith("/embed/")
    assert document["origins"] == ["https://intra.example:8443"]
    assert document["filters"] == "segment=lost"
    with built_shop.commands() as commands:
        listed = commands.shares()["shares"]
        assert [each["id"] for each in listed] == [document["id"]]
        assert document["path"].rpartition(".")[2] not in str(listed)
        for dashboard, days, origins, filters in (
            ("nothing", 1, [], None),
            ("customers", 0, [], None),
            ("customers", 1, ["*"], None),
            ("customers", 1, ["https://a.example; script-src *"], None),
            ("customers", 1, ["javascript:alert(1)"], None),
            ("customers", 1, [], "x=y"),
            ("delivery", 1, [], "state=SP"),
        ):
            with pytest.raises(UsageError):
                commands.share(dashboard, days, origins, filters)
        assert commands.shares()["shares"] == listed
    assert built_shop("link", "--revoke", document["id"]).code == 0
    assert built_shop("link", "--revoke", document["id"]).code == 2
