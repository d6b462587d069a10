"""What has to be built, and how: a decision from what changed since the last run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from snowmelt.transform.graph import Graph, Node


@dataclass(frozen=True)
class Changes:
    """What happened in bronze since the last published run, by table.

    `corrected` tables had a load superseded or rejects replayed. `first` says that
    nothing was ever published, `rebuild` that a person asked for everything anew.
    `gone`: a file whose rows can be read no more, so that what was made of them
    cannot be taken back row by row.
    """

    loaded: frozenset[str] = frozenset()
    corrected: frozenset[str] = frozenset()
    project_changed: bool = False
    first: bool = False
    rebuild: bool = False
    gone: str | None = None

    @property
    def everything(self) -> bool:
        """Must all be built from nothing?"""
        again = self.rebuild or self.first or self.project_changed
        return again or self.gone is not None

    @property
    def any(self) -> bool:
        """Is there anything to build?"""
        return bool(self.everything or self.loaded or self.corrected)

    @property
    def reason(self) -> str:
        """Say why a run is due."""
        if self.rebuild:
            return "rebuild"
        if self.first:
            return "first run"
        if self.project_changed:
            return "the dbt project changed"
        if self.gone is not None:
            return f"{self.gone} was written over in place"
        if self.corrected:
            return f"corrections in {', '.join(sorted(self.corrected))}"
        return f"new rows in {', '.join(sorted(self.loaded))}"


@dataclass(frozen=True)
class Pass:
    """One dbt build: which nodes, and whether growing models start from nothing.

    `own_tests_only` leaves out tests that also touch nodes of a later pass, `exactly`
    all tests that are not chosen themselves.
    """

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    full_refresh: bool = False
    own_tests_only: bool = False
    exactly: bool = False


EVERYTHING = Pass(full_refresh=True)


@dataclass(frozen=True)
class BuildPlan:
    """What one run builds: nodes in their order, and how dbt would be asked for them.

    `sources` are those with news, `corrected` those of them from which rows went;
    `refreshed` the models that cannot see that, `from_nothing` the ids of them and of
    all that reads them.
    """

    passes: tuple[Pass, ...]
    nodes: tuple[Node, ...] = ()
    sources: frozenset[str] = field(default_factory=frozenset)
    corrected: frozenset[str] = field(default_factory=frozenset)
    refreshed: tuple[str, ...] = ()
    from_nothing: frozenset[str] = field(default_factory=frozenset)


def plan_build(changes: Changes, graph: Graph, schema: str = "bronze") -> BuildPlan:
    """Choose what a run of new bronze rows builds; `schema` is where bronze is.

    An ordinary incremental model cannot see that rows left its source. So where a
    table was corrected, such a model and all that reads it start from nothing; what
    does not depend on one goes first, and nothing in that pass can depend on the
    second.
    """
    news = graph.sources_of(changes.loaded | changes.corrected, schema)
    corrected = graph.sources_of(changes.corrected, schema)
    reading = graph.downstream(source.id for source in news)
    blind = [
        graph.nodes[each]
        for each in graph.downstream(source.id for source in corrected)
        if graph.nodes[each].needs_refresh
    ]
    select = tuple(sorted(f"{source.selector}+" for source in news))
    if not reading:
        return BuildPlan(())
    nodes = tuple(graph.build_order(reading))
    sources = frozenset(source.id for source in news)
    lost = frozenset(source.id for source in corrected)
    if not blind:
        return BuildPlan((Pass(select=select),), nodes, sources, lost)
    from_nothing = _selectors(blind)
    first = Pass(select=select, exclude=from_nothing, own_tests_only=True)
    second = Pass(select=from_nothing, full_refresh=True)
    passes = (first, second) if _any_left(graph, reading, blind) else (second,)
    names = tuple(sorted(node.name for node in blind))
    anew = frozenset(node.id for node in blind)
    anew |= graph.downstream(anew)
    return BuildPlan(passes, nodes, sources, lost, names, anew)


def _selectors(nodes: Sequence[Node]) -> tuple[str, ...]:
    return tuple(sorted(f"fqn:{node.fqn}+" for node in nodes))


def _any_left(graph: Graph, reading: set[str], blind: Sequence[Node]) -> bool:
    """Is there a model that no refreshed one comes before?"""
    ids = {node.id for node in blind}
    return any(
        graph.nodes[each].resource_type != "test"
        for each in reading - ids - graph.downstream(ids)
    )
