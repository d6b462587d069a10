"""Advice is given where the histories show the cause, and nowhere else."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.observe.advice.advise import LIMITS, advise
from snowmelt.observe.advice.evidence import (
    Evidence,
    Execution,
    KeySearch,
    Place,
    Run,
)
from snowmelt.observe.advice.piece import Advice, percentile
from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse
from snowmelt.warehouse.duckdb.zonemaps import zones_of

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
SOURCE = Source("source.shop.bronze.orders", "source:bronze.orders", "bronze", "orders")
PLAIN = {
    "severity": "ERROR",
    "error_if": "!= 0",
    "warn_if": "!= 0",
    "fail_calc": "count(*)",
    "limit": None,
    "where": None,
    "on_changes": None,
    "namespace": None,
}


def model(name: str, *parents: str, made: str = "table", **more: Any) -> Node:
    ids = tuple(each if "." in each else f"model.shop.{each}" for each in parents)
    key = f"gold.{name}"
    return Node(
        f"model.shop.{name}",
        name,
        f"shop.{name}",
        "model",
        ids,
        made,
        f'"w"."gold"."{name}"',
        key,
        **more,
    )


def check(name: str, of: str, kind: str | None = "unique", **more: Any) -> Node:
    about = PLAIN | {
        "kind": kind,
        "of": f"model.shop.{of}",
        "arguments": {"column_name": "order_id"},
    }
    parents = (f"model.shop.{of}",)
    return Node(
        f"test.shop.{name}.1f",
        name,
        f"shop.{name}",
        "test",
        parents,
        test=about | more,
    )


class History:
    """A synthetic history: runs every hour, each node with its seconds in each run."""

    def __init__(self, *nodes: Node, runs: int = 40) -> None:
        self.graph = Graph(nodes, [SOURCE])
        self.runs = [
            Run(f"run-{number:03d}", "SUCCEEDED", BEGAN + timedelta(hours=number), 1.0)
            for number in range(runs)
        ]
        self.executions: list[Execution] = []
        self.more: dict[str, Any] = {}

    def took(
        self,
        node: str,
        seconds: float | Callable[[int], float],
        form: str = "replayed",
        status: str | None = None,
        *,
        runs: Sequence[int] | None = None,
    ) -> History:
        """Say how long a node took, in all runs or in some of them."""
        kind = self.graph.nodes
        found = next(each for each in kind.values() if each.name == node)
        usual = "pass" if found.is_test else "success"
        for number in range(len(self.runs)) if runs is None else runs:
            self.executions.append(
                Execution(
                    self.runs[number].run_id,
                    node,
                    found.resource_type,
                    status or usual,
                    seconds(number) if callable(seconds) else seconds,
                    0 if found.is_test else None,
                    form,
                )
            )
        return self

    def rows(self, rows: Callable[[int], int]) -> History:
        """Say how many rows lay upstream in each run, of every node."""
        self.more["rows_read"] = {
            (run.run_id, node.name): rows(number)
            for number, run in enumerate(self.runs)
            for node in self.graph.nodes.values()
        }
        return self

    def advice(self) -> list[Advice]:
        return advise(Evidence(self.runs, self.executions, self.graph, **self.more))

    def kinds(self) -> list[tuple[str, str]]:
        return [(each.kind, each.node) for each in self.advice()]


def quick() -> Node:
    return model("quick", SOURCE.id, made="affected_keys", unique_key=("id",))


def test_what_takes_most_of_a_run_is_told_with_its_figures() -> None:
    history = History(quick(), model("slow", "quick"))
    history.took("quick", 0.3).took("slow", lambda n: 5.0 if n == 39 else 1.5)
    (told,) = history.advice()
    assert (told.kind, told.node, told.runs) == ("slow", "slow", 40)
    assert told.figures["median_seconds"] == 1.5
    assert told.figures["p95_seconds"] == 1.5, "one run of forty is not a twentieth"
    assert told.figures["share"] == 0.8333
    assert told.since == history.runs[0].started_at
    assert told.until == history.runs[-1].started_at
    assert told.change == "{{ config(materialized='affected_keys', unique_key='…') }}"


def test_the_key_of_the_change_is_what_a_test_says_names_a_row() -> None:
    history = History(quick(), model("slow", "quick"), check("unique_slow", "slow"))
    history.more["places"] = {"model.shop.slow": Place("models/gold/slow.sql")}
    history.took("quick", 0.3).took("slow", 1.5)
    (told,) = history.advice()
    assert told.file == "models/gold/slow.sql"
    assert "unique_key='order_id'" in told.change


@pytest.mark.parametrize("runs", [1, LIMITS.runs_min - 1])
def test_few_runs_are_no_evidence(runs: int) -> None:
    history = History(quick(), model("slow", "quick"), runs=runs)
    assert history.took("quick", 0.1).took("slow", 60.0).advice() == []


def test_rebuilds_failed_runs_and_dbts_own_pace_are_not_a_runs_time() -> None:
    history = History(quick(), model("other", "quick"))
    history.runs[:15] = [
        replace(run, full_refresh=("everything",)) for run in history.runs[:15]
    ]
    history.runs[15:20] = [replace(run, state="FAILED") for run in history.runs[15:20]]
    history.took("quick", 30.0, runs=range(20)).took("other", 0.05, runs=range(20))
    history.took("quick", 9.0, "dbt", runs=range(20, 25))
    history.took("quick", 0.05, runs=range(25, 40))
    history.took("other", 0.15, runs=range(20, 40))
    assert history.advice() == []


def test_a_time_that_doubles_with_the_rows_is_told_by_both_thirds() -> None:
    history = History(quick(), check("unique_quick", "quick", where="x > 1"))
    history.rows(lambda n: 100_000 * (n + 10)).took("quick", 3.0)
    history.took("unique_quick", lambda n: 0.05 * (n + 10))
    of_test = [each for each in history.advice() if each.node == "unique_quick"]
    assert [each.kind for each in of_test] == ["grows", "whole_table_test"]
    told = of_test[0]
    assert "doubles when the rows do" in told.found
    assert told.figures["exponent"] == pytest.approx(1.0, abs=0.01)
    assert told.figures["seconds_per_million_rows"] == pytest.approx(0.5, abs=0.001)
    assert told.figures["first_third_rows"] == 1_600_000
    assert told.figures["last_third_rows"] == 4_300_000
    assert told.figures["r_squared"] == 1.0


@given(seed=st.integers(0, 10_000), noise=st.floats(0, 0.1))
@settings(max_examples=40)
def test_growth_is_found_in_noise_and_not_made_of_it(seed: int, noise: float) -> None:
    chance = random.Random(seed)
    history = History(quick(), model("grows", "quick"), model("steady", "quick"))
    history.rows(lambda n: 100_000 * (n + 10)).took("quick", 9.0)
    history.took("grows", lambda n: 0.03 * (n + 10) * chance.uniform(1, 1 + noise))
    history.took("steady", lambda n: chance.uniform(0.5, 1.0))
    kinds = [each for each in history.kinds() if each[0] == "grows"]
    assert kinds == [("grows", "grows")]


def test_a_time_that_jumps_for_other_reasons_is_no_growth() -> None:
    """Rows that stay, and a time that rises: the machine, not the data."""
    history = History(quick(), model("jumps", "quick")).took("quick", 9.0)
    history.rows(lambda n: 1_000_000 + n).took("jumps", lambda n: 0.1 * (n + 1))
    assert [kind for kind, _ in history.kinds() if kind == "grows"] == []


@pytest.mark.parametrize(
    ("test", "change"),
    [
        (check("t", "quick", where="id > 1"), "config: {}  # without where"),
        (check("t", "quick", limit=5), "config: {}  # without limit"),
        (
            check("t", "quick", "is_odd", namespace="shop"),
            "config: {meta: {on_changes: rows}}",
        ),
        (
            check("t", "whole"),
            "{{ config(materialized='affected_keys', unique_key='order_id') }}",
        ),
    ],
    ids=["where", "limit", "a form of its own", "no log"],
)
def test_a_test_that_could_look_at_changes_is_told_how(test: Node, change: str) -> None:
    history = History(quick(), model("whole", "quick"), test)
    history.took("quick", 9.0).took("t", 0.5)
    told = [each for each in history.advice() if each.kind == "whole_table_test"]
    assert [each.change for each in told] == [change]
    assert told[0].runs == 40


@pytest.mark.parametrize("form", ["delta", "dbt"])
def test_a_test_of_changes_or_of_dbts_own_is_left_alone(form: str) -> None:
    history = History(quick(), check("t", "quick", where="id > 1"))
    history.took("quick", 9.0).took("t", 0.5, form)
    assert history.advice()[0].kind == "slow", "only the model is told of"
    assert len(history.advice()) == 1


def test_a_dear_test_that_never_failed_is_told_once_it_has_no_cheaper_form() -> None:
    history = History(quick(), check("single", "gone", None), model("gone", "quick"))
    history.took("quick", 1.0).took("single", 0.25)
    found = [each.kind for each in history.advice() if each.node == "single"]
    assert found == ["whole_table_test"], "a table could keep a log of its changes"

    node = replace(check("single", "quick", None), parents=("model.shop.quick", "x"))
    node = replace(node, test={**(node.test or {}), "of": None})
    history = History(quick(), node).took("quick", 1.0).took("single", 0.25)
    (told,) = [each for each in history.advice() if each.node == "single"]
    assert told.kind == "idle_test"
    assert told.figures["total_seconds"] == 10.0
    assert told.change == "config: {enabled: \"{{ target.name != 'local' }}\"}"

    history.took("single", 0.25, status="warn", runs=[3])
    kinds = [each.kind for each in history.advice() if each.node == "single"]
    assert "idle_test" not in kinds, "it found something once"


def asked_dbt(history: History, every: int, reason: str) -> History:
    history.runs = [
        replace(run, way="dbt", fallback_reason=reason.format(n=n), seconds=6.0)
        if n % every == 0
        else run
        for n, run in enumerate(history.runs)
    ]
    return history


def test_what_lets_runs_ask_dbt_is_told_with_its_reason() -> None:
    history = asked_dbt(History(quick()), 4, "quick: it asks for run_started_at ({n})")
    (told,) = history.advice()
    assert (told.kind, told.node) == ("asks_dbt", "quick")
    assert told.figures["fallbacks"] == 10, "numbers do not make it another reason"
    assert told.figures["dbt_seconds"] == 6.0
    assert "1.00 s without it" in told.found


@pytest.mark.parametrize(
    ("every", "reason"),
    [
        (20, "quick: it asks for run_started_at"),
        (2, "first run"),
        (2, "quick is not recorded yet"),
        (2, "no recording of these tables yet"),
        (2, "corrections refresh quick"),
    ],
)
def test_a_fallback_now_and_then_or_one_that_passes_is_not(
    every: int, reason: str
) -> None:
    assert asked_dbt(History(quick()), every, reason).advice() == []


def test_an_incremental_model_that_corrections_refresh_is_told() -> None:
    history = History(
        model("visits", SOURCE.id, made="incremental", unique_key=("visit_id",))
    )
    history.runs = [
        replace(run, full_refresh=("visits",), reason="corrections in orders")
        if n % 5 == 0
        else run
        for n, run in enumerate(history.runs)
    ]
    history.took("visits", lambda n: 2.0 if n % 5 == 0 else 0.01)
    (told,) = [each for each in history.advice() if each.kind == "refreshed"]
    assert told.figures == {"refreshes": 8, "share": 0.2, "median_seconds": 2.0}
    assert "unique_key='visit_id'" in told.change
    history.runs = [replace(run, full_refresh=()) for run in history.runs[:30]]
    assert [each for each in history.advice() if each.kind == "refreshed"] == []


SEARCH = KeySearch("fct", 5_000_000, 41, 0.97, 6, 900, 0.8, 40)


@pytest.mark.parametrize(
    ("changed", "cluster_by", "told"),
    [
        ({}, (), True),
        ({}, ("order_day",), False),
        ({"overlap": 0.03}, (), False),
        ({"keys": 50_000}, (), False),
        ({"rows": 20_000}, (), False),
        ({"written": 2_000_000}, (), False),
        ({"seconds": 0.01}, (), False),
        ({"runs": 3}, (), False),
    ],
)
def test_a_search_of_a_whole_table_gets_a_hint_where_order_helps(
    changed: dict[str, Any], cluster_by: tuple[str, ...], told: bool
) -> None:
    fct = model("fct", SOURCE.id, made="affected_keys", affected_by=("order_day",))
    history = History(fct).took("fct", 0.9)
    history.more["searches"] = [replace(SEARCH, **changed)]
    history.more["places"] = {"model.shop.fct": Place("models/fct.sql", "", cluster_by)}
    found = [each for each in history.advice() if each.kind == "searches_table"]
    assert [each.change for each in found] == ["cluster_by='order_day'"] * told


def test_zonemaps_tell_a_table_in_order_from_one_that_is_not(tmp_path: Path) -> None:
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as made:
        for name, order in (("sorted", "i"), ("mixed", "hash(i)")):
            made.execute(
                f"create table {name} as select i as id, date '2020-01-01' + "
                "(i // 1000)::integer as day, lpad(i::varchar, 8, '0') as name, "
                f"timestamp '2020-01-01' + to_seconds(i) as at, 1 as same "
                f"from range(500000) as numbers(i) order by {order}"
            )
    warehouse = open_warehouse(path, folders=[], limits=Limits(1, 10**9))
    try:
        with warehouse.snapshot() as session:
            for column in ("id", "day", "name", "at"):
                ordered = zones_of(session, "main.sorted", column)
                mixed = zones_of(session, "main.mixed", column)
                assert ordered.row_groups == mixed.row_groups >= 4
                assert ordered.overlap < 0.35, column
                assert mixed.overlap > 0.9, column
            assert zones_of(session, "main.mixed", "same").overlap == 1.0
            assert zones_of(session, "main.mixed", "nothing").row_groups == 0
    finally:
        warehouse.close()


def test_a_view_that_a_run_reads_many_times_is_better_a_table() -> None:
    readers = [model(f"reader_{n}", "v", made="affected_keys") for n in range(5)]
    history = History(model("v", SOURCE.id, made="view"), *readers)
    for reader in readers:
        history.took(reader.name, 0.6)
    (told,) = [each for each in history.advice() if each.kind == "view_read_often"]
    assert (told.node, told.figures["readers"]) == ("v", 5)
    assert told.figures["readers_seconds"] == 3.0
    assert told.change == "{{ config(materialized='table') }}"
    history.executions = [
        each for each in history.executions if each.node in ("reader_0", "reader_1")
    ]
    assert [each for each in history.advice() if each.kind == "view_read_often"] == []


@pytest.mark.parametrize(
    ("read_by", "told"),
    [({}, True), ({"lone": ["dashboard sales"]}, False), (None, False)],
)
def test_a_model_that_nobody_reads_is_told_where_readers_are_known(
    read_by: dict[str, list[str]] | None, told: bool
) -> None:
    history = History(quick(), model("lone", "quick", made="affected_keys"))
    history.took("quick", 1.0).took("lone", 0.3)
    history.more["read_by"] = read_by
    found = [each for each in history.advice() if each.kind == "read_by_nobody"]
    assert [each.node for each in found] == ["lone"] * told


@given(
    seconds=st.lists(st.floats(0, 0.15), min_size=3, max_size=3),
    seed=st.integers(0, 1000),
)
@settings(max_examples=40)
def test_of_what_costs_next_to_nothing_nothing_is_said(
    seconds: list[float], seed: int
) -> None:
    chance = random.Random(seed)
    history = History(quick(), model("whole", "quick"), check("t", "whole"), runs=60)
    history.rows(lambda n: 1000 * (n + 1))
    for name, middle in zip(("quick", "whole", "t"), seconds, strict=True):
        around = [middle * chance.uniform(0.9, 1.1) for _ in history.runs]
        history.took(name, around.__getitem__)
    history.more["read_by"] = {}
    assert history.advice() == []


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_so_much_of_all_do_not_exceed(
    values: list[float], part: float
) -> None:
    found = percentile(values, part)
    assert found in values
    assert sum(each <= found for each in values) >= part * len(values) - 1e-9
    assert sum(each < found for each in values) <= part * len(values)


def test_every_threshold_stands_in_the_how_to_with_its_value() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "make-runs-faster.md"
    told = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", page.read_text(), re.M))
    assert told == {
        each.name: str(getattr(LIMITS, each.name)) for each in fields(LIMITS)
    }
