"""What one stage of a build has to make, and how dbt is asked for just that."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from snowmelt.transform.graph import Graph, Node
from snowmelt.transform.trigger import Pass


def stage_nodes(
    due: Sequence[Node], named: Collection[str], made: Collection[str]
) -> list[Node]:
    """Choose what a stage makes and tests of the nodes that are due, in their order.

    `named` are the ids that a person chose, `made` those of earlier stages. What is
    named is made now, and before it whatever it reads that is due and not made yet.
    Every test goes with the stage after which all that it looks at is made.
    """
    left = {node.id: node for node in due if node.id not in made}
    wanted: set[str] = set()
    waiting = [each for each in named if each in left]
    while waiting:
        node = left[waiting.pop()]
        if node.id not in wanted:
            wanted.add(node.id)
            waiting += [each for each in node.parents if each in left]
    unmade = {
        node.id for node in left.values() if not node.is_check and node.id not in wanted
    }
    return [
        node
        for node in left.values()
        if node.id in wanted or (node.is_check and unmade.isdisjoint(node.parents))
    ]


def selected_tests(
    graph: Graph, named: Collection[str], unmade: Collection[str]
) -> list[Node]:
    """Choose the tests of a selection, without those that look at what is not made.

    A test is of it that is named itself, or that looks at anything named.
    """
    chosen = set(named)
    return [
        node
        for node in graph.nodes.values()
        if node.is_test
        and (node.id in chosen or not chosen.isdisjoint(node.parents))
        and not any(each in unmade for each in node.parents)
    ]


def exact_passes(
    nodes: Sequence[Node], from_nothing: Collection[str], graph: Graph
) -> list[Pass]:
    """Return the builds of dbt that make and test these nodes, and no others.

    What is made from nothing comes second: nothing in the first reads it.
    """
    growing = [node for node in nodes if node.id not in from_nothing]
    anew = [node for node in nodes if node.id in from_nothing]
    return [
        Pass(
            select=tuple(f"fqn:{node.fqn}" for node in chosen),
            exclude=_namesakes(chosen, graph),
            full_refresh=full_refresh,
            exactly=True,
        )
        for chosen, full_refresh in ((growing, False), (anew, True))
        if chosen
    ]


def _namesakes(chosen: Sequence[Node], graph: Graph) -> tuple[str, ...]:
    """Return what dbt would take along: nodes in a folder of a chosen one's name."""
    names = {node.fqn for node in chosen}
    others = {node.fqn for node in graph.nodes.values()} - names
    return tuple(
        sorted(
            f"fqn:{other}"
            for other in others
            if any(f"{name}." in other for name in _folders(other, names))
        )
    )


def _folders(fqn: str, names: Collection[str]) -> list[str]:
    """Return the names that are a folder of it."""
    parts = fqn.split(".")
    return [
        folder
        for folder in (".".join(parts[:end]) for end in range(1, len(parts)))
        if folder in names
    ]
