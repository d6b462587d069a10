"""Filters are bound, formats are written, metrics are defined once, maps are maps."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import duckdb
import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.cards import Card
from snowmelt.project.dashboards import Dashboard
from snowmelt.project.filters import Filter, address_of, named_in, read_choices
from snowmelt.project.metrics import DefinedMetric, Metric, MetricFiles
from snowmelt.project.number_format import read_format
from snowmelt.project.tile_maps import TILE_MAPS, codes_of, tiles_of
from snowmelt.serve.cells import MASK
from snowmelt.serve.pages.cards import card_view
from snowmelt.service.boards.memory import Answers, Memory
from snowmelt.service.boards.rendering import Query, Rendering
from snowmelt.warehouse.port import Table

COLUMN = "{{ ref('sales') }}.region"
TEMPLATES = Path(__file__).parents[2] / "src/snowmelt/project/templates"


def make_filter(kind: str, **more: Any) -> Filter:
    column = "{{ ref('sales') }}.sold_on" if kind == "date_range" else COLUMN
    return Filter.model_validate(
        {"name": "chosen", "type": kind, "column": column, **more}
    )


def asked(found: Filter, chosen: str, sql: str) -> Query:
    (choice,) = read_choices([found], chosen)
    choice = choice.ending_on(date(2024, 1, 31)) if choice.text else choice
    return Rendering({"sales": "sales"}, {}, {"chosen": choice}).render(sql)


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
spoken = texts.map(str.strip).filter(lambda t: t not in ("", "*") and len(t) <= 300)
ATTACKS = [
    *(
        "' or 1=1 --",
        "x'; drop table sales; --",
        '"; select 1',
        "$1",
        "$$x$$",
        "{{ 7*7 }}",
    ),
    *(
        "{% for x in y %}",
        "%s",
        "?",
        "\\",
        "');--",
        "null",
        "north\n--",
        "*/ or true /*",
    ),
    *('["a"]', "']::json --", "{{ ref('sales') }}", "east' union select 'x"),
]


@given(st.lists(spoken | st.sampled_from(ATTACKS), min_size=1, max_size=5, unique=True))
@settings(max_examples=40)
def test_what_is_chosen_is_bound_and_finds_what_is_equal(values: list[str]) -> None:
    """Whatever a value is, it finds the rows that have it, and is in no statement."""
    rows = [*values, *ATTACKS, "north", None]
    with duckdb.connect() as connection:
        connection.execute("create table sales (region varchar)")
        connection.executemany("insert into sales values (?)", [[row] for row in rows])
        for kind, wanted in (("multi", values), ("select", values[-1:])):
            found = make_filter(kind)
            address = "&".join(f"chosen={_quoted(value)}" for value in values)
            query = asked(
                found,
                address,
                "select region from {{ ref('sales') }} where {{ filter('chosen') }}",
            )
            plain = asked(
                found,
                "chosen=north",
                "select region from {{ ref('sales') }} where {{ filter('chosen') }}",
            )
            assert query.sql == plain.sql, "the text is the same for every value"
            bound = [json.dumps(v) if isinstance(v, list) else v for v in query.bound]
            told = [row[0] for row in connection.execute(query.sql, bound).fetchall()]
            assert sorted(told) == sorted(r for r in rows if r in wanted)
        assert connection.execute("select count(*) from sales").fetchone() == (
            len(rows),
        )


@given(spoken | st.sampled_from([*ATTACKS, "%", "_", "NORTH"]))
@settings(max_examples=40)
def test_a_part_of_a_text_is_no_pattern(value: str) -> None:
    rows = [*ATTACKS, value, f"a{value}b", "north", "%", "_"]
    query = asked(
        make_filter("text"),
        f"chosen={_quoted(value)}",
        "select region from {{ ref('sales') }} where {{ filter('chosen', 'region') }}",
    )
    with duckdb.connect() as connection:
        connection.execute("create table sales (region varchar)")
        connection.executemany("insert into sales values (?)", [[row] for row in rows])
        told = connection.execute(query.sql, query.bound).fetchall()
        same = connection.execute(
            "select region from sales where instr(lower(region), lower(?)) > 0", [value]
        ).fetchall()
    assert sorted(told) == sorted(same)
    assert (value,) in told


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")


def test_a_period_is_bound_as_days() -> None:
    query = asked(
        make_filter("date_range"),
        "chosen=2024-01-05..2024-01-31",
        "select 1 from {{ ref('sales') }} where {{ filter('chosen', 's.sold_at') }}",
    )
    assert query.sql.endswith("where (s.sold_at >= $1 and s.sold_at < $2)")
    assert query.parameters == (date(2024, 1, 5), date(2024, 2, 1))
    assert query.models == ("sales",)
    every = asked(make_filter("date_range"), "", "select {{ filter('chosen') }}")
    assert (every.sql, every.parameters) == ("select true", ())


kinds = st.sampled_from(["select", "multi", "text"])


@given(kinds, st.lists(spoken, max_size=4, unique=True), st.none() | spoken)
def test_an_address_chooses_what_it_was_made_of(
    kind: str, values: list[str], default: str | None
) -> None:
    found = make_filter(kind, default=default)
    chosen = "&".join(f"chosen={_quoted(value)}" for value in values)
    choices = read_choices([found], chosen)
    again = read_choices([found], address_of(choices))
    assert again == choices
    if not values:
        assert choices[0].values == ((default,) if default else ())
        assert address_of(choices) == ""
    (every,) = read_choices([found], "chosen=*")
    assert every.values == ()


REFUSED = [
    ("date_range", "chosen=2024-13-01..", "'2024-13-01' is no day"),
    ("date_range", "chosen=tomorrow", "'tomorrow' is no period"),
    ("date_range", "chosen=custom&chosen.from=x", "'x' is no day"),
    ("multi", "&".join(f"chosen={n}" for n in range(201)), "at most 200 values"),
    ("multi", "chosen=" + "x" * 301, "the value is too long"),
    ("multi", "chosen=a%00b", "has a NUL in it"),
    ("multi", "chozen=a", "there is no such filter"),
    ("multi", "chosen=1" + "&chosen=1" * 1001, "there are too many"),
]


@pytest.mark.parametrize(("kind", "chosen", "told"), REFUSED)
def test_a_choice_that_is_none_is_refused(kind: str, chosen: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_choices([make_filter(kind)], chosen)


def test_what_an_address_names_is_locked_even_if_it_is_the_default() -> None:
    assert named_in("region=north&period.from=2024-01-01&region=x") == [
        *("region", "period")
    ]
    (choice,) = read_choices([make_filter("select", default="north")], "chosen=north")
    assert choice.is_default
    assert choice.said == [("chosen", "north")]


FORMATS = [
    ("0", 1234.5, "1235"),
    ("0,0", "1234567.4", "1,234,567"),
    ("0.00", 2, "2.00"),
    ("$0.0a", 138915.98, "$138.9k"),
    ("R$0,0.00", "-1234.005", "-R$1,234.01"),
    ("0.0%", 0.0651, "6.5%"),
    ("0,0.0 EUR", 1200, "1,200.0 EUR"),
    ("€0.0a", 999_960, "€1.0M"),
    ("0.0a", 12, "12"),
    ("0.0a", 12.34, "12.3"),
    ("0.0a", 0.04, "0.0"),
    ("0", -0.4, "0"),
    ("0.0a", 1_500_000_000_000_000, "1500.0T"),
    ("0,0", "north", "north"),
    ("0,0", "NaN", "NaN"),
]


@pytest.mark.parametrize(("text", "value", "written"), FORMATS)
def test_figures_are_written(text: str, value: object, written: str) -> None:
    assert read_format(text).write(value) == written


@pytest.mark.parametrize("text", ["", "x", "{0}", "0.0 %", "0%%", "1,0", "0.0aa%%"])
def test_a_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no format"):
        read_format(text)


def test_each_place_of_a_map_is_there_once() -> None:
    sizes = {"brazil": 27, "usa": 51, "europe": 44}
    for name in TILE_MAPS:
        tiles = tiles_of(name)
        assert len(tiles) == sizes[name] == len({tile.code for tile in tiles})
        assert len({(tile.column, tile.row) for tile in tiles}) == len(tiles)
        assert codes_of(name)[tiles[0].name.casefold()] == tiles[0].code


METRICS = """\
version: 2
models:
  - name: sales
    config:
      meta:
        metrics:
          revenue: {sql: sum(amount), time: sold_on, format: $0.0a, good: up}
  - name: visits
    meta:
      metrics:
        visits: {sql: count(*)}
"""


def write_metrics(root: Path, text: str) -> MetricFiles:
    (root / "models").mkdir(exist_ok=True)
    (root / "models" / "schema.yml").write_text(text)
    return MetricFiles(root)


def test_metrics_are_read_where_dbt_has_them(tmp_path: Path) -> None:
    files = write_metrics(tmp_path, METRICS)
    assert {name: each.model for name, each in files.all().items()} == {
        "revenue": "sales",
        "visits": "visits",
    }
    write_metrics(tmp_path, METRICS.replace("sum(amount)", "sum(price)  "))
    assert files.all()["revenue"].metric.sql == "sum(price)", "read as it was saved"


BROKEN = [
    (
        METRICS.replace("good: up", "goof: up"),
        "models/schema.yml:7: sales: revenue: goof",
    ),
    (METRICS.replace("$0.0a", "'%%'"), "models/schema.yml:7: sales: revenue: format: "),
    (
        METRICS.replace("visits: {sql", "revenue: {sql"),
        "models/schema.yml:11: visits: ",
    ),
    (
        METRICS.replace("visits: {sql", "Bad Name: {sql"),
        "models/schema.yml:11: visits: ",
    ),
    (METRICS.replace("{sql: count(*)}", "7"), "models/schema.yml:11: visits: visits: "),
]


@pytest.mark.parametrize(("text", "told"), BROKEN)
def test_a_metric_that_is_off_is_told_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        write_metrics(tmp_path, text).all()
    assert str(refused.value).startswith(told), refused.value


def defined(**more: Any) -> DefinedMetric:
    metric = Metric.model_validate({"sql": "sum(amount)", "time": "sold_at", **more})
    return DefinedMetric("revenue", "sales", metric, "")


def test_a_metric_has_one_definition_and_takes_the_filters_that_apply() -> None:
    filters = [
        make_filter("multi", name="region"),
        make_filter("date_range", name="period"),
        make_filter("text", name="other", column="{{ ref('visits') }}.page"),
    ]
    choices = {
        each.filter.name: each.ending_on(date(2024, 1, 31))
        for each in read_choices(filters, "region=x&period=this_month&other=y")
    }
    metrics = {"revenue": defined(dimensions={"region": "upper(r)"})}
    rendering = Rendering({"sales": "gold.sales"}, metrics, choices)
    query = rendering.query(
        Card.model_validate({"metric": "revenue", "where": "a > 1"})
    )
    assert query.filters == {"region", "period"}
    assert query.sql == (
        "select (sum(amount)) as revenue\nfrom gold.sales\nwhere (a > 1)\n"
        "    and cast(upper(r) as varchar) in (select unnest($1::json::varchar[]))\n"
        "    and (sold_at >= $2 and sold_at < $3)"
    )
    with pytest.raises(ConfigError, match="is of the model 'sales', which its query"):
        rendering.render("select {{ metric('revenue') }} from visits")
    with pytest.raises(
        ConfigError, match=r"no metric 'revenu'. Did you mean 'revenue'"
    ):
        rendering.render("select {{ metric('revenu') }}")


def test_the_schema_says_what_the_cards_check() -> None:
    """What an editor underlines is what `validate` refuses, and the other way round."""
    validator = jsonschema_rs.validator_for(Dashboard.model_json_schema())
    for path in TEMPLATES.glob("*/dashboards/*.yml"):
        content = yaml.safe_load(path.read_text())
        found = [str(each) for each in validator.iter_errors(content)]
        assert not found, (path, found[:2])
    cards: list[dict[str, Any]] = [
        {"kpi": "A", "sql": "select 1"},
        {"kpi": "A", "value": "a", "x": "b", "sql": "select 1"},
        {"chart": "bar", "title": "A", "x": "a", "sql": "select 1"},
        {"chart": "heatmap", "title": "A", "x": "a", "y": "b", "sql": "select 1"},
        {"chart": "map", "title": "A", "x": "a", "y": "b", "sql": "select 1"},
        {"chart": "pie", "title": "A", "x": "a", "y": "b", "sql": "select 1"},
        {"metric": "a", "sql": "select 1"},
        {"table": "A", "kpi": "B", "value": "a", "sql": "select 1"},
        {"table": "A", "sql": "select 1", "colour": "red"},
        {"table": "A"},
    ]
    for card in cards:
        content = {"title": "T", "rows": [[card]]}
        assert not validator.is_valid(content), card
        with pytest.raises(ValueError, match=r"."):
            Dashboard.model_validate(content)


def test_answers_are_given_up_before_they_are_too_many() -> None:
    answers = Answers(cells_max=100)
    table = Table(["a"], ["INTEGER"], [(n,) for n in range(19)])
    for number in range(10):
        answers.keep((number,), table)
    assert len(answers) == 5
    assert answers.find((9,)) is table
    assert answers.find((0,)) is None
    answers.keep(("large",), Table(["a"], ["INTEGER"], [(n,) for n in range(80)]))
    assert answers.find(("large",)) is None


KEPT = [
    ("select sum(a) from gold.sales", ("sales",), True),
    ("select now() from gold.sales", ("sales",), False),
    ("select a from gold.sales join snowmelt.load_history on true", ("sales",), False),
    ("select a from gold.sales, bronze.sales", ("sales",), False),
    ("select a from gold.sales where random() > 0.5", ("sales",), False),
    ("select a from gold.sales join other.thing using (a)", ("sales",), False),
    ("select a from gold.sales, read_csv('x')", ("sales",), False),
    ("select a from gold.unknown", ("unknown",), False),
]


class _Fed:
    def changes_with_loads(self, models: object) -> bool:
        return False


@pytest.mark.parametrize(("sql", "models", "is_kept"), KEPT)
def test_only_what_changes_with_runs_is_kept(
    sql: str, models: tuple[str, ...], is_kept: bool
) -> None:
    memory = Memory(None, None, _Fed())  # type: ignore[arg-type]
    relations = {"sales": "gold.sales", "unknown": "gold.unknown"}
    key = memory.key(Query(sql, (), models), relations, {"sales": "run1"}, 7)
    assert (key is not None) == is_kept
    if key is not None:
        later = memory.key(Query(sql, (), models), relations, {"sales": "run2"}, 7)
        other = memory.key(Query(sql, ("x",), models), relations, {"sales": "run1"}, 7)
        assert len({key, later, other}) == 3


EVIL = '"><script>alert(1)</script>'


def view(card: dict[str, Any], columns: list[str], rows: list[list[Any]]) -> Any:
    shown = {"span": 12, **card}
    told = {"sql": "", "parameters": [], "models": [], "unfiltered": []}
    return card_view(
        {"card": shown, "columns": columns, "rows": rows, **told}, 0, "period=all&a=1"
    )


def test_a_row_leads_where_it_says_whatever_its_values_are() -> None:
    drill = "/d/customers?region={region}&day={day}"
    found = view(
        {"table": "T", "drill": drill},
        ["region", "day"],
        [
            [EVIL, "2024-01-01T00:00:00"],
            ["a&b=c#d", "2024-01-02"],
            [None, "2024-01-03"],
        ],
    )
    assert found["hrefs"] == [
        "/dashboards/customers?region=%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E"
        "&day=2024-01-01&period=all&a=1",
        "/dashboards/customers?region=a%26b%3Dc%23d&day=2024-01-02&period=all&a=1",
        None,
    ]
    here = view({"table": "T", "drill": "/d/x?a={region}"}, ["region"], [["b"]])
    assert here["hrefs"] == ["/dashboards/x?a=b&period=all"], (
        "not what was chosen before"
    )


def of_orders(**more: Any) -> Any:
    """Return a card whose query returns the key of a table of gold."""
    row_of = {"table": "gold.orders", "columns": {"order_id": "Order", "line": "no"}}
    rows = [[1.5, "a&b", 1], [2.5, EVIL, 2], [3.5, None, 3], [4.5, MASK, 4]]
    shown = {"span": 12, "table": "T", **more}
    told = {"sql": "", "parameters": [], "models": [], "unfiltered": []}
    document = {"card": shown, "columns": ["amount", "Order", "no"], "rows": rows}
    return card_view({**document, **told, "row_of": row_of}, 0, "")


def test_a_row_that_is_one_of_a_table_leads_to_its_trace() -> None:
    found = of_orders()
    first, evil, *nowhere = found["hrefs"]
    assert parse_qsl(urlsplit(first).query) == [
        *(("table", "gold.orders"), ("key", "order_id=a&b"), ("key", "line=1"))
    ]
    assert "<" not in evil
    assert nowhere == [None, None], "nothing, and what is masked, names no row"
    assert found["table"]["linked"] == [1, 2], "the cells of the key"
    assert not found["table"]["is_traced"]
    drilled = of_orders(drill="/d/x?a={no}")
    assert drilled["hrefs"][0] == "/dashboards/x?a=1"
    assert drilled["traces"] == found["traces"], "and the trace has a cell of its own"
    assert drilled["table"]["linked"] == [0]
    assert drilled["table"]["is_traced"]
    chart = of_orders(table=None, chart="bar", title="T", x="Order", y="amount")
    assert chart["spec"]["hrefs"] == found["hrefs"]


COMPARED = [
    (120, 100, "up", "0,0", "+20.0%", "▲", "good"),
    (80, 100, "up", "0,0", "\N{MINUS SIGN}20.0%", "▼", "bad"),
    (80, 100, "down", "0,0", "\N{MINUS SIGN}20.0%", "▼", "good"),
    (100, 100, "up", "0,0", "unchanged", "●", ""),
    (0.07, 0.05, "down", "0.0%", "+2.0 points", "▲", "bad"),
    (-50, -100, "up", "0,0", "+50.0%", "▲", "good"),
]


@pytest.mark.parametrize(
    ("now", "before", "good", "fmt", "said", "arrow", "level"), COMPARED
)
def test_a_figure_is_compared(
    now: float, before: float, good: str, fmt: str, said: str, arrow: str, level: str
) -> None:
    from snowmelt.service.boards.answering import change_of, difference_of

    comparison = {
        "of": "previous_year",
        "from": "a",
        "to": "b",
        "value": before,
        "why": "",
        "change": change_of(now, before),
        "difference": difference_of(now, before),
    }
    shown = {"kpi": "K", "value": "v", "format": fmt, "good": good, "span": 3}
    told = {"sql": "", "parameters": [], "models": [], "unfiltered": []}
    found = card_view(
        {"card": shown, "columns": ["v"], "rows": [[now]], "comparison": comparison}
        | told,
        0,
        "",
    )["compared"]
    assert (found["change"], found["arrow"], found["level"]) == (said, arrow, level)


def test_a_cohort_leaves_blank_what_is_not_there_yet() -> None:
    found = view(
        {"chart": "cohort", "title": "C", "x": "after", "y": "first", "value": "share"}
        | {"size": "n", "format": "0%"},
        ["first", "n", "after", "share"],
        [
            ["2024-01-01", 10, 1, 0.5],
            ["2024-02-01", 4, 1, 0.25],
            ["2024-01-01", 10, 2, 0.1],
        ],
    )
    assert found["across"] == ["1", "2"]
    assert [line["label"] for line in found["lines"]] == ["2024-01", "2024-02"]
    assert [line["size"] for line in found["lines"]] == ["10", "4"]
    texts = [[f and f["text"] for f in line["fields"]] for line in found["lines"]]
    assert texts == [["50%", "10%"], ["25%", None]]


def test_what_is_not_on_a_map_is_named_beside_it() -> None:
    found = view(
        {"chart": "map", "map": "brazil", "title": "M", "x": "state", "y": "n"},
        ["state", "n"],
        [["SP", 10], ["são paulo", 11], ["XX", 3], [None, 1]],
    )
    tiles = {tile["code"]: tile for tile in found["tiles"]}
    assert len(tiles) == 27
    assert tiles["SP"]["text"] == "11"
    assert tiles["RJ"]["level"] is None
    assert [each["name"] for each in found["elsewhere"]] == ["XX", "\N{EN DASH}"]
