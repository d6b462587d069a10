"""What the next run builds, from what changed since the last."""

from __future__ import annotations

import pytest

from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.transform.trigger import Changes, Pass, plan_build


def model(name: str, *parents: str, materialized: str = "table") -> Node:
    return Node(
        name,
        name,
        f"shop.{name}",
        "model",
        parents,
        materialized=materialized,
        key=f"gold.{name}",
    )


def a_test(name: str, *parents: str) -> Node:
    return Node(name, name, f"shop.{name}", "test", parents, test={})


GRAPH = Graph(
    [
        model("by_month", "facts"),
        a_test("facts_unique", "facts"),
        model("facts", "clean_orders", "clean_items"),
        model("clean_orders", "orders", materialized="latest_version"),
        model("clean_items", "items", materialized="latest_version"),
        model("old_way", "clean_items", materialized="incremental"),
        model("from_old_way", "old_way"),
        a_test("old_way_fits", "old_way", "facts"),
        model("alone", "sellers"),
    ],
    [
        Source(name, f"source:bronze.{name}", "bronze", name)
        for name in ("orders", "items", "sellers")
    ],
)


def tables(*names: str) -> frozenset[str]:
    return frozenset(names)


@pytest.mark.parametrize(
    ("changes", "passes", "refreshed"),
    [
        (Changes(), (), ()),
        (Changes(loaded=tables("not_read")), (), ()),
        (
            Changes(loaded=tables("orders", "items")),
            (Pass(select=("source:bronze.items+", "source:bronze.orders+")),),
            (),
        ),
        # a correction of what is read by streams alone refreshes nothing
        (
            Changes(loaded=tables("orders"), corrected=tables("orders")),
            (Pass(select=("source:bronze.orders+",)),),
            (),
        ),
        # an ordinary incremental model cannot see what went
        (
            Changes(loaded=tables("orders"), corrected=tables("items")),
            (
                Pass(
                    select=("source:bronze.items+", "source:bronze.orders+"),
                    exclude=("fqn:shop.old_way+",),
                    own_tests_only=True,
                ),
                Pass(select=("fqn:shop.old_way+",), full_refresh=True),
            ),
            ("old_way",),
        ),
    ],
)
def test_the_passes_follow_from_the_changes(
    changes: Changes, passes: tuple[Pass, ...], refreshed: tuple[str, ...]
) -> None:
    plan = plan_build(changes, GRAPH)
    assert plan.passes == passes
    assert plan.refreshed == refreshed


def test_nodes_are_in_the_order_of_a_build_with_tests_before_what_comes_after() -> None:
    plan = plan_build(Changes(loaded=tables("orders")), GRAPH)
    names = [node.id for node in plan.nodes]
    assert names[:3] == ["clean_orders", "facts", "facts_unique"]
    assert sorted(names[3:]) == ["by_month", "old_way_fits"]
    assert plan.sources == {"orders"}


def test_a_graph_comes_back_from_its_document() -> None:
    again = Graph.from_document(GRAPH.as_document())
    assert again.nodes == GRAPH.nodes
    assert list(again.nodes) == list(GRAPH.nodes)
    assert again.sources == GRAPH.sources


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (Changes(first=True, rebuild=True), "rebuild"),
        (Changes(first=True), "first run"),
        (Changes(project_changed=True), "the dbt project changed"),
        (Changes(loaded=tables("b", "a")), "new rows in a, b"),
        (Changes(tables("a"), tables("c")), "corrections in c"),
    ],
)
def test_a_run_says_why_it_is_due(changes: Changes, reason: str) -> None:
    assert changes.any
    assert changes.reason == reason


def test_nothing_is_due_when_nothing_changed() -> None:
    assert not Changes().any
