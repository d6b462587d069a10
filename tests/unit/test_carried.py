"""Marks follow values: a column without one holds nothing of a column that has one.

For queries of every shape, over small tables in which one column holds secrets.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, combinations
from typing import Any

import duckdb
import pytest
from sqlglot import parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify_tables import qualify_tables
from test_lifting import REFUSED, SHAPES, VIEW

from snowmelt.trace.carried import Carried
from snowmelt.transform.graph import Graph, Node, Source

SECRET = "secret"
TABLES = {
    "main.t": {"k": "INTEGER", "v": "INTEGER", "w": "VARCHAR"},
    "main.u": {"k": "INTEGER", "v": "INTEGER", "w": "VARCHAR"},
    "main.seen": {"k": "INTEGER", "v": "INTEGER", "w": "VARCHAR"},
}
MORE = {
    "all of it": "select t from t",
    "as text": "select t::varchar as row from t",
    "struct": "select {'a': k, 'b': w} as s, k from t",
    "list": "select list(w) as ws, count(w) as n from t",
    "unnested": "select k, unnest([w]) as x from t",
    "lambda": "select list_transform([w], x -> x || '!') as ws from t",
    "case": "select case when k > 1 then w else 'b' end as c, k from t",
    "coalesce": "select coalesce(w, 'x') as c, v from t",
    "place": "select #3 as p, k from t",
    "in a subquery": "select (select max(w) from t) as m, k from u",
    "correlated": "select k, (select max(t.w) from t where t.k = u.k) as m from u",
    "counted": "select k, count(distinct w) as n from t group by k",
    "concatenated": "select k || w as c, string_agg(w, ',') over () as a from t",
    "two of one name": "select a.w, b.w from t a join u b using (k)",
    "values": "select * from (values (1, 'x')) as n(k, w)",
    "unpivot": "unpivot (select k, w from t) on w",
    "columns of": "select columns(* exclude (k)) from t",
    "group by text": "select upper(w) as w2, k from t group by all",
    "hash": "select md5(w) as h, left(w, 20) as l from t",
}
WITHOUT_SCHEMA = ("hash of all", "all of it", "as text")
EMPTY = ("in pair", "not in", "not exists", "anti join", "natural", "except")
HARMLESS = {
    "counted": {"n"},
    "group": {"n", "s", "k"},
    "filter": {"k", "v"},
    "in": {"k", "v"},
    "total": {"n", "s"},
    "ctes": {"k", "v", "n"},
}
"""What need not be masked, and is not."""


def qualified(query: str) -> str:
    parsed = parse_one(query, dialect="duckdb")
    return qualify_tables(parsed, db="main", catalog="memory", dialect="duckdb").sql(
        dialect="duckdb"
    )


@pytest.fixture(scope="module")
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    for name in ("t", "u"):
        connection.execute(f"create table {name} (k int, v int, w varchar)")
        rows = [(n % 3, n, f"{SECRET} {name}{n}") for n in range(6)]
        connection.executemany(f"insert into {name} values (?, ?, ?)", rows)
    connection.execute(f"create view seen as {VIEW}")
    return connection


def holds_secret(value: Any) -> bool:
    return SECRET in str(value).lower()


@pytest.mark.parametrize("shape", [*SHAPES, *MORE, *REFUSED])
def test_a_column_without_a_mark_holds_no_secret(
    connection: duckdb.DuckDBPyConnection, shape: str
) -> None:
    query = ({**SHAPES, **REFUSED} | MORE)[shape]
    try:
        query = qualified(query)
    except SqlglotError as error:  # what it cannot read stays as it is
        assert shape in REFUSED or shape in MORE, error
    try:
        result = connection.execute(query)
    except duckdb.BinderException:  # it means something else with its names whole
        assert shape in WITHOUT_SCHEMA
        return
    names = [each[0] for each in result.description or ()]
    rows = result.fetchall()
    assert rows or shape in EMPTY
    carried = Carried(TABLES, "memory", {key: {"w"} for key in TABLES})
    marked = carried.of_query(query, TABLES, names)
    for place, name in enumerate(names):
        if name.lower() not in marked:
            assert not any(holds_secret(row[place]) for row in rows), (name, query)
    assert not marked & HARMLESS.get(shape, set()), "and nothing else is masked"


def test_a_query_that_reads_nothing_marked_is_not_looked_at() -> None:
    carried = Carried(TABLES, "memory", {"main.other": {"w"}})
    assert carried.of_query("no query at all (", ["main.t"], ["a"]) == set()
    carried = Carried(TABLES, "memory", {"main.t": {"w"}})
    assert carried.of_query("no query at all (", ["main.t"], ["a"]) == {"a"}


def powerset(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return chain.from_iterable(
        combinations(names, count) for count in range(len(names) + 1)
    )


def node(name: str, *parents: str, **more: Any) -> Node:
    layer = more.pop("layer", "gold")
    return Node(
        f"model.{name}",
        name,
        name,
        more.pop("resource_type", "model"),
        parents,
        materialized=more.pop("materialized", "table"),
        key=f"{layer}.{name}",
        **more,
    )


def test_marks_go_through_models_and_stop_where_it_is_said() -> None:
    source = Source("source.customers", "", "bronze", "customers")
    nodes = [
        node("people", source.id, layer="silver"),
        node("folded", "model.people", materialized="ephemeral"),
        node("reader", "model.people"),
        node("through", "model.folded"),
        node("counted", "model.people"),
        node("said", "model.people"),
        node("script", "model.people"),
        node("script_said", "model.people"),
        node("history", "model.people", resource_type="snapshot"),
        node("apart"),
        node("over", "model.said", "model.script"),
    ]
    kinds = {"id": "INTEGER", "email": "VARCHAR", "city": "VARCHAR"}
    tables = {"bronze.customers": kinds, "silver.people": kinds}
    tables |= {f"gold.{each.name}": kinds for each in nodes[1:]}
    people, through = '"w"."silver"."people"', '"w"."silver"."people"'
    sql = {
        "model.people": 'select id, lower(email) as email, city from "w"."bronze".'
        '"customers"',
        "model.reader": f"select id, city, city as email from {people}",
        "model.through": "with f as (select * from "
        f"{through}) select id, email as city, 'x' as email from f",
        "model.counted": f"select count(*) as id, count(email) as email, "
        f"'x' as city from {people}",
        "model.said": f"select id, split_part(email, '@', 2) as email, city "
        f"from {people}",
        "model.apart": "select 1 as id, 'x' as email, 'y' as city",
        "model.over": 'select a.id, a.email, b.city from "w"."gold"."said" a '
        'join "w"."gold"."script" b using (id)',
    }
    declared = {
        "model.said": {"email": False},
        "model.script_said": {"city": False, "id": False},
        "model.apart": {"city": True},
    }
    carried = Carried(tables, "w", {"bronze.customers": {"email"}})
    carried.follow(Graph(nodes, [source]), sql, declared)
    every = {"id", "email", "city"}
    assert {key: set(names) for key, names in carried.marks.items() if names} == {
        "bronze.customers": {"email"},
        "silver.people": {"email"},
        "gold.through": {"city"},
        "gold.script": every,
        "gold.script_said": {"email"},
        "gold.history": every,
        "gold.apart": {"city"},
        "gold.over": {"city"},
    }


CHAIN = {
    "model.people": 'select id, lower(email) as email, city from "w"."bronze".'
    '"customers"',
    "model.starred": 'select * from "w"."silver"."people"',
    "model.reader": "select city as email, email as city, id "
    'from "w"."silver"."people"',
    "model.over": 'select a.id, a.email, b.city from "w"."silver"."starred" a '
    'join "w"."silver"."script" b using (id)',
}


@pytest.mark.parametrize("unseen", list(powerset(("people", "starred", "script"))))
@pytest.mark.parametrize("bronze_is_seen", [True, False])
def test_what_may_not_be_seen_hides_no_mark(
    unseen: tuple[str, ...], bronze_is_seen: bool
) -> None:
    """Who may read gold need not see silver: a mask may cover more then, never less."""
    source = Source("source.customers", "", "bronze", "customers")
    nodes = [
        node("people", source.id, layer="silver"),
        node("starred", "model.people", layer="silver"),
        node("script", "model.people", layer="silver"),
        node("reader", "model.people"),
        node("over", "model.starred", "model.script"),
    ]
    kinds = {"id": "INTEGER", "email": "VARCHAR", "city": "VARCHAR"}
    whole = {each.key: kinds for each in nodes} | {"bronze.customers": kinds}
    hidden = {f"silver.{name}" for name in unseen}
    hidden |= set() if bronze_is_seen else {"bronze.customers"}
    seen = {key: of for key, of in whole.items() if key not in hidden}
    marks = {}
    for tables in (whole, seen):
        carried = Carried(tables, "w", {"bronze.customers": {"email"}}, is_partial=True)
        carried.follow(Graph(nodes, [source]), CHAIN, {})
        marks[len(tables)] = carried
    full, partial = marks[len(whole)], marks[len(seen)]
    for key in ("gold.reader", "gold.over"):
        for name in kinds:
            if full.is_marked(key, name):
                assert partial.is_marked(key, name), (key, name)
    if "people" in unseen and bronze_is_seen:  # its SQL tells its columns
        assert not partial.is_marked("gold.reader", "id")


def test_a_column_that_no_query_makes_is_not_trusted() -> None:
    """The table is older than its SQL, and has what that does not tell of."""
    source = Source("source.t", "", "main", "t")
    tables = {**TABLES, "gold.old": {"k": "INTEGER", "left_over": "VARCHAR"}}
    carried = Carried(tables, "memory", {"main.t": {"w"}})
    sql = {"model.old": 'select k from "memory"."main"."t"'}
    carried.follow(Graph([node("old", source.id)], [source]), sql, {})
    assert carried.marks["gold.old"] == {"left_over"}
