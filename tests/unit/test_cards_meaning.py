"""What a card asks means the same there, down to NULL, 0 and the ends of frames.

A query is carried out as DuckDB takes it; its statement is read as Snowflake's pages
say that it is taken (`snowflake_answers`). Both answer the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from snowflake_answers import as_answered
from snowflake_gate import problems
from snowmelt.deploy.portable.writing import query_there
from snowmelt.service.targets.questioning import as_here

THERE = {"gold.sales": "SHOP.GOLD.SALES"}
ROWS = [
    (1, "north", 10, 0, Decimal("2.50"), True, "p"),
    (2, "north", None, 3, Decimal("0.00"), None, None),
    (3, "south", 0, 0, None, False, "q"),
    (4, "south", -7, 2, Decimal("-1.25"), None, "p"),
    (5, None, 4, None, Decimal("3.00"), True, ""),
    (6, None, None, None, None, None, None),
    (7, "north", 10, 3, Decimal("2.50"), False, "q"),
    (8, "east", None, 0, None, None, None),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; attach ':memory:' as SHOP")
    connection.execute("create schema SHOP.GOLD; use SHOP.GOLD")
    connection.execute(
        "create table SALES (k bigint, g varchar, a bigint, b bigint, "
        "x decimal(10, 2), f boolean, t varchar)"
    )
    connection.executemany("insert into SALES values (?, ?, ?, ?, ?, ?, ?)", ROWS)
    yield connection
    connection.close()


def here(engine: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[Any]:
    bound = [list(each) if isinstance(each, tuple) else each for each in values]
    return engine.execute(sql, bound).fetchall()


def there(engine: duckdb.DuckDBPyConnection, sql: str, *values: Any) -> list[Any]:
    """Answer as the account would, and as a page takes it: by the types of here."""
    bound = [list(each) if isinstance(each, tuple) else each for each in values]
    types = [row[1] for row in engine.execute(f"describe {sql}", bound).fetchall()]
    statement = query_there(sql, values, THERE, 1000)
    answered = engine.execute(as_answered(statement)).fetchall()
    return [tuple(map(as_here, row, types)) for row in answered]


def same(one: list[Any], other: list[Any]) -> bool:
    """NaN is the same as NaN; sums of floats may differ in their last digit."""
    return [list(map(_plain, row)) for row in one] == [
        list(map(_plain, row)) for row in other
    ]


def _plain(value: Any) -> Any:
    return f"{value:.12g}" if isinstance(value, float) else value


CHOSEN = "cast(t as varchar) in (select unnest($1::json::varchar[]))"
SAME = [
    # What was chosen, inside of what somebody wrote.
    f"select k from gold.sales where g in (select g from gold.sales where {CHOSEN})",
    f"select k from gold.sales where g not in (select g from gold.sales where {CHOSEN} "
    "and g is not null)",
    f"select k from gold.sales where {CHOSEN}",
    f"select k from gold.sales where not {CHOSEN}",
    # What is NULL is neither true nor false.
    "select k from gold.sales where f is not true",
    "select k from gold.sales where f is not false",
    "select k from gold.sales where f is false",
    "select k from gold.sales where (a > b) is not true and (not f) is not false",
    "select count(*) filter (where f is not true) from gold.sales",
    # A frame ends at this row, and at those that are its like.
    "select k, last_value(a) over (order by k) from gold.sales",
    "select k, last_value(b) over (order by b) from gold.sales",
    "select k, last_value(a ignore nulls) over (partition by g order by k) "
    "from gold.sales",
    "select k, first_value(a ignore nulls) over (order by k) from gold.sales",
    "select k, nth_value(a, 3) over (order by k desc) from gold.sales",
    "select k, last_value(a) over (order by k rows between unbounded preceding and "
    "unbounded following) from gold.sales",
    # Rows whose value is NULL are left out.
    "select g, max_by(a, k), min_by(t, abs(k - 2)) from gold.sales group by g",
    "select max_by(a, k) filter (where g = 'north') from gold.sales",
    "select g, any_value(a), any_value(t) filter (where k > 2) from gold.sales "
    "group by g",
    # A list of no text is none, and commas stand between.
    "select g, listagg(t, ';' order by k), listagg(t order by k desc) from gold.sales "
    "group by g",
    "select listagg(distinct t, ',' order by t) filter (where k < 8) from gold.sales",
    "select listagg(t) from gold.sales where k = 8",
    "select k, listagg(t) over (partition by k) from gold.sales",
    # FILTER of whatever leaves out NULL.
    "select median(a) filter (where b > 0), stddev(a) filter (where f is not true), "
    "count(distinct a) filter (where k > 1), mode(g) filter (where a > 0), "
    "count() filter (where b = 0), sum(f is true) filter (where k > 1) from gold.sales",
    "select median(a / 3), median(b * 0.0001) from gold.sales",
    "select percentile_cont(0.5) within group (order by a) filter (where k > 2) "
    "from gold.sales",
    # By 0 there is no remainder, and a quotient is infinite or no number.
    "select k, a % b, mod(a, b), mod(a + 1, b - 3), x % b, 7 % nullif(b, 3) "
    "from gold.sales",
    "select k, a / b, 1 / b, x / a, a / nullif(b, 0), a / nullif(b, 3) from gold.sales",
    "select k, coalesce(a / b, -1) from gold.sales order by a / b desc, k limit 3",
    "select k from gold.sales where a / b / x > 1",
    "select coalesce(count_if(f) / count(*), 0) from gold.sales where k > 100",
    "select try_cast(a as integer), try_cast(t as date) from gold.sales",
    "select count_if(f), count(*) filter (where f) from gold.sales where k > 100",
    "select g, count_if(f) filter (where a > 0), count_if(a > b) from gold.sales "
    "group by g",
    "select avg(a), avg(b), avg(distinct a), avg(x) filter (where k > 1) "
    "from gold.sales",
    # What is true is 1.
    "select sum(a > 0), max(a > 0), min(a > b), sum((f is not true)), "
    "cast(a > 0 as double) + sum(b is null) over () from gold.sales group by a, b, f",
    "select k, a from gold.sales order by coalesce(2), k desc limit 3",
    "select coalesce(a), count() from gold.sales group by a",
    "with s as materialized (select * from gold.sales), r as not materialized "
    "(select * from s) select count(*) from r",
    "select k from gold.sales order by k limit (2)",
    "select k from gold.sales order by k limit 2 + 1 offset (1)",
    "select k from gold.sales order by k fetch first 2 rows only",
    "select k, date '2026-01-31' + interval (k) month, "
    "timestamp '2026-01-01 10:00:00' - interval (k + 1) hour, "
    "date '2026-03-01' - interval 2 day, timestamp '2026-01-01 10:00:00' - interval "
    "'5 mins', date_trunc('hr', timestamp '2026-01-01 10:20:00') from gold.sales",
    "select k from gold.sales where isfinite(date '2026-01-01' + k::integer)",
    "select extract(isodow from date '2026-01-04'), date_part('isodow', date "
    "'2026-01-05'), isodow(date '2026-01-04'), extract(isoyear from date '2027-01-01')",
    "select timestamp '2026-07-01 12:00:00' at time zone 'Europe/Berlin', "
    "timestamptz '2026-07-01 12:00:00+00' at time zone 'Europe/Berlin', "
    "timestamp '2026-01-01 12:00:00' at time zone 'UTC' at time zone 'Asia/Tokyo'",
    "select row_number() over (order by b desc, k), rank() over (order by b desc), "
    "lag(a) over (order by k), sum(a) over (order by b), count(*) over () "
    "from gold.sales",
    'select a as "Maß", count(*) as "Größe" from gold.sales group by "Maß"',
]


@pytest.mark.parametrize("sql", SAME)
def test_it_answers_the_same(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    values = [("p", "q")] if "$1" in sql else []
    expected = here(engine, sql, *values)
    answered = there(engine, sql, *values)
    if "order by k " not in sql.rpartition(")")[2]:
        expected, answered = sorted(expected, key=repr), sorted(answered, key=repr)
    assert same(answered, expected), query_there(sql, values, THERE, 1000)


# Queries of a small grammar, by hypothesis. `k` is of each row alone, so that orders
# are total; what is summed up is small, so that nothing runs over.

_names = st.sampled_from(["a", "b", "x", "k", "0", "2", "(-3)"])
_truths = st.sampled_from(["true", "false"])


def _exact(inside: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Numbers that are counted exactly; of these alone a remainder is asked."""
    two = st.tuples(inside, inside)
    return st.one_of(
        two.map(lambda v: f"({v[0]} + {v[1]})"),
        two.map(lambda v: f"({v[0]} - {v[1]})"),
        two.map(lambda v: f"({v[0]} % {v[1]})"),
        two.map(lambda v: f"mod({v[0]}, {v[1]})"),
        two.map(lambda v: f"coalesce({v[0]}, {v[1]})"),
        two.map(lambda v: f"nullif({v[0]}, {v[1]})"),
        two.map(lambda v: f"least({v[0]}, {v[1]})"),
        st.tuples(_conditions, inside, inside).map(
            lambda v: f"case when {v[0]} then {v[1]} else {v[2]} end"
        ),
        inside.map(lambda v: f"coalesce({v})"),
    )


_conditions: st.SearchStrategy[str] = st.deferred(
    lambda: st.recursive(
        st.one_of(
            st.just("f"),
            st.just(CHOSEN),
            st.sampled_from(["a", "b", "x", "t", "g"]).map(lambda v: f"{v} is null"),
            st.tuples(_names, st.sampled_from(["<", "=", ">="]), _names).map(" ".join),
        ),
        lambda inside: st.one_of(
            st.tuples(inside, _truths).map(lambda v: f"({v[0]}) is {v[1]}"),
            st.tuples(inside, _truths).map(lambda v: f"({v[0]}) is not {v[1]}"),
            st.tuples(inside, inside).map(lambda v: f"(({v[0]}) and ({v[1]}))"),
            st.tuples(inside, inside).map(lambda v: f"(({v[0]}) or ({v[1]}))"),
            inside.map(lambda v: f"not ({v})"),
            inside.map(lambda v: f"k in (select k from gold.sales where {v})"),
            inside.map(lambda v: f"g not in (select g from gold.sales where {v})"),
        ),
        max_leaves=3,
    )
)
_whole = st.recursive(_names, _exact, max_leaves=3)
_numbers = st.one_of(
    _whole,
    st.tuples(_whole, _whole).map(lambda v: f"{v[0]} / {v[1]}"),
    st.tuples(_whole, _whole, _whole).map(lambda v: f"{v[0]} / {v[1]} / {v[2]}"),
    st.tuples(_whole, _whole).map(lambda v: f"coalesce({v[0]} / {v[1]}, -1)"),
)
_summed = st.one_of(
    st.tuples(st.sampled_from(["sum", "avg", "min", "max"]), _whole).map(
        lambda v: f"{v[0]}({v[1]})"
    ),
    _whole.map(lambda v: f"median(({v})::double)"),  # of decimals it is cut here
    st.tuples(st.sampled_from(["sum", "max", "min", "count_if"]), _conditions).map(
        lambda v: f"{v[0]}(({v[1]}) is not true)"
    ),
    _whole.map(lambda v: f"count({v})"),
    _whole.map(lambda v: f"avg(distinct {v})"),
    st.sampled_from(["max_by", "min_by"]).flatmap(
        lambda name: _whole.map(lambda v: f"{name}({v}, k)")
    ),
    st.sampled_from(["count()", "count(*)", "listagg(t, ';' order by k)"]),
    st.sampled_from(
        [
            *("listagg(t order by k desc)", "count(distinct a)"),
            *("any_value(nullif(7, a))", "stddev(a)", "mode(nullif(7, b))"),
        ]
    ),
)
_aggregates = st.one_of(
    _summed,
    st.tuples(_summed, _conditions).map(lambda v: f"{v[0]} filter (where {v[1]})"),
    _whole.map(lambda v: f"coalesce(sum({v}) / count_if(f), 0)"),
)
_orders = st.sampled_from(["k", "k desc", "b, k", "b desc, k", "b nulls first, k desc"])
_parts = st.sampled_from(["", "partition by g "])
_windows = st.one_of(
    st.tuples(
        st.sampled_from(
            [
                *("last_value({})", "first_value({})", "nth_value({}, 2)"),
                *("last_value({} ignore nulls)", "first_value({} ignore nulls)"),
                *("sum({})", "count({})", "max({})", "lag({})", "lead({})"),
            ]
        ),
        _whole,
        _parts,
        _orders,
    ).map(lambda v: f"{v[0].format(v[1])} over ({v[2]}order by {v[3]})"),
    st.tuples(_parts, _orders).map(
        lambda v: f"row_number() over ({v[0]}order by {v[1]})"
    ),
    _parts.map(lambda v: f"listagg(t, ',') over ({v}) is null"),
)
_queries = st.one_of(
    st.tuples(_numbers, _conditions, _windows, _conditions, _numbers).map(
        lambda v: (
            f"select k, {v[0]}, {v[1]}, {v[2]} from gold.sales where ({v[3]}) "
            f"is not false order by {v[4]} desc, k limit 5"
        )
    ),
    st.tuples(_aggregates, _aggregates, _conditions).map(
        lambda v: (
            f"select g, {v[0]}, {v[1]} from gold.sales where {v[2]} "
            "group by g order by g"
        )
    ),
    st.tuples(_aggregates, _aggregates, _conditions).map(
        lambda v: (
            f"with s as materialized (select * from gold.sales where {v[2]}) "
            f"select {v[0]}, {v[1]} from s"
        )
    ),
)


def require_same(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    values = [("p", "q")] if "$1" in sql else []
    try:
        expected = here(engine, sql, *values)
    except duckdb.Error:  # it is no query here
        reject()
    assert same(there(engine, sql, *values), expected)


@given(_queries)
@settings(max_examples=60, deadline=None)
def test_any_card_answers_the_same(engine: duckdb.DuckDBPyConnection, sql: str) -> None:
    require_same(engine, sql)


@pytest.mark.long
@pytest.mark.timeout(1200)
@given(_queries)
@settings(max_examples=5000, deadline=None)
def test_any_of_many_cards_answers_the_same(
    engine: duckdb.DuckDBPyConnection, sql: str
) -> None:
    require_same(engine, sql)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("sql", SAME)
def test_it_is_of_the_grammar_there(sql: str) -> None:
    values = [("p", "q")] if "$1" in sql else []
    assert problems(query_there(sql, values, THERE, 1000)) == []


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("12345678901.123456789012345678", "DECIMAL(38,18)"),
        ("99999999999999999999999999999999999999", "DECIMAL(38,0)"),
        ("-0.00000000000000000000000000000000000001", "DECIMAL(38,38)"),
    ],
)
def test_an_amount_of_any_length_is_read(value: str, kind: str) -> None:
    assert as_here(Decimal(value), kind) == Decimal(value)
    assert as_here(value, kind) == Decimal(value)


def test_an_amount_has_the_digits_of_its_type() -> None:
    assert str(as_here(Decimal("1.5"), "DECIMAL(10,2)")) == "1.50"
    assert as_here(Decimal("1.2349"), "DECIMAL(10,2)") == Decimal("1.23")
