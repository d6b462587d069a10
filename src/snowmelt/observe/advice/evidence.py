"""What the histories say, as rows: what advice is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from statistics import median

from snowmelt.transform.graph import Graph, Node

EVERYTHING = "everything"
"""What `run_history.full_refresh` says of a run that built all from nothing."""


@dataclass(frozen=True)
class Run:
    """A run that ended. `full_refresh`: models that started from nothing."""

    run_id: str
    state: str
    started_at: datetime
    seconds: float
    way: str = "replay"
    reason: str = ""
    fallback_reason: str | None = None
    full_refresh: tuple[str, ...] = ()

    @property
    def usual(self) -> bool:
        """Did it build what changed, not everything?"""
        return EVERYTHING not in self.full_refresh


@dataclass(frozen=True)
class Execution:
    """A model or test of a run; `form` as `NodeResult` has it."""

    run_id: str
    node: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None = None
    form: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a node is written down, and what the graph does not know of it."""

    file: str
    properties: str = ""
    cluster_by: tuple[str, ...] = ()


@dataclass(frozen=True)
class KeySearch:
    """The search of an affected_keys model for the rows that it makes again.

    `overlap`: the part of the table's row groups that one key is not ruled out of by
    their minima and maxima, on average. `keys` and `written`: of a run, in the middle.
    """

    node: str
    rows: int
    row_groups: int
    overlap: float
    keys: float
    written: float
    seconds: float
    runs: int


@dataclass(frozen=True)
class Evidence:
    """All that is known. Runs are in the order in which they began.

    `rows_read`: how many rows of bronze lay upstream of a node in a run. `read_by`:
    by model, the dashboards and exposures that read it; None if there are none at all.
    """

    runs: Sequence[Run]
    executions: Sequence[Execution]
    graph: Graph
    rows_read: Mapping[tuple[str, str], int] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    searches: Sequence[KeySearch] = ()
    read_by: Mapping[str, Sequence[str]] | None = None

    @cached_property
    def by_name(self) -> Mapping[str, Node]:
        """The nodes of the project as it is now; what is gone needs no advice."""
        return {node.name: node for node in self.graph.nodes.values()}

    @cached_property
    def usual(self) -> Sequence[Run]:
        """Published runs of what changed."""
        return [run for run in self.runs if run.state == "SUCCEEDED" and run.usual]

    @cached_property
    def _by_node(self) -> Mapping[str, Sequence[Execution]]:
        order = {run.run_id: place for place, run in enumerate(self.runs)}
        found: dict[str, list[Execution]] = {}
        known = (each for each in self.executions if each.run_id in order)
        for each in sorted(known, key=lambda each: order[each.run_id]):
            if each.node in self.by_name:
                found.setdefault(each.node, []).append(each)
        return found

    @cached_property
    def _usual_ids(self) -> frozenset[str]:
        return frozenset(run.run_id for run in self.usual)

    def of(self, node: str) -> Sequence[Execution]:
        """Return every execution of a node, failed ones too, oldest first."""
        return self._by_node.get(node, ())

    def times(self, node: str) -> Sequence[Execution]:
        """Return the executions of a node in usual runs, in the form of the newest.

        What dbt runs and what is sent again do not take the same time.
        """
        found = [
            each
            for each in self.of(node)
            if each.run_id in self._usual_ids and each.status != "skipped"
        ]
        return [each for each in found if each.form == found[-1].form]

    def timed(self) -> Iterator[tuple[Node, Sequence[Execution]]]:
        """Yield every node that usual runs made, and its times."""
        for name in self._by_node:
            if times := self.times(name):
                yield self.by_name[name], times

    @cached_property
    def seconds_a_run(self) -> float:
        """How long the models and tests of a usual run take together, in the middle.

        Of every node as often as it is made; the form that it has now counts.
        """
        runs = max(len(self.usual), 1)
        return sum(
            median(each.seconds for each in times) * min(len(times) / runs, 1)
            for _, times in self.timed()
        )

    def share(self, times: Sequence[Execution]) -> float:
        """Return the part of a run's time that these executions of a node are."""
        if not self.seconds_a_run:
            return 0.0
        often = min(len(times) / max(len(self.usual), 1), 1)
        middle = median(each.seconds for each in times)
        return middle * often / self.seconds_a_run

    def file_of(self, node: Node) -> str:
        """Return the file in which a model or test is written."""
        place = self.places.get(node.id)
        return place.file if place else f"{node.name}.sql"

    def properties_of(self, node: Node) -> str:
        """Return the file with the properties of a model or test."""
        place = self.places.get(node.id)
        return (place.properties or place.file) if place else "its properties"

    def span(self, executions: Sequence[Execution]) -> tuple[datetime, datetime]:
        """Return when the first and the last run of executions began."""
        began = {run.run_id: run.started_at for run in self.runs}
        return began[executions[0].run_id], began[executions[-1].run_id]
