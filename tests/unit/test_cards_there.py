"""A card's query in Snowflake's words: the same answer, nothing but it, and no value of
somebody in its text."""

from __future__ import annotations

import re
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
from snowmelt.deploy.portable.writing import query_there, refusals_of
from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import dashboard_names, load_dashboard
from snowmelt.project.filters import Choice, Filter, read_choices
from snowmelt.project.metrics import MetricFiles
from snowmelt.project.periods import Period
from snowmelt.service.boards.rendering import Query, Rendering
from snowmelt.service.targets.unaskable import unaskable

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


WHOLE = [
    (
        "select a / b from gold.sales",
        "SELECT IFF(b = 0, CAST(a AS DOUBLE) * CAST('inf' AS DOUBLE), CAST(a AS DOUBLE)"
        " / NULLIF(b, 0)) FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select a / 2, a / nullif(b, 0) from gold.sales",
        "SELECT CAST(a AS DOUBLE) / 2, CAST(a AS DOUBLE) / NULLIF(b, 0) "
        "FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select any_value(a), any_value(b) filter (where c) from gold.sales",
        "SELECT MAX(a), MAX(IFF(c, b, NULL)) FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select a from gold.sales where b is not true and c is false",
        "SELECT a FROM SHOP.GOLD.SALES AS sales WHERE NOT COALESCE(b, FALSE) AND "
        "COALESCE(NOT c, FALSE) LIMIT 1000",
    ),
    (
        "select last_value(a ignore nulls) over (partition by b order by c desc) "
        "from gold.sales",
        "SELECT LAST_VALUE(a) IGNORE NULLS OVER (PARTITION BY b ORDER BY c DESC NULLS "
        "LAST RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) "
        "FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select median(a) filter (where b), stddev(distinct a), "
        "percentile_cont(0.9) within group (order by a desc) from gold.sales",
        "SELECT MEDIAN(IFF(b, CAST(a AS DOUBLE), NULL)), STDDEV(DISTINCT CAST(a AS "
        "DOUBLE)), PERCENTILE_CONT(0.9) WITHIN GROUP (ORDER BY CAST(a AS DOUBLE) DESC "
        "NULLS LAST) FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select max_by(a, b) from gold.sales",
        "SELECT MAX_BY(a, IFF(a IS NULL, NULL, b)) FROM SHOP.GOLD.SALES AS sales "
        "LIMIT 1000",
    ),
    (
        "select listagg(a) from gold.sales",
        "SELECT IFF(COUNT(a) > 0, LISTAGG(a, ','), NULL) FROM SHOP.GOLD.SALES AS sales "
        "LIMIT 1000",
    ),
    (
        'select a % b as "Maß", "Größe", coalesce(c) from gold.sales',
        'SELECT a % NULLIF(b, 0) AS "MAß", "GRößE", COALESCE(c, NULL) '
        "FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "with s as materialized (select count() as n from gold.sales) select n from s",
        "WITH s AS (SELECT COUNT(*) AS n FROM SHOP.GOLD.SALES AS sales) SELECT n "
        "FROM s LIMIT 1000",
    ),
    (
        "select a::timestamptz at time zone 'Asia/Tokyo' from gold.sales",
        "SELECT CAST(CONVERT_TIMEZONE('Asia/Tokyo', CAST(a AS TIMESTAMP_TZ)) AS "
        "TIMESTAMP_NTZ) FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select a::timestamp at time zone 'Asia/Tokyo' from gold.sales",
        "SELECT CAST(CONVERT_TIMEZONE('Asia/Tokyo', 'UTC', CAST(a AS TIMESTAMP_NTZ)) "
        "AS TIMESTAMP_TZ) FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select a + interval (b) day, a - interval (b + 1) hour from gold.sales",
        "SELECT DATEADD(DAY, b, a), DATEADD(HOUR, -(b + 1), a) "
        "FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
    (
        "select sum(a > 1), max(a > 1), extract(isodow from b) from gold.sales",
        "SELECT SUM(CAST(a > 1 AS INT)), BOOLOR_AGG(a > 1), DAYOFWEEKISO(b) "
        "FROM SHOP.GOLD.SALES AS sales LIMIT 1000",
    ),
]


@pytest.mark.parametrize(("here", "whole"), WHOLE, ids=[here for here, _ in WHOLE])
def test_a_statement_is_this_one_and_no_word_more(
    here: str, whole: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert " ".join(there(here).split()) == whole
    assert capfd.readouterr() == ("", "")


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
    assert there("select 1 from gold.sales limit 2 + 3").endswith("LIMIT 5")


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
        ("select first_value(a) filter (c) over (order by b) from gold.sales", "else"),
        ("select $3 from gold.sales", "nothing is bound"),
        ("select from where", "not understood"),
    ],
)
def test_what_is_no_query_of_what_ref_names_is_refused(sql: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        there(sql)


UNSAYABLE = [
    (
        "sum(a) over (order by b rows between 1 preceding and current row exclude "
        "current row)",
        "EXCLUDE",
    ),
    ("sum(a) over (order by b groups 1 preceding)", "GROUPS"),
    ("sum(a) over w", "named window"),
    ("row_number() over ()", "needs an ORDER BY"),
    ("lag(a) over (partition by b)", "needs an ORDER BY"),
    ("first_value(a) over ()", "needs an ORDER BY"),
    ("median(a) over (order by b)", "whole partitions"),
    ("listagg(a, ',') over (order by b)", "whole partitions"),
    ("count(distinct a) over (order by b)", "whole partitions"),
    ("max_by(a, b) over ()", "first_value"),
    ("max_by(a, b, 3)", "list"),
    ("any_value(a order by b)", "min_by"),
    ("at at time zone 'Europe/Berlin'", "::timestamptz at time zone"),
    ("date_part('epoch', at)", "epoch is no part"),
    ("extract(century from at)", "century is no part"),
    ("date_trunc('decade', at)", "decade is not known"),
    ("datediff('century', at, at)", "century is not known"),
    ("time_bucket(interval '15 minutes', at)", "date_trunc"),
    ("interval '1 day' * 2", "after + or -"),
    ("at + interval '1 day 2 hours'", "one length"),
    ("at + interval '1.5 days'", "whole number"),
    (
        "sum(a) over (order by b range between interval (a) day preceding and current "
        "row)",
        "written out",
    ),
    ("left(t, -1)", "length"),
    ("right(t, -2)", "length"),
    ("substr(t, 0, 2)", "begin with 1"),
    ("split_part(t, '-', 0)", "begin with 1"),
    ("a from gold.sales intersect all select b", "INTERSECT ALL"),
    ("distinct on (a) a", "DISTINCT ON"),
]


@pytest.mark.parametrize(("sql", "told"), UNSAYABLE, ids=[sql for sql, _ in UNSAYABLE])
def test_what_has_no_words_there_is_refused_with_what_to_write(
    sql: str, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    window = " window w as (order by b)" if "over w" in sql else ""
    with pytest.raises(ConfigError, match=re.escape(told)):
        there(f"select {sql} from gold.sales{window}")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "limit", ["10 percent", "10 percent offset 2", "(select 3)", "3 offset (select 1)"]
)
def test_a_limit_is_a_number(limit: str) -> None:
    with pytest.raises(ConfigError, match="a number of rows"):
        there(f"select a from gold.sales limit {limit}")


def test_refusals_say_in_which_line_they_are() -> None:
    query = (
        "select\n    a,\n    row_number() over () as place,\n    left(b, -1) as c\n"
        "from gold.sales"
    )
    found = refusals_of(query, [], THERE)
    assert [(each.line, each.why.partition(":")[0]) for each in found] == [
        (3, "ROW_NUMBER() OVER ()"),
        (4, "LEFT(b, -1)"),
    ]
    with pytest.raises(ConfigError, match="line 3 of its query: ROW_NUMBER"):
        there(query)
    assert refusals_of("select 1 from gold.sales", [], THERE) == []


def test_a_list_stands_where_a_filter_puts_it_alone() -> None:
    for query in (
        "select a from gold.sales where a = $1",
        "select a from gold.sales where a in (select $1)",
        "select a from gold.sales where a in (select b from gold.sales where c = $1)",
    ):
        with pytest.raises(ConfigError, match="a list of values"):
            there(query, ("x", "y"))


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
    assert unportable(TEMPLATES / template) == []
    assert unaskable(TEMPLATES / template) == []


def test_a_card_of_the_history_of_this_machine_is_refused() -> None:
    """It says so line by line, and nothing else does."""
    refused = [
        (place.partition(": ")[0], refusal.why)
        for place, query, _ in cards_of("realtime", is_chosen=True)
        for names in [{f"gold.{m}": f"SHOP.GOLD.{m.upper()}" for m in query.models}]
        for refusal in refusals_of(query.sql, query.parameters, names)
    ]
    assert [place for place, _ in refused] == ["dashboards/lag.yml:6"]
    assert "only what ref() names" in refused[0][1]


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
