"""What there is to know of models and pipes, for whether dashboards are current."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from snowmelt.gold import lag
from snowmelt.gold.lag import published_through, published_until
from snowmelt.serve.commands import Document
from snowmelt.service.boards.standing import Standing
from snowmelt.service.loop import Loop
from snowmelt.service.pages.lineage import known_graph, lineage_document
from snowmelt.service.pages.shell import failed_files, shell_document
from snowmelt.transform.graph import Graph
from snowmelt.transform.target_lag import read_goals
from snowmelt.warehouse.port import Session, Warehouse

_LOCK = threading.Lock()
_KEPT: WeakKeyDictionary[Warehouse, tuple[int, Mapping[str, datetime]]] = (
    WeakKeyDictionary()
)


def beside_board(loop: Loop, session: Session, models: frozenset[str]) -> Document:
    """Return what stands beside a dashboard that reads these models."""
    shell = shell_document(loop, session)
    found = lineage_document(loop, session)
    return {"shell": shell, "health": standing_of(loop, session, found).of(models)}


def standing_of(loop: Loop, session: Session, found: Document) -> Standing:
    """Return how everything stands in a snapshot of which this is the lineage."""
    files: Counter[str] = Counter(
        str(each["pipe_name"]) for each in failed_files(loop, session)
    )
    with loop.lock:
        files.update(each.pipe_name for each in loop.parts.pending.held.values())
    published_at, last_run_failed = _runs(session)
    gold, newest = loop.parts.gold, _published_until(loop.parts.warehouse, session)
    if gold is not None:  # of its files it is not known which run read them
        published_at, newest = gold.published_at(session), {}
    return Standing(
        nodes=found["nodes"],
        edges=found["edges"],
        now=loop.parts.clock.now(),
        published_at=published_at,
        last_run_failed=last_run_failed,
        waiting=(gold or lag).waiting_since(session),
        newest=newest,
        freshness={
            str(each["pipe_name"]): str(each["state"])
            for each in loop.watching.documents()
        },
        files=files,
        goals=_goals_of(loop),
    )


def _runs(session: Session) -> tuple[datetime | None, bool]:
    """Return when the run that readers see was published, and if a newer one failed."""
    published: Any = session.value(
        "select ended_at from snowmelt.run_history "
        "where state = 'SUCCEEDED' order by started_at desc limit 1"
    )
    last = session.value(
        "select state from snowmelt.run_history order by started_at desc limit 1"
    )
    return published, last == "FAILED"


def _published_until(warehouse: Warehouse, session: Session) -> Mapping[str, datetime]:
    """Return when the newest published rows came of each pipe.

    Asked of all of history once for each publication, as nothing else changes it.
    """
    through = published_through(session)
    with _LOCK:
        known = _KEPT.get(warehouse)
    if known is None or known[0] != through:
        known = through, published_until(session, through)
        with _LOCK:
            _KEPT[warehouse] = known
    return known[1]


def _goals_of(loop: Loop) -> Mapping[str, timedelta]:
    """Return how stale each model may be, by its name, as the last build knew them."""
    graph = known_graph(loop)
    if graph is None:
        return {}
    return _goals(graph, loop.parts.project.settings.publish.default_lag)


@lru_cache(maxsize=4)
def _goals(graph: Graph, default: timedelta | None) -> Mapping[str, timedelta]:
    own = read_goals(graph, default).own
    return {graph.nodes[each].name: goal for each, goal in own.items()}
