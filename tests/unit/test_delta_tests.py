"""A test of changed rows finds a failure exactly when the whole test would.

Random tables that pass their tests are changed at random, as materializations change
them; then each test is asked whole and by changes. What passed before and did not
change cannot be what fails.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pytest

from forms import with_long
from snowmelt.transform.delta_tests import on_changes
from snowmelt.transform.graph import Node

CHILD, PARENT = '"w"."gold"."child"', '"w"."gold"."parent"'
SEEDS = range(120)


def model(name: str, *, materialized: str = "latest_version", by: str = "id") -> Node:
    return Node(
        name,
        name,
        name,
        "model",
        (),
        materialized=materialized,
        relation=f'"w"."gold"."{name}"',
        key=f"gold.{name}",
        unique_key=("id",),
        affected_by=(by,),
    )


def generic(kind: str, *parents: str, on: str | None = None, **given: Any) -> Node:
    about = {
        "kind": kind,
        "namespace": "snowmelt" if on else None,
        "arguments": given,
        "of": "child",
        "on_changes": on,
        "severity": "ERROR",
        "error_if": "!= 0",
        "warn_if": "!= 0",
        "fail_calc": "count(*)",
        "limit": None,
        "where": None,
    }
    return Node(kind, kind, kind, "test", parents, test=about)


def signed(relation: str) -> str:
    return f"(select *, 1 as _sign from {relation})"


NODES = {"child": model("child"), "parent": model("parent")}
TESTS = {
    "not_null": (
        generic("not_null", "child", column_name="amount"),
        f"select amount from {CHILD} where amount is null",
    ),
    "accepted_values": (
        generic("accepted_values", "child", column_name="city"),
        f"select city, count(*) from {CHILD} "
        "where city not in ('a', 'b', 'c') group by city",
    ),
    "unique": (
        generic("unique", "child", column_name="code"),
        f"select code from {CHILD} where code is not null "
        "group by code having count(*) > 1",
    ),
    "relationships": (
        generic(
            "relationships", "child", "parent", column_name="parent_id", field="id"
        ),
        f"with child as (select parent_id as f from {CHILD} "
        f"where parent_id is not null), parent as (select id as t from {PARENT}) "
        "select f from child left join parent on f = t where t is null",
    ),
    "at_least": (
        generic("at_least", "child", on="rows", column_name="amount"),
        f"select amount from {CHILD} where amount < 0",
    ),
    "unique_combination": (
        generic("unique_combination", "child", on="keys", columns=["city", "code"]),
        f"select city, code from {CHILD} group by city, code having count(*) > 1",
    ),
    "same_sums": (
        generic("same_sums", "child", "parent", on="sums"),
        "select * from (select (select coalesce(sum(_sign * "
        f"(case when id < 20 then 1 else 0 end)), 0) from {signed(CHILD)}) as here, "
        "(select coalesce(sum(_sign * (case when id = 0 then 20 else 0 end)), 0) "
        f"from {signed(PARENT)}) as there) "
        "where here <> there",
    ),
}


@dataclass
class World:
    """Two tables, and what a run changed in them."""

    rng: random.Random
    warehouse: duckdb.DuckDBPyConnection
    changed: set[str] = field(default_factory=set)

    def make(self) -> None:
        """Fill the tables so that every test passes."""
        self.warehouse.execute("attach ':memory:' as w; create schema w.gold")
        self.warehouse.execute(
            f"create table {PARENT} as "
            "select i::int as id, 0 as note from range(6) as r(i)"
        )
        self.warehouse.execute(
            f"create table {CHILD} as select i::int as id, "
            "case when i <> 7 then i::int end as code, "
            "['a', 'b', 'c'][1 + i % 3] as city, i::int as amount, "
            "(i % 5)::int as parent_id from range(20) r(i)"
        )

    def change(self, name: str, rows: list[str], gone: list[int]) -> None:
        """Delete rows by id, insert others, and note both as a materialization does."""
        table = f'"w"."gold"."{name}"'
        went = ", ".join(map(str, gone)) or "-1"
        came = " union all ".join(f"select {row}" for row in rows)
        noted = f'"gold__{name}__changed"'
        self.warehouse.execute(
            f"create or replace temp table {noted} as "
            f"select rowid as _rowid, *, 'DELETE' as \"METADATA$ACTION\" from {table} "
            f"where id in ({went})"
            + (
                " union all by name select *, 'INSERT' as \"METADATA$ACTION\" "
                f"from ({came})"
                if rows
                else ""
            )
        )
        self.warehouse.execute(f"delete from {table} where id in ({went})")
        self.warehouse.execute(
            f'insert into {table} by name select * exclude (_rowid, "METADATA$ACTION") '
            f"from {noted} where \"METADATA$ACTION\" = 'INSERT'"
        )
        if rows or gone:
            self.changed.add(name)

    def change_at_random(self) -> None:
        rng = self.rng
        ids = rng.sample(range(20), rng.randint(0, 4))
        again = [each for each in ids if rng.random() < 0.7] + [
            number for number in range(30, 33) if rng.random() < 0.3
        ]
        bad = rng.random() < 0.5

        def value(good: object, wrong: str, share: float = 0.4) -> object:
            return wrong if bad and rng.random() < share else good

        rows = [
            f"{each}::int as id, {value(each, str(rng.randint(0, 4)))}::int as code, "
            f"{value(repr(rng.choice('abc')), repr('x'))} as city, "
            f"{value(each, rng.choice(['null', '-1']))}::int as amount, "
            f"{value(rng.randint(0, 4), '77')}::int as parent_id"
            for each in again
        ]
        self.change("child", rows, ids)
        lost = rng.sample(range(6), rng.randint(0, 2))
        kept = [each for each in lost if not bad or rng.random() < 0.7]
        self.change("parent", [f"{each}::int as id, 1 as note" for each in kept], lost)


@pytest.mark.parametrize("name", with_long(TESTS, 1))
def test_changes_fail_when_the_whole_fails(name: str) -> None:
    test, query = TESTS[name]
    failed = passed = 0
    for seed in SEEDS:
        world = World(random.Random(seed), duckdb.connect())
        world.make()
        assert not world.warehouse.execute(query).fetchall(), "a bad beginning"
        world.change_at_random()
        queries = on_changes(test, query, NODES, world.changed)
        assert queries is not None
        found = [
            row for each in queries for row in world.warehouse.execute(each).fetchall()
        ]
        whole = world.warehouse.execute(query).fetchall()
        assert bool(found) == bool(whole), (name, seed, found, whole)
        failed += bool(whole)
        passed += not whole
        world.warehouse.close()
    assert failed > 5, f"{name} hardly ever failed"
    assert passed > 5, f"{name} hardly ever passed"


def test_a_test_of_what_did_not_change_is_not_asked() -> None:
    test, query = TESTS["not_null"]
    assert on_changes(test, query, NODES, {"parent"}) == []


@pytest.mark.parametrize(
    "given",
    [
        {"where": "amount > 3"},
        {"error_if": ">10"},
        {"warn_if": ">1"},
        {"limit": 5},
        {"fail_calc": "sum(n)"},
        {"of": None},
    ],
)
def test_what_counts_otherwise_is_run_whole(given: dict[str, Any]) -> None:
    test, query = TESTS["not_null"]
    about = {**(test.test or {}), **given}
    other = Node("t", "t", "t", "test", ("child",), test=about)
    assert on_changes(other, query, NODES, {"child"}) is None


def test_sums_that_only_warn_are_added_up_whole() -> None:
    test, query = TESTS["same_sums"]
    about = {**(test.test or {}), "severity": "WARN"}
    other = Node("t", "t", "t", "test", test.parents, test=about)
    assert on_changes(other, query, NODES, {"child"}) is None


def test_a_model_without_a_log_is_tested_whole() -> None:
    test, query = TESTS["unique"]
    nodes = {"child": model("child", materialized="table")}
    assert on_changes(test, query, nodes, {"child"}) is None


def test_groups_made_again_whole_hold_all_rows_of_their_keys() -> None:
    test, query = TESTS["unique"]
    nodes = {"child": model("child", materialized="affected_keys", by="code")}
    (asked,) = on_changes(test, query, nodes, {"child"}) or []
    assert '"gold__child__after"' in asked
    assert CHILD not in asked
