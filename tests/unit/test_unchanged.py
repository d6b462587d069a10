"""A card's row leads to the row of the table that it is, or nowhere."""

from __future__ import annotations

import duckdb
import pytest

from snowmelt.trace.unchanged import unchanged_columns

SALES = '"db"."gold"."sales"'
REGIONS = '"db"."gold"."regions"'
TABLES = {
    "gold.sales": {"region": "VARCHAR", "month": "DATE", "amount": "DECIMAL(12,2)"},
    "gold.regions": {"region": "VARCHAR", "name": "VARCHAR"},
}
KEY = ("region", "month")


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    found = duckdb.connect()
    found.execute("attach ':memory:' as db")
    found.execute("create schema db.gold")
    found.execute(
        f"create table {SALES} as select 'r' || r as region, make_date(2026, m, 1) "
        "as month, (r * 100 + m)::decimal(12,2) as amount "
        "from range(1, 4) as a(r), range(1, 4) as b(m)"
    )
    found.execute(
        f"create table {REGIONS} as select 'r' || r as region, 'Region ' || r as name "
        "from range(1, 3) as a(r)"
    )
    return found


FOLLOWED = [
    f"select region, month, amount from {SALES}",
    f"select * from {SALES} order by amount desc limit 4",
    f"from {SALES}",
    f'select month as "Month", upper(region) as up, region as r from {SALES}',
    f"select region, month, sum(amount) as amount_2 from {SALES} group by all",
    f"with a as (select region as r, month as m, amount from {SALES} "
    "where amount > 101) select m, r, amount from a order by 1",
    f"select s.region, s.month, d.name from {SALES} s "
    f"left join {REGIONS} d on d.region = s.region",
    f"select region, month from (select *, row_number() over () as n from {SALES}) "
    "where n < 5",
    f"select region, month, max(amount) over (partition by region) from {SALES}",
    f"select distinct region, month from {SALES} where region in (select region "
    f"from {REGIONS})",
]


@pytest.mark.parametrize("query", FOLLOWED)
def test_a_row_that_has_the_key_is_that_row(
    engine: duckdb.DuckDBPyConnection, query: str
) -> None:
    result = engine.execute(query)
    names = [each[0].lower() for each in result.description]
    rows = result.fetchall()
    found = unchanged_columns(query, TABLES, "db")
    places = {
        column: names.index(name)
        for name, (key, column) in found.columns.items()
        if key == "gold.sales"
    }
    assert places.keys() >= set(KEY), found
    assert "gold.sales" not in found.several
    where = " and ".join(f"{column} = ?" for column in places)
    for row in rows:
        values = [row[place] for place in places.values()]
        there = engine.execute(f"select count(*) from {SALES} where {where}", values)
        assert there.fetchall() == [(1,)], (row, places)


@pytest.mark.parametrize(
    "column",
    [
        "upper(region)",
        "region || ''",
        "max(region)",
        "coalesce(region, 'none')",
        "region::varchar(3)",
        "case when amount > 1 then region end",
        f"(select region from {REGIONS} limit 1)",
        "'r1'",
        "first_value(region) over (order by month)",
    ],
)
def test_a_value_that_was_made_is_no_key(column: str) -> None:
    query = f"select {column} as region from {SALES}"
    assert "region" not in unchanged_columns(query, TABLES, "db").columns


@pytest.mark.parametrize(
    "query",
    [
        f"select region, month from {SALES} union all select name, null from {REGIONS}",
        "this is no query ((",
        f"pivot {SALES} on region using sum(amount)",
        f"select columns('.*') from {SALES}",
        "with recursive a as (select 1 as region union all select region + 1 from a "
        "where region < 3) select region from a",
    ],
)
def test_what_cannot_be_followed_leads_nowhere(query: str) -> None:
    assert not unchanged_columns(query, TABLES, "db").columns


@pytest.mark.parametrize(
    "query",
    [
        f"select a.region, b.month from {SALES} a, {SALES} b",
        f"with s as (from {SALES}) select x.region, y.month from s x cross join s y",
    ],
)
def test_a_key_of_two_rows_is_told(query: str) -> None:
    """Its columns are of two rows of the table, which is none together."""
    assert "gold.sales" in unchanged_columns(query, TABLES, "db").several
