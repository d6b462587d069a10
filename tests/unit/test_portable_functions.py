"""Functions: each of the engine's is judged, and the reasons are what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, timedelta
from decimal import Decimal
from math import inf
from random import Random

import duckdb
import pytest
from sqlglot import transpile
from sqlglot.errors import SqlglotError

from snowmelt.deploy.portable import casts
from snowmelt.deploy.portable.functions import SHARED
from snowmelt.deploy.portable.linting import findings_in
from snowmelt.deploy.portable.names import GRAMMAR, HERE, THERE
from snowmelt.deploy.portable.statements import UnreadableError, read_statements
from snowmelt.deploy.portable.words import (
    GUARDS,
    OTHERWISE,
    REWRITTEN,
    UNKNOWN,
    UNKNOWN_BEGINNINGS,
)

CLAUSE = {"filter"}
"""A function of lists, too, which `->` in it tells; before that it is a clause."""
FAMILIES = tuple(UNKNOWN_BEGINNINGS)


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def functions(engine: duckdb.DuckDBPyConnection) -> set[str]:
    listed = engine.sql("select distinct function_name from duckdb_functions()")
    found = {str(name).lower() for (name,) in listed.fetchall()}
    return {name for name in found if re.match("[a-z_]", name)}


def told_of(sql: str, name: str) -> str:
    return "; ".join(e.why for e in findings_in(sql) if e.found.lower() == name)


def refused_in_tasks(name: str) -> set[str]:
    for arguments in ("a", "a, b", "a, b, c", ""):  # the parser of tasks counts some
        with suppress(UnreadableError):
            found = read_statements(f"select {name}({arguments}) from t").findings
            return {each.found.lower() for each in found}
    return set()


def test_the_list_of_functions_is_this_engines(functions: set[str]) -> None:
    assert {n for n in functions if n in THERE or not n.startswith(FAMILIES)} == HERE
    assert not GRAMMAR & functions


def test_what_both_have_is_alike_or_otherwise() -> None:
    assert not SHARED & OTHERWISE.keys()
    assert SHARED | OTHERWISE.keys() | CLAUSE == (HERE | GRAMMAR) & THERE


def test_what_is_said_is_said_of_a_function_that_there_is(functions: set[str]) -> None:
    assert UNKNOWN.keys() <= functions | GRAMMAR
    assert not UNKNOWN.keys() & THERE
    assert GUARDS.keys() <= OTHERWISE.keys()
    assert SHARED | OTHERWISE.keys() | UNKNOWN.keys() | CLAUSE >= REWRITTEN
    assert all(any(n.startswith(each) for n in functions) for each in FAMILIES)


def test_each_function_that_is_not_alike_is_named(functions: set[str]) -> None:
    """Whatever the engine has: in models, and in tasks."""
    for name in sorted((functions | GRAMMAR) - SHARED - CLAUSE):
        told = told_of(f"select {name}(a) from t", name)
        assert told
        assert told.startswith(f"{name} is not known there") == (name not in THERE)
        assert name in refused_in_tasks(name)
    for name in SHARED:
        assert "not known" not in told_of(f"select {name}(a, b) from t", name)


@pytest.mark.parametrize(
    "sql",
    [
        "with stats (a, b) as (select 1, 2) select a from stats",
        "with x as (select 1), last (a) as (select 2) select a from last",
        "select a from (values (1, 2)) as functions (a, b)",
        "select s.json_keys(a) from t",
        "select cast(a as decimal(9, 2)), b in (1, 2), sum(c) over (order by d) from t",
        'select "LIST"(a) from t',
    ],
)
def test_a_name_that_is_no_function_is_none(sql: str) -> None:
    assert findings_in(sql) == []


ROWS = "(values (1, 3.0), (2, 5.0), (null, 7.0), (4, 11.0)) as t (a, b)"
MOMENT = "(select timestamp '2024-01-01 00:00:01.5' as c)"
HINTS = [
    ("add(a, b)", "a + b"),
    ("arg_max(b, a)", "max_by(b, a)"),
    ("bool_and(a > 1)", "min(case when a > 1 then 1 else 0 end) = 1"),
    ("ceiling(1.2)", "ceil(1.2)"),
    ("century(date '2000-05-05')", "ceil(year(date '2000-05-05') / 100)"),
    ("century(date '2001-05-05')", "ceil(year(date '2001-05-05') / 100)"),
    ("character_length('äb')", "length('äb')"),
    ("count_star()", "count(*)"),
    ("countif(a > 1)", "count(case when a > 1 then 1 end)"),
    ("days_in_month(date '2024-02-05')", "day(last_day(date '2024-02-05'))"),
    ("decade(date '1999-05-05')", "floor(year(date '1999-05-05') / 10)"),
    ("divide(-7, 2)", "trunc(-7 / 2)"),
    ("ends_with('a_b', '_b')", "'a_b' like '%_b'"),
    (
        "epoch_ms(timestamp '2024-01-01 00:00:01.5')",
        "datediff('millisecond', timestamp '1970-01-01', "
        "timestamp '2024-01-01 00:00:01.5')",
    ),
    ("favg(b)", "avg(b)"),
    ("fdiv(-7, 2)", "floor(-7 / 2)"),
    ("fmod(-7, 2)", "-7 - 2 * floor(-7 / 2)"),
    ("geomean(b)", "exp(avg(ln(b)))"),
    ("instr('abc', 'c')", "position('c' in 'abc')"),
    ("lcase('Ä')", "lower('Ä')"),
    ("log10(1000)", "ln(1000) / ln(10)"),
    ("log2(8)", "ln(8) / ln(2)"),
    ("mean(b)", "avg(b)"),
    (
        "quantile_cont(b::double, 0.5)",
        "percentile_cont(0.5) within group (order by b::double)",
    ),
    ("quantile_disc(b, 0.5)", "percentile_disc(0.5) within group (order by b)"),
    ("sem(b)", "stddev_pop(b) / sqrt(count(b))"),
    ("strlen('äb')", "bit_length('äb') / 8"),
    ("substring_grapheme('äbc', 2, 1)", "substr('äbc', 2, 1)"),
    ("time_bucket(interval '1 hour', c)", "date_trunc('hour', c)"),
    ("to_weeks(1)", "interval '7 days'"),
    ("try(ln(b))", "try_cast(ln(nullif(b, 0)) as double)"),
    ("wavg(b, a)", "sum(b * a) / sum(case when b is not null then a end)"),
    ("weekday(date '2024-01-07')", "dayofweek(date '2024-01-07')"),
]


@pytest.mark.parametrize(("unknown", "instead"), HINTS)
def test_what_to_say_instead_answers_the_same(
    engine: duckdb.DuckDBPyConnection, unknown: str, instead: str
) -> None:
    said = UNKNOWN[unknown.partition("(")[0]]
    assert set(re.findall(r"\w+(?=\()", said)) <= set(re.findall(r"\w+", instead))
    asked = f"select {unknown} as x, {instead} as y from {ROWS}, {MOMENT}"
    for first, second in engine.sql(asked).fetchall():
        is_near = isinstance(first, float)
        assert first == (pytest.approx(second) if is_near else second)


NAN = "cast('NaN' as double)"
# What the reasons say of this engine, and of what means the same on both.
ANSWERS = [
    ("corr(a, b)", "(1, 2), (1, 3)", "nan"),
    (f"nullif(corr(a, b), {NAN})", "(1, 2), (1, 3)", None),
    ("regr_slope(a, b)", "(1, 2), (3, 2)", "nan"),
    (f"nullif(regr_slope(a, b), {NAN})", "(1, 2), (3, 2)", None),
    ("count_if(a > b)", "(null, 1)", None),
    ("count(case when a > b then 1 end)", "(null, 1)", 0),
    ("listagg(a, ',')", "(null, 1)", None),
    ("any_value(a)", "(null, 1), (2, 1)", 2),
    ("array_agg(a)", "(null, 1)", [None]),
    ("concat(a, 'x')", "(null, 1)", "x"),
    ("bit_or(a)", "(1, 1), (2, 1)", 3),
    ("decode('a'::blob)", "(1, 1)", "a"),
    ("split('a-b', '-')", "(1, 1)", ["a", "b"]),
    ("to_binary('a')", "(1, 1)", "01100001"),
    ("unicode('')", "(1, 1)", -1),
    ("dayname(date '2024-01-01')", "(1, 1)", "Monday"),
    ("monthname(date '2024-01-01')", "(1, 1)", "January"),
    ("log(100)", "(1, 1)", 2.0),
    ("regexp_replace('aa', 'a', 'b')", "(1, 1)", "ba"),
    ("max_by(a, b)", "(null, 3), (1, 2)", 1),
    ("max_by(a, case when a is not null then b end)", "(null, 3), (1, 2)", 1),
    ("greatest(a, b)", "(null, 3)", 3),
    # of arguments
    ("left('abc', -1)", "(1, 1)", "ab"),
    ("right('abc', -1)", "(1, 1)", "bc"),
    ("substr('abc', 0, 2)", "(1, 1)", "a"),
    ("substr('abc', 2, -1)", "(1, 1)", "a"),
    ("split_part('abc', '', 1)", "(1, 1)", "a"),
    ("split_part('a-b', '-', 0)", "(1, 1)", ""),
    ("date_part('microsecond', timestamp '2024-01-01 00:00:01.5')", "(1, 1)", 1500000),
    ("datediff('microsecond', date_trunc('minute', c), c)", "(1, 1)", 1500000),
    ("median(a::decimal(9, 2))", "(0.01, 1), (0.02, 1)", Decimal("0.01")),
    ("median(a::decimal(9, 3))", "(0.01, 1), (0.02, 1)", Decimal("0.015")),
    ("mod(a, 0)", "(1, 1)", None),
    # what both answer so
    ("round(a)", "(2.5, 1)", 3),
    ("round(a)", "(-2.5, 1)", -3),
    ("round(a::double)", "(2.5, 1)", 3.0),
    ("round(a, -2)", "(1250, 1)", 1300),
    ("mod(a, 3)", "(-5, 1)", -2),
    ("trim(' x' || chr(9))", "(1, 1)", "x\t"),
    ("translate('abca', 'ab', 'x')", "(1, 1)", "xcx"),
    ("length('äb')", "(1, 1)", 2),
    ("bit_length('äb') / 8", "(1, 1)", 3.0),
    ("split_part('a-b', '-', -1)", "(1, 1)", "b"),
    ("split_part('a-b', '-', 9)", "(1, 1)", ""),
    ("replace('abc', '', 'x')", "(1, 1)", "abc"),
    ("position('x' in 'abc')", "(1, 1)", 0),
    ("dayofweek(date '2024-01-07')", "(1, 1)", 0),
    ("week(date '2024-12-30')", "(1, 1)", 1),
    ("datediff('hour', timestamp '2024-01-01 09:59', '2024-01-01 10:00')", "(1, 1)", 1),
    ("datediff('month', date '2024-01-31', date '2024-02-01')", "(1, 1)", 1),
    ("stddev(a)", "(1, 1)", None),
    ("sum(a)", "(null::integer, 1)", None),
    ("power(0, -1)", "(1, 1)", inf),
]


@pytest.mark.parametrize(("sql", "rows", "answer"), ANSWERS)
def test_the_engine_answers_what_the_reasons_say(
    engine: duckdb.DuckDBPyConnection, sql: str, rows: str, answer: object
) -> None:
    asked = f"select {sql} from (values {rows}) as t (a, b), {MOMENT}"
    [(found,)] = engine.sql(asked).fetchall()
    assert (str(found) if answer == "nan" else found) == answer


CALLS = {
    **dict.fromkeys(("cast", "try_cast"), "{}(a as integer)"),
    **dict.fromkeys(
        ("percentile_cont", "percentile_disc"), "{}(0.5) within group (order by a)"
    ),
    **dict.fromkeys(("date_part", "date_trunc"), "{}('month', a)"),
    **dict.fromkeys(
        ("lpad", "replace", "rpad", "split_part", "translate"), "{}(a, b, c)"
    ),
    **dict.fromkeys(("substr", "substring"), "{}(a, 2, c)"),
    "datediff": "{}('day', a, b)",
    "extract": "{}(month from a)",
    "position": "{}(a in b)",
}
ARITIES = ("{}(a)", "{}(a, b)", "{}()")


def said_here(name: str) -> str:
    """Return what sqlglot makes of a call of Snowflake's."""
    for call in (CALLS[name],) if name in CALLS else ARITIES:
        asked = f"select {call.format(name)}"
        with suppress(SqlglotError):
            return transpile(asked, read="snowflake", write="duckdb")[0]
    raise AssertionError(name)


def test_who_translates_between_them_knows_of_no_other_difference() -> None:
    """Of bytes `length` is another one, and those are no texts."""
    differ = {name for name in SHARED if "CASE" in said_here(name)}
    told = {"greatest", "least", "left", "right", "split_part", "substr", "substring"}
    assert differ == {*told, "len", "length"}


def test_each_type_of_the_engine_is_judged_once(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    listed = engine.sql("select distinct lower(type_name) from duckdb_types()")
    judged = [*casts.ALIKE, *casts.UNKNOWN, *casts.OTHERWISE, *casts.NESTED]
    assert sorted(name for (name,) in listed.fetchall()) == sorted(judged)


@pytest.mark.parametrize("name", sorted(casts.ALIKE | casts.UNKNOWN.keys()))
def test_a_type_is_named_where_a_value_is_cast_to_it(name: str) -> None:
    """And nowhere else: it may be the name of a column, too."""
    for cast in (f"a::{name}", f"cast(f(a) as {name})", f"try_cast(b as {name}) + 1"):
        found = [e.why for e in findings_in(f"select {cast} from t")]
        assert found == [w for w in found if w.startswith(f"the type {name} ")]
        assert bool(found) == (name in casts.UNKNOWN)
    if " " not in name:
        assert findings_in(f"select a as {name}, (select 1 as {name}) from t") == []


@pytest.mark.parametrize(
    ("cast", "answer", "why", "instead"),
    [
        ("0.1::float = 0.1::double", False, "four bytes", "0.1::double"),
        ("cast(16777217 as real)", 16777216.0, "four bytes", "16777217::double"),
        ("1.2345::decimal", Decimal("1.235"), "3 here", "1.2345::decimal(9, 3)"),
        ("cast(2 as numeric)", Decimal("2.000"), "3 here", "2::numeric(9, 3)"),
        ("'abc'::varchar(2)", "abc", "not heeded", "left('abc', 2)"),
        ("cast('abc' as text(2))", "abc", "not heeded", "cast('abc' as text)"),
        ("(5 / 2)::int", 2, "halves", "round(5 / 2)::int"),
        ("cast(5 / 2 as bigint)", 2, "halves", "cast(floor(5 / 2) as bigint)"),
        ("cast(2.5::double as int)", 2, "halves", "cast('2' as int)"),
        ("avg(2.5)::integer", 2, "halves", "sum(2)::integer"),
        ("1 + (5 / 2)::int", 3, "halves", "cast(cast(2.5 as decimal(9, 1)) as int)"),
        ("cast('abc' as char)", "abc", "one letter", "cast('abc' as varchar)"),
    ],
)
def test_a_type_of_both_may_hold_another_value(
    engine: duckdb.DuckDBPyConnection, cast: str, answer: object, why: str, instead: str
) -> None:
    assert engine.sql(f"select {cast}").fetchall() == [(answer,)]
    [found] = findings_in(f"select {cast} as x")
    assert why in found.why
    assert findings_in(f"select {instead} as x") == []


def test_estimates_are_estimates(engine: duckdb.DuckDBPyConnection) -> None:
    asked = "select approx_count_distinct(i % 1000), count(distinct i % 1000) from x"
    [(near, right)] = engine.sql(
        f"with x as (from range(9999) t(i)) {asked}"
    ).fetchall()
    assert right == 1000
    assert near != right


def test_weeks_are_sevens_of_days_and_can_be_those_of_mondays(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    chance = Random(3)
    begin = date(2020, 1, 1)
    for _ in range(50):
        first = begin + timedelta(days=chance.randrange(3000))
        last = first + timedelta(days=chance.randrange(40))
        asked = (
            "select datediff('week', a, b), "
            "datediff('day', date_trunc('week', a), date_trunc('week', b)) / 7 "
            f"from (select date '{first}' as a, date '{last}' as b)"
        )
        [(sevens, mondays)] = engine.sql(asked).fetchall()
        days = range((last - first).days)
        begun = [(first + timedelta(days=day + 1)).weekday() == 0 for day in days]
        assert sevens == len(days) // 7
        assert mondays == sum(begun)


def test_a_window_ends_at_the_row(engine: duckdb.DuckDBPyConnection) -> None:
    asked = "select last_value(a) over (order by a {}) from (values (1), (2)) as t (a)"
    frame = "rows between unbounded preceding and unbounded following"
    assert set(engine.sql(asked.format("")).fetchall()) == {(1,), (2,)}
    assert set(engine.sql(asked.format(frame)).fetchall()) == {(2,)}


BY_ARGUMENT = [
    ("date_part('epoch', a)", "extract(second from a)", "epoch_second"),
    ("extract(isodow from a)", "extract(dayofweek from a)", "dayofweekiso"),
    ("extract(isoyear from a)", "extract(year from a)", "yearofweekiso"),
    ("date_part('milliseconds', a)", "date_part('second', a)", "date_trunc('minute'"),
    ("date_trunc('decade', a)", "date_trunc('quarter', a)", "no such part"),
    ("extract(timezone from a)", "date_part('timezone_hour', a)", "no such part"),
    ("datediff('week', a, b)", "datediff('day', a, b)", "Mondays"),
    ("left(a, -2)", "left(a, length(b) - 2)", "left out"),
    ("right(f(a, b), -2)", "right(f(a, -2), 2)", "left out"),
    ("substr(a, 0, 2)", "substr(a, 10, 2)", "number 1"),
    ("substring(a, 2, -1)", "substring(a, -2, 1)", "backwards"),
    ("split_part(a, '', 1)", "split_part(a, '-', 1)", "letters"),
    ("split_part(a, '-', 0)", "split_part(a, '-', -1)", "number 1"),
    (
        "last_value(a ignore nulls) over (partition by b order by c)",
        "last_value(a) over (order by c rows between 1 preceding and current row)",
        "ROWS BETWEEN",
    ),
    (
        "nth_value(a, 2) over (order by b)",
        "first_value(a) over (order by b)",
        "ROWS BETWEEN",
    ),
    ("median(a)", "median(a::double)", "places"),
    (
        "percentile_cont(0.5) within group (order by a)",
        "percentile_cont(0.5) within group (order by cast(a as double))",
        "places",
    ),
    ("corr(a, b)", f"nullif(corr(a, b), {NAN})", "NaN"),
    ("regr_slope(a, b)", f"nullif(regr_slope(a, b), {NAN})", "NaN"),
    ("count_if(a > 1)", "coalesce(count_if(a > 1), 0)", "no row"),
]


@pytest.mark.parametrize(("refused", "taken", "why"), BY_ARGUMENT)
def test_what_arguments_decide(
    engine: duckdb.DuckDBPyConnection, refused: str, taken: str, why: str
) -> None:
    for call in (refused, taken):
        engine.extract_statements(f"select {call} from t")  # it is SQL here
    name = refused.partition("(")[0]
    assert why in told_of(f"select {refused} from t", name)
    assert findings_in(f"select {taken} from t") == []


@pytest.mark.parametrize(
    ("refused", "taken"),
    [
        ("mod(a, b)", "mod(a, nullif(b, 0)), mod(a, 10)"),
        ("mod(f(a), 0)", "mod(coalesce(a, 1), 7)"),
        ("max_by(a, b)", "max_by(coalesce(a, ''), b)"),
        ("min_by(a, b)", "min_by(a, case when a is not null then b end)"),
    ],
)
def test_tasks_say_more(refused: str, taken: str) -> None:
    name = refused.partition("(")[0]
    assert name in {e.found for e in read_statements(f"select {refused}").findings}
    assert not read_statements(f"select {taken} from t").findings
