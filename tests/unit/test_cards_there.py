"""A card's query in Snowflake's words: the same answer, nothing but it, and no value of
somebody in its text."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from snowflake_gate import problems
from snowmelt.deploy.portable.checking import unportable
from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.writing import query_there
from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import dashboard_names, load_dashboard
from snowmelt.project.filters import Choice, Filter, read_choices
from snowmelt.project.metrics import MetricFiles
from snowmelt.project.periods import Period
from snowmelt.service.boards.rendering import Query, Rendering

TEMPLATES = Path(__file__).parents[2] / "src/snowmelt/project/templates"
WITH_BOARDS = sorted(each.parent.name for each in TEMPLATES.glob("*/dashboards"))
THERE = {"gold.sales": "SHOP.GOLD.SALES", "gold.days": 'SHOP.GOLD."ORDER"'}
ATTACKS = [
    *("' or 1=1 --", "x'; drop table SHOP.GOLD.SALES; --", "\\' or 1=1 --", "\\", "''"),
    *("$1", "$$x$$", "{{ 7*7 }}", "?", "north\n--", "*/ or true /*", "\u2019", "\\\\'"),
    *('["a"]', "east' union select 'x", "%s", ":1", "&x", "\t\r\n", "\\u0027", "\\047"),
]
_ENGINE = duckdb.connect()
_ENGINE.execute("attach ':memory:' as SHOP; create schema SHOP.GOLD")
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
spoken = (texts | st.sampled_from(ATTACKS)).map(str.strip)
chosen = spoken.filter(lambda each: each not in ("", "*") and len(each) <= 300)


def there(sql: str, *values: Any, limit: int = 1000) -> str:
    return query_there(sql, values, THERE, limit)


def said(literal: str) -> str:
    """Read a text as Snowflake's page of literals says it is read, and no more.

    https://docs.snowflake.com/en/sql-reference/data-types-text#string-constants
    """
    assert literal[0] == literal[-1] == "'"
    inside, found, at = literal[1:-1], [], 0
    marks = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "'": "'"}
    while at < len(inside):
        pair = inside[at : at + 2]
        if pair == "''":
            found.append("'")
        elif pair[0] == "\\":
            found.append(marks[pair[1]])
        else:
            assert pair[0] != "'", "the text ends before its end"
            found.append(pair[0])
            at -= 1
        at += 2
    return "".join(found)


def filtered(kind: str) -> Filter:
    column = "{{ ref('sales') }}.region"
    return Filter.model_validate({"name": "chosen", "type": kind, "column": column})


@given(st.lists(chosen, min_size=1, max_size=4, unique=True))
@settings(max_examples=40, deadline=None)
def test_a_value_is_a_text_whatever_it_is(values: list[str]) -> None:
    """No value ends its own text: between the quotes it is what was chosen, exactly.

    And it finds the rows that have it, as the same statement is carried out.
    """
    choice = Choice(filtered("multi"), values=tuple(values))
    rendering = Rendering({"sales": '"gold"."sales"'}, {}, {"chosen": choice})
    query = rendering.render(
        "select region from {{ ref('sales') }} where {{ filter('chosen') }}"
    )
    statement = there(query.sql, *query.parameters)
    head, tail = "WHERE CAST(region AS VARCHAR) IN (", ") LIMIT 1000"
    _, begun, listed = statement.partition(head)
    assert begun, statement
    assert listed.endswith(tail)
    literals = _split(listed.removesuffix(tail))
    assert [said(each) for each in literals] == values
    _ENGINE.execute("create or replace table SHOP.GOLD.SALES (region varchar)")
    rows = [[each] for each in (*values, *ATTACKS, None)]
    _ENGINE.executemany("insert into SHOP.GOLD.SALES values (?)", rows)
    [again] = sqlglot.transpile(statement, read="snowflake", write="duckdb")
    assert {row[0] for row in _ENGINE.execute(again).fetchall()} == set(values)


def _split(listed: str) -> list[str]:
    """Split texts between commas, by reading quotes as `said` does."""
    found, begin, at = [], 0, 0
    while at < len(listed):
        at += 1
        while listed[at] != "'" or listed[at : at + 2] == "''":
            at += 2 if listed[at] == "\\" or listed[at] == "'" else 1
        at += 1
        found.append(listed[begin:at])
        assert listed[at : at + 2] in ("", ", ")
        at = begin = at + 2
    return found


@given(chosen)
@settings(max_examples=30, deadline=None)
def test_the_rest_of_a_statement_is_the_same_whatever_is_chosen(value: str) -> None:
    sql = "select 1 as one from gold.sales where contains(lower(region), lower($1))"
    plain, other = there(sql, "x"), there(sql, value)
    before, _, after = plain.partition("'x'")
    assert other.startswith(before)
    assert other.endswith(after)
    literal = other.removeprefix(before).removesuffix(after)
    assert said(literal) == value


def test_a_value_with_a_nul_is_refused() -> None:
    with pytest.raises(ConfigError, match="NUL"):
        there("select 1 from gold.sales where region = $1", "a\0b")


SAME = [
    ("a / b", "CAST(a AS DOUBLE) / NULLIF(b, 0)"),
    ("a / 4 / b", "CAST(CAST(a AS DOUBLE) / 4 AS DOUBLE) / NULLIF(b, 0)"),
    ("a / nullif(b, 0)", "CAST(a AS DOUBLE) / NULLIF(b, 0)"),
    (
        "(select count(*) from gold.days) / (select sum(a) from gold.days)",
        'CAST((SELECT COUNT(*) FROM SHOP.GOLD."ORDER" AS days) AS DOUBLE) / '
        'NULLIF((SELECT SUM(a) FROM SHOP.GOLD."ORDER" AS days), 0)',
    ),
    ("(a + b) / (c)", "CAST(a + b AS DOUBLE) / NULLIF(c, 0)"),
    ("avg(a)", "AVG(CAST(a AS DOUBLE))"),
    ("count(*) filter (a > 1)", "COUNT_IF(a > 1)"),
    ("sum(a) filter (where b)", "SUM(IFF(b, a, NULL))"),
    ("least(a, b)", "LEAST_IGNORE_NULLS(a, b)"),
    ("a - interval 18 month", "a - INTERVAL '18 MONTH'"),
    ("isodow(a)", "DAYOFWEEKISO(a)"),
    ("any_value(a)", "MAX(a)"),
    ("try_cast(a as integer)", "TRY_CAST(CAST(a AS VARCHAR) AS INT)"),
    ("avg(a) filter (b)", "AVG(IFF(b, CAST(a AS DOUBLE), NULL))"),
    ('"a"', "A"),
    ('"order"', '"ORDER"'),
    ("sales.order_date", "sales.order_date"),
    ('"gold"."sales".a', "sales.a"),
    ("row_number() over (order by a desc)", "ORDER BY a DESC NULLS LAST"),
]


@pytest.mark.parametrize(("here", "words"), SAME, ids=[here for here, _ in SAME])
def test_what_the_engines_take_otherwise_is_written_out(here: str, words: str) -> None:
    statement = there(f"select {here} as x from gold.sales")
    assert words.lower() in " ".join(statement.split()).lower()
    assert words in " ".join(statement.split()) or words == "A"
    assert problems(statement) == []


def test_tables_and_limits_are_those_of_the_target() -> None:
    joined = "select * from gold.sales join gold.days as d using (day) order by x desc"
    statement = " ".join(there(joined, limit=11).split())
    assert statement == (
        'SELECT * FROM SHOP.GOLD.SALES AS sales JOIN SHOP.GOLD."ORDER" AS d '
        "USING (day) ORDER BY x DESC NULLS LAST LIMIT 11"
    )
    assert there("select 1 from gold.sales limit 5").endswith("LIMIT 5")
    assert there("select 1 from gold.sales limit 5000").endswith("LIMIT 1000")
    assert there("select 1 from gold.sales limit 2 + 3").endswith("LIMIT 1000")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("delete from gold.sales", "only one SELECT"),
        ("select 1 from gold.sales; drop table gold.sales", "only one SELECT"),
        ("select 1 from bronze.orders", "only what ref"),
        ("select 1 from sales", "only what ref"),
        ("select 1 from SHOP.GOLD_NEXT.SALES", "only what ref"),
        ("select 1 from read_csv('/etc/passwd')", "only what ref"),
        ("select (select max(x) from snowmelt.load_history)", "only what ref"),
        ("select unnest([1, 2]) from gold.sales", "something else there"),
        ("select max_by(a, b) filter (c) from gold.sales", "something else there"),
        ("select $3 from gold.sales", "nothing is bound"),
        ("select from where", "not understood"),
    ],
)
def test_what_is_no_query_of_what_ref_names_is_refused(sql: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        there(sql)


def test_a_card_may_say_what_is_written_anew_and_nothing_else() -> None:
    fine = (
        'select count(*) filter (a), least(a, b), isodow("c"), '
        "extract(year from t.day), trim(both from t.e), t.f is distinct from t.g from t"
    )
    assert findings_in(fine, is_rewritten=True) == []
    assert findings_in(fine)
    named = {
        each.found: each.why
        for each in findings_in(
            "select a // 2, unnest(b), strftime(c, '%Y'), regexp_matches(d, 'x') "
            "from snowmelt.load_history",
            is_rewritten=True,
        )
    }
    assert "floor(a / b)" in named["//"]
    assert "UNION ALL" in named["unnest"]
    assert "month(day)" in named["strftime"]
    assert "no macro is called" in named["regexp_matches"]
    assert "ref() names" in named["snowmelt"]


def cards_of(template: str, *, is_chosen: bool) -> list[tuple[str, Query, Any]]:
    """Return the queries of a template's cards: nothing chosen, or all filters."""
    root = TEMPLATES / template
    metrics = MetricFiles(root).all()
    relations = _Relations()
    found = []
    for name in dashboard_names(root):
        dashboard = load_dashboard(root, name)
        choices = read_choices(dashboard.filters, None)
        if is_chosen:
            period = Period(date(2024, 1, 1), date(2024, 12, 31), 12)
            choices = [
                Choice(e.filter, period=period)
                if e.filter.type == "date_range"
                else Choice(e.filter, values=("it's \\ x",))
                for e in choices
            ]
        by_name = {each.filter.name: each for each in choices}
        rendering = Rendering(relations, metrics, by_name)
        for card in dashboard.cards:
            found.append((card.place, rendering.query(card), relations))
    return found


class _Relations(dict[str, str]):
    """Every model there is, in gold."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return f'"warehouse"."gold"."{name}"'


@pytest.mark.parametrize("template", WITH_BOARDS)
def test_cards_of_every_template_are_portable(template: str) -> None:
    """But for one, of the history of this machine, which says so line by line."""
    assert unportable(TEMPLATES / template) == []
    refused = []
    for place, query, _ in cards_of(template, is_chosen=True):
        names = {f"gold.{m}": f"SHOP.GOLD.{m.upper()}" for m in query.models}
        try:
            query_there(query.sql, query.parameters, names, 10_001)
        except ConfigError:
            refused.append(place)
    of_here = ["dashboards/lag.yml:6"] if template == "realtime" else []
    assert [place.partition(": ")[0] for place in refused] == of_here


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("template", WITH_BOARDS)
@pytest.mark.parametrize("is_chosen", [False, True])
def test_statements_of_every_template_pass_the_gate(
    template: str, is_chosen: bool
) -> None:
    for place, query, _ in cards_of(template, is_chosen=is_chosen):
        names = {f"gold.{m}": f"SHOP.GOLD.{m.upper()}" for m in query.models}
        if "lag.yml:6" not in place:
            statement = query_there(query.sql, query.parameters, names, 10_001)
            assert problems(statement) == [], (place, statement)
