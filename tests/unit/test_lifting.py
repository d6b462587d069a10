"""Rewritten queries against the engine: what a row says it is made of, makes it.

For queries of every shape over small tables, drawn at random: the rows stay as they
are; a row comes out again when nothing is left but what it names; without a row that it
names it does not come out as before, where each row stands for its own; and both
annotations say the same.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from functools import cache
from typing import Any

import duckdb
import pytest
from sqlglot import exp

from snowmelt.trace.annotation import HITS, ROWS, Annotation
from snowmelt.trace.lifting import Lifted, Unliftable, lift

TABLES = ("t", "u")
COLUMNS = "(k int, v int, w varchar)"
VIEW = "select k, v + 1 as v, w from t where v is not null"
SHAPES = {
    "filter": "select k, v from t where v > 0",
    "star": "select * from t",
    "star of one": "select a.*, b.w as bw from t as a join u as b on a.k = b.k",
    "exclude": "select * exclude (w) from t",
    "replace": "select * replace (v + 1 as v) from t",
    "join": "select t.k, t.v, u.v as uv from t join u on t.k = u.k",
    "using": "select * from t join u using (k)",
    "left join": "select t.k, u.w from t left join u on t.k = u.k and u.v > 0",
    "full join": "select coalesce(t.k, u.k) as k, t.v, u.v as uv "
    "from t full join u on t.k = u.k",
    "self join": "select a.k, a.v, b.v as bv from t a join t b on a.k = b.k",
    "comma": "select a.k, b.w from t a, u b where a.k = b.k",
    "cross join": "select t.v, u.v as uv from t cross join u",
    "lateral": "select k, x from t, unnest([v, v + 1]) as n(x)",
    "group": "select k, count(*) as n, sum(v) as s from t group by k",
    "group all": "select k, w, max(v) as m from t group by all",
    "group place": "select k % 2 as p, count(distinct v) as n from t group by 1",
    "having": "select k, sum(v) as s from t group by k having count(*) > 1",
    "total": "select count(*) as n, sum(v) as s from t",
    "filtered": "select k, count(*) filter (v > 0) as n, arg_max(w, v) as w "
    "from t group by k",
    "own aggregate": "select k, kurtosis(v) as x from t group by k",
    "sums of joined": "select t.k, sum(u.v) as s from t left join u on t.k = u.k "
    "group by t.k",
    "sets": "select k, w, count(*) as n from t group by rollup (k, w)",
    "distinct": "select distinct k, w from t",
    "distinct on": "select distinct on (k) k, v, w from t order by k, v, w",
    "winner": "select k, v from t qualify row_number() over "
    "(partition by k order by v desc nulls last, w) = 1",
    "winner of named": "select k, v from t "
    "window w1 as (partition by k order by v desc nulls last, w) "
    "qualify row_number() over w1 = 1 and k > 0",
    "rank": "select k, rank() over (order by v, w) as r from t",
    "share": "select k, v, sum(v) over (partition by k) as s from t",
    "named share": "select k, v, sum(v) over w1 as s from t "
    "window w1 as (partition by k)",
    "running": "select k, sum(v) over (order by v, w, k) as s from t",
    "lead": "select k, lead(v) over (partition by k order by v, w) as l from t",
    "share of sums": "select k, w, sum(v) as s, "
    "sum(sum(v)) over (partition by k) as ks from t group by k, w",
    "union all": "select k, v from t union all select k, v from u",
    "union": "select k from t union select k from u order by k",
    "union of literal": "select k, v from t union all select 1, 1",
    "by name": "select v, k from t union all by name select k, w from u",
    "unions": "select k from t union all (select k from u union all select v from t)",
    "in": "select k, v from t where k in (select k from u where v > 0)",
    "in pair": "select * from t where (k, w) in (select k, w from u)",
    "not in": "select k, v from t where k not in (select k from u where k is not null)",
    "exists": "select k, v from t where exists (select 1 from u where u.k = t.k)",
    "not exists": "select k, v from t where not exists "
    "(select 1 from u where u.k = t.k and u.v > 0)",
    "or in": "select k, v from t where v > 1 or k in (select k from u)",
    "scalar": "select k, v - (select max(v) from u) as d from t",
    "in of group": "select k, v from t where k in "
    "(select k from u group by k having count(*) > 1)",
    "semi join": "select k, v from t semi join u using (k)",
    "anti join": "select k, v from t anti join u using (k)",
    "limit": "select k, v, w from t order by k nulls last, v nulls last, w limit 3",
    "sub": "select k, n from (select k, count(*) as n from t group by k) where n > 1",
    "sub without a name": "select * from (select * from t where v > 0)",
    "ctes": "with a as (select * from t where v > 0), "
    "b as (select k, count(*) as n from a group by k) "
    "select a.k, a.v, b.n from a left join b on a.k = b.k",
    "named columns": "with a(x, y) as (select k, v from t) select x, sum(y) as s "
    "from a group by x",
    "cte in union": "with a as (select k from t) "
    "select k from a union all select k from u where k in (select k from a)",
    "nested ctes": "with a as (with b as (select k from t) select * from b) "
    "select a.k, u.v from a join u using (k)",
    "view": "select k, sum(v) as s from seen group by k",
    "view joined": "select s.k, u.w from seen as s left join u on s.k = u.k",
    "from first": "from t where v > 0",
    "case of nulls": "select k, case when v is null then 'n' else 'v' end as c from t",
    "asof": "select a.k, a.v, b.v as bv from t a asof join u b "
    "on a.k = b.k and a.v >= b.v",
}
OWN_ROWS = ("filter", "star", "exclude", "replace", "case of nulls", "union all")
"""Shapes of which each row stands for one row alone."""
REFUSED = {
    "natural": "select * from t natural join u",
    "recursive": "with recursive a as (select 1 as x union all select x + 1 from a "
    "where x < 3) select * from a",
    "except": "select k from t except select k from u",
    "columns": "select columns('k|v') from t",
    "sample": "select * from t using sample 2 rows",
    "hash of all": "select hash(t.*) as h from t",
    "pivot": "select * from (pivot t on w using sum(v) group by k)",
}
Rows = list[tuple[Any, ...]]


def drawn(seed: int) -> dict[str, Rows]:
    """Return two small tables; few values, so that they meet, some of them null."""
    lots = random.Random(seed)
    return {
        name: [
            (lots.randrange(3), lots.choice((None, 0, 1, 2, 3)), lots.choice("ab"))
            for _ in range(lots.randrange(8))
        ]
        for name in TABLES
    }


def fill(connection: duckdb.DuckDBPyConnection, tables: dict[str, Rows]) -> None:
    for name, rows in tables.items():
        connection.execute(f"create or replace table {name} {COLUMNS}")
        if rows:
            values = ", ".join(str(row).replace("None", "null") for row in rows)
            connection.execute(f"insert into {name} values {values}")


def resolve(table: exp.Table) -> int | str | None:
    return VIEW if table.name == "seen" else TABLES.index(table.name)


@cache
def rewritten(sql: str, annotation: Annotation) -> Lifted:
    names = duckdb.execute(
        "select distinct function_name from duckdb_functions() "
        "where function_type = 'aggregate'"
    ).fetchall()
    return lift(sql, annotation, resolve, frozenset(name for (name,) in names))


def scanned(lifted: Lifted, annotations: tuple[str, str]) -> str:
    return re.sub(
        r"__scan_(\d+)__",
        lambda found: (
            f"(select *, {annotations[int(found[1])]} as _p_{found[1]} "
            f"from {TABLES[int(found[1])]})"
        ),
        lifted.sql,
    )


def traced(
    connection: duckdb.DuckDBPyConnection, lifted: Lifted, annotations: tuple[str, str]
) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return each row, and its annotations by name."""
    rows = connection.execute(scanned(lifted, annotations)).fetchall()
    width = len(lifted.tags)
    return [
        (
            row[: len(row) - width],
            dict(zip(lifted.tags, row[len(row) - width :], strict=True)),
        )
        for row in rows
    ]


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    fill(connection, {name: [] for name in TABLES})
    connection.execute(f"create view seen as {VIEW}")
    return connection


@pytest.mark.parametrize("shape", SHAPES)
def test_a_row_is_made_of_what_it_names(
    connection: duckdb.DuckDBPyConnection, shape: str
) -> None:
    for seed in range(2):
        check_what_rows_name(connection, shape, seed)


@pytest.mark.long
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_made_of_what_they_name_in_many_tables(
    connection: duckdb.DuckDBPyConnection, shape: str
) -> None:
    for seed in range(2, 150):
        check_what_rows_name(connection, shape, seed)
        check_both_annotations(connection, shape, seed)


def check_what_rows_name(
    connection: duckdb.DuckDBPyConnection, shape: str, seed: int
) -> None:
    tables, sql = drawn(seed), SHAPES[shape]
    fill(connection, tables)
    lifted = rewritten(sql, ROWS)
    made = Counter(connection.execute(sql).fetchall())
    rows = traced(connection, lifted, ("[rowid]", "[rowid]"))
    assert Counter(row for row, _ in rows) == made, lifted.sql
    whole = {
        each for note in lifted.notes if note.kind != "pick" for each in note.relations
    }
    for row, named in rows[:4]:
        kept = {
            name: [
                values
                for place, values in enumerate(tables[name])
                if number in whole
                or place in (named.get(f"_p_{number}") or ())
                or place in (named.get(f"_d_{number}") or ())
            ]
            for number, name in enumerate(TABLES)
        }
        fill(connection, kept)
        again = Counter(connection.execute(sql).fetchall())
        assert again[row] > 0, (row, named, kept, again)
        if shape not in OWN_ROWS:
            continue
        for number, name in enumerate(TABLES):
            for place in named.get(f"_p_{number}") or ():
                without = [each for i, each in enumerate(tables[name]) if i != place]
                fill(connection, tables | {name: without})
                left = Counter(connection.execute(sql).fetchall())
                assert left[row] == made[row] - 1, (row, named)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_annotations_say_the_same(
    connection: duckdb.DuckDBPyConnection, shape: str
) -> None:
    check_both_annotations(connection, shape, seed=1)


def check_both_annotations(
    connection: duckdb.DuckDBPyConnection, shape: str, seed: int
) -> None:
    fill(connection, drawn(seed))
    chosen = set(random.Random(seed).sample(range(8), 3))
    among = f"rowid in (select unnest({sorted(chosen)}::bigint[]))"
    rows = traced(connection, rewritten(SHAPES[shape], ROWS), ("[rowid]", "[rowid]"))
    hits = traced(connection, rewritten(SHAPES[shape], HITS), (among, among))
    assert Counter(
        repr((row, {tag: bool(hit[tag]) for tag in hit})) for row, hit in hits
    ) == Counter(
        repr((row, {tag: not chosen.isdisjoint(named[tag] or ()) for tag in named}))
        for row, named in rows
    )


@pytest.mark.parametrize("sql", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_rewritten_is_named(sql: str) -> None:
    with pytest.raises(Unliftable):
        rewritten(sql, ROWS)
