"""When the next run comes, so that what is published meets the goals of its models."""

from __future__ import annotations

from datetime import datetime

from snowmelt.gold.lag import longest_run, unpublished_since
from snowmelt.gold.publication import Publication
from snowmelt.project.settings import Settings
from snowmelt.transform.graph import Graph
from snowmelt.transform.target_lag import (
    Goals,
    models_reached,
    read_goals,
    run_due_at,
)
from snowmelt.warehouse.port import Warehouse


class RunTiming:
    """Says when a run is due by the goals of the models that wait for it.

    What waits is asked of load history, so that a restart changes nothing. It is asked
    once for all that is loaded and published: `changed` says that this is another.
    """

    def __init__(
        self, warehouse: Warehouse, publication: Publication, settings: Settings
    ) -> None:
        self._warehouse = warehouse
        self._publication = publication
        self._settings = settings
        self._goals: tuple[Graph, Goals] | None = None
        self._digest: str | None = None
        self._due_at: datetime | None = None

    def changed(self) -> None:
        """Take note that something was loaded or published."""
        self._digest = None

    def goals(self, digest: str) -> tuple[Graph, Goals] | None:
        """Return what the models ask for; None while dbt has not read the project."""
        graph = self._publication.known_graph(digest)
        if graph is None:
            return None
        if self._goals is None or self._goals[0] is not graph:
            self._goals = graph, read_goals(graph, self._settings.publish.default_lag)
        return self._goals

    def due_at(self, digest: str, since: datetime, now: datetime) -> datetime | None:
        """Return when a run has to begin, or None for as soon as possible.

        `since` is when this process first knew of news. It stands for times that are
        still to come, by a clock that was put back.
        """
        if digest != self._digest:
            self._due_at = self._find(digest, since, now)
            self._digest = digest
        return self._due_at

    def _find(self, digest: str, since: datetime, now: datetime) -> datetime | None:
        known = self.goals(digest)
        if known is None or not known[1].may_wait:
            return None
        graph, goals = known
        with self._warehouse.snapshot() as session:
            waiting = unpublished_since(session, digest)
            run_time = longest_run(session)
        if not waiting:
            return None
        came = {
            table: at if at <= now else min(since, now) for table, at in waiting.items()
        }
        reached = models_reached(graph, list(came), self._settings.layers.bronze)
        return run_due_at(came, reached, goals, run_time)
