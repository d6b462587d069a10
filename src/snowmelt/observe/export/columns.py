"""Which columns feed the columns of a model, for lineage: what a trace knows already.

dbt is not asked for it. The first `snowmelt trace` in a state of the project has dbt
compile the models; from then on their SQL is followed here, a part of it with each run.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.trace.closure import columns_of
from snowmelt.trace.models import CACHE, Models, known_models
from snowmelt.transform.dbt_project import SERVICE_FOLDER
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.port import Warehouse

log = logging.getLogger("snowmelt")
SECONDS_A_RUN = 2.0
"""So long the SQL of models is followed for one run; the next run goes on."""
_PAUSE = 5.0


@dataclass(frozen=True)
class FedColumn:
    """What a column is made by, and the columns (relation, name) that feed it."""

    expression: str
    feeds: tuple[tuple[str, str], ...]


Fed = Mapping[str, FedColumn]


@dataclass
class ColumnsFed:
    """Answers by the id of a node; on the one thread of an exporter."""

    root: Path
    warehouse: Warehouse
    clock: Clock
    _state: tuple[object, ...] = ()
    _models: Models | None = None
    _known: dict[str, Fed] = field(default_factory=dict)
    _spent: float = 0.0
    _asked_at: float = 0.0

    def __call__(self, node_id: str) -> Fed | None:
        """Return what feeds each column of a model; None where that is not known."""
        try:
            return self._fed(node_id)
        except Exception:  # what is told of a run does not depend on it
            log.warning("columns of %s are not followed", node_id, exc_info=True)
            return None

    def _fed(self, node_id: str) -> Fed | None:
        self._refresh()
        began = self.clock.monotonic()
        if began - self._asked_at > _PAUSE:
            self._spent = 0.0  # another run
        self._asked_at = began
        if self._models is None or node_id not in self._models.sql:
            return None
        if node_id not in self._known:
            if self._spent > SECONDS_A_RUN:
                return None
            self._known[node_id] = self._follow(self._models, node_id)
            self._asked_at = self.clock.monotonic()
            self._spent += self._asked_at - began
        return self._known[node_id] or None

    def _refresh(self) -> None:
        """Read what is known anew when the project is another one."""
        paths = (self.root / CACHE, self.root / SERVICE_FOLDER / "target/manifest.json")
        state = tuple(
            path.stat().st_mtime_ns if path.exists() else None for path in paths
        )
        if state != self._state:
            self._state = state
            models = known_models(self.root)
            same = models is not None and models.digest == project_digest(self.root)
            self._models = models if same else None
            self._known.clear()

    def _follow(self, models: Models, node_id: str) -> Fed:
        from snowmelt.trace.lineage import Lineage

        node = models.graph.nodes[node_id]
        with self.warehouse.snapshot() as session:
            lineage = Lineage(session, models)
            found = {
                each: lineage.of(node, each) for each in columns_of(session, node.key)
            }
        return {
            name: FedColumn(
                fed.expression,
                tuple((each.relation, each.column) for each in fed.feeds),
            )
            for name, fed in found.items()
            if not fed.unknown
        }
