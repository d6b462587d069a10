"""However a build is divided into stages: everything once, nothing too early."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.stages import exact_passes, selected_tests, stage_nodes


def a_model(name: str, *parents: str) -> Node:
    return Node(name, name, f"shop.{name}", "model", parents, key=f"gold.{name}")


def a_check(name: str, *parents: str, kind: str = "test") -> Node:
    return Node(name, name, f"shop.{name}", kind, parents, test={})


@st.composite
def graphs(draw: Any) -> Graph:
    """Draw models that read models before them, and tests of some of them."""
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 9))):
        before = [node.id for node in nodes] + ["source"]
        parents = draw(st.lists(st.sampled_from(before), unique=True, max_size=3))
        nodes.append(a_model(f"m{number}", *parents))
    models = [node.id for node in nodes]
    for number in range(draw(st.integers(0, 9))):
        looked_at = draw(st.lists(st.sampled_from(models), unique=True, min_size=1))
        kind = draw(st.sampled_from(["test", "test", "unit_test"]))
        nodes.append(a_check(f"t{number}", *looked_at[:3], kind=kind))
    return Graph(nodes, ())


@given(graphs(), st.data())
def test_stages_make_everything_once_and_nothing_too_early(
    graph: Graph, data: Any
) -> None:
    ids = list(graph.nodes)
    due = graph.build_order(set(data.draw(st.lists(st.sampled_from(ids)))))
    due_ids = {node.id for node in due}
    made: list[str] = []
    named: set[str]
    for named in [*data.draw(st.lists(st.sets(st.sampled_from(ids)))), set(ids)]:
        stage = stage_nodes(due, named, made)
        for node in stage:
            assert node.id not in made, "made twice"
            made.append(node.id)
            missing = due_ids.intersection(node.parents).difference(made)
            assert not missing, f"{node.id} came before {missing}"
        assert named & due_ids <= set(made), "what is named is made in its stage"
        for node in due:
            if node.resource_type != "model" and node.id not in made:
                assert not set(node.parents) <= set(made) | (set(ids) - due_ids), (
                    f"{node.id} could have been run"
                )
    assert set(made) == due_ids


@given(graphs(), st.data())
def test_a_stage_makes_no_model_that_it_does_not_need(graph: Graph, data: Any) -> None:
    ids = list(graph.nodes)
    named = data.draw(st.sets(st.sampled_from(ids)))
    needed, waiting = set(named), list(named)
    while waiting:
        for parent in graph.nodes[waiting.pop()].parents:
            if parent in graph.nodes and parent not in needed:
                needed.add(parent)
                waiting.append(parent)
    stage = stage_nodes(list(graph.nodes.values()), named, ())
    assert {node.id for node in stage if node.resource_type == "model"} <= needed


GRAPH = Graph(
    [
        a_model("orders", "bronze_orders"),
        a_model("facts", "orders"),
        a_check("orders_unique", "orders"),
        a_check("facts_have_orders", "facts", "orders"),
        a_check("bronze_is_fresh", "bronze_orders"),
        Node("orders.daily", "daily", "shop.orders.daily", "model", ("orders",)),
    ],
    (),
)


def test_the_selected_tests_a_selection_are_those_that_look_at_it() -> None:
    def named(*ids: str, unmade: tuple[str, ...] = ()) -> set[str]:
        return {node.id for node in selected_tests(GRAPH, ids, unmade)}

    assert named("orders") == {"orders_unique", "facts_have_orders"}
    assert named("orders", unmade=("facts",)) == {"orders_unique"}
    assert named("bronze_orders") == {"bronze_is_fresh"}
    assert named("orders_unique") == {"orders_unique"}


def test_dbt_is_asked_for_exactly_the_nodes_of_a_stage() -> None:
    nodes = [GRAPH.nodes["orders"], GRAPH.nodes["facts"]]
    first, second = exact_passes(nodes, {"facts"}, GRAPH)
    assert (first.select, first.full_refresh) == (("fqn:shop.orders",), False)
    assert first.exclude == ("fqn:shop.orders.daily",), "dbt takes it for a folder"
    assert (second.select, second.full_refresh) == (("fqn:shop.facts",), True)
    assert second.exclude == ()
    assert first.exactly and second.exactly
