"""What is kept between two looks at a dashboard: definitions, versions, answers.

An answer counts for one statement, the values bound to it, and the data of the models
that it reads. The data of a model changes with the runs that made it, so the newest of
those, as a snapshot shows it, is its version: a publication makes exactly the answers
old that it changed, and a snapshot that is older gets older answers.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakKeyDictionary

from snowmelt.gold.run_history import published_run
from snowmelt.project.metrics import MetricFiles
from snowmelt.service.boards.definitions import Definitions
from snowmelt.service.boards.rendering import Query
from snowmelt.service.boards.rows_of import RowsOf
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.graph import Graph
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.port import Session, Table, Warehouse

CELLS_MAX = 2_000_000
"""How many values of tables are kept: some 200 MB where all are long texts."""
RUNS_KEPT = 8
Versions = Mapping[str, str]
Key = tuple[object, ...]
_MADE = """
    select node, max(run_id)
    from snowmelt.node_history
    join snowmelt.run_history using (run_id)
    where run_id > $1
        and run_history.state = 'SUCCEEDED'
        and node_history.resource_type in ('model', 'seed', 'snapshot')
        and node_history.status not in ('error', 'skipped')
    group by node
"""
VOLATILE = re.compile(
    r"\b(now|today|age|random|setseed|uuid\w*|gen_random_uuid|nextval|currval|"
    r"current_\w+|localtime\w*|get_current_\w+|transaction_timestamp|txid_current)\b",
    re.I,
)


class Answers:
    """Tables by what was asked, the ones asked for longest ago given up first."""

    def __init__(self, cells_max: int = CELLS_MAX) -> None:
        self._cells_max = cells_max
        self._kept: OrderedDict[Key, Table] = OrderedDict()
        self._cells = 0
        self._lock = threading.Lock()

    def find(self, key: Key) -> Table | None:
        """Return what was answered."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def keep(self, key: Key, table: Table) -> None:
        """Keep an answer; one that would take half of the room is not kept."""
        size = _cells(table)
        if size * 2 > self._cells_max:
            return
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = table
            self._cells += size
            while self._cells > self._cells_max:
                _, old = self._kept.popitem(last=False)
                self._cells -= _cells(old)

    def __len__(self) -> int:
        return len(self._kept)


def _cells(table: Table) -> int:
    return (len(table.rows) + 1) * max(len(table.columns), 1)


class ModelVersions:
    """The newest run that made each model, for the runs that snapshots show."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}
        self._lock = threading.Lock()

    def of(self, session: Session) -> Versions:
        """Return each model's version in a snapshot."""
        run_id = published_run(session) or ""
        with self._lock:
            known = self._known.get(run_id)
            earlier = max((each for each in self._known if each < run_id), default="")
            before = self._known.get(earlier, {})
        if known is not None:
            return known
        made = before | dict(session.rows(_MADE, [earlier]))
        with self._lock:
            self._known[run_id] = made
            for each in sorted(self._known)[:-RUNS_KEPT]:
                del self._known[each]
        return made


class KnownGraph:
    """The graph as the last build saw it, read again when a build wrote it."""

    def __init__(self, root: Path) -> None:
        self._path = root / RECORDINGS
        self._stamp: tuple[int, int] | None = None
        self._graph: Graph | None = None
        self._fed: dict[str, bool] = {}

    def graph(self) -> Graph | None:
        """Return it; None before the first build."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            self._graph = load_recordings(self._path).graph
            self._stamp, self._fed = stamp, _fed_by_loads(self._graph)
        return self._graph

    def changes_with_loads(self, models: Iterable[str]) -> bool:
        """Does one of these show new rows of bronze before the next run?"""
        return any(self._fed.get(model, True) for model in models)


def _fed_by_loads(graph: Graph | None) -> dict[str, bool]:
    """Say of each model if it is a view, over views only, of bronze."""
    fed: dict[str, bool] = {}
    if graph is None:
        return fed
    by_id: dict[str, bool] = dict.fromkeys(graph.sources, True)
    for node in graph.nodes.values():  # parents come first
        is_view = node.materialized in ("view", "ephemeral")
        by_id[node.id] = is_view and any(by_id.get(p, True) for p in node.parents)
        if not node.is_check:
            fed[node.name] = by_id[node.id]
    return fed


@dataclass
class Memory:
    """All of it, of one project."""

    definitions: Definitions
    metrics: MetricFiles
    known: KnownGraph
    answers: Answers = field(default_factory=Answers)
    versions: ModelVersions = field(default_factory=ModelVersions)
    rows_of: RowsOf = field(default_factory=RowsOf)
    parsed: tuple[str, Graph] | None = None
    """The graph as dbt read it, of a state of the project that was not built here."""

    def key(
        self, query: Query, relations: Mapping[str, str], versions: Versions, loads: int
    ) -> Key | None:
        """Return what an answer is kept by; None of one that may change by itself."""
        if VOLATILE.search(query.sql) or not _reads_models_alone(query, relations):
            return None
        made = [versions.get(model) for model in query.models]
        if None in made:
            return None
        newest = loads if self.known.changes_with_loads(query.models) else 0
        return query.sql, query.parameters, tuple(made), newest


def _reads_models_alone(query: Query, relations: Mapping[str, str]) -> bool:
    """Does it name no table but those of its ref()s?

    A table of another kind is written with its schema, or read by a function.
    """
    rest = query.sql
    for model in query.models:
        rest = rest.replace(relations[model], " ")
    return not _OTHER_TABLE.search(rest)


_OTHER_TABLE = re.compile(
    r"\b(snowmelt|information_schema|pg_catalog|quarantine|changes|bronze|silver|gold)"
    r"\"?\s*\.|\b(duckdb|pragma|read|glob|sniff|query|getenv|getvariable)\w*\s*\(|"
    r"\b(from|join)\s+\"?\w+\"?\s*\.",
    re.I,
)
_LOCK = threading.Lock()
_KEPT: WeakKeyDictionary[Warehouse, Memory] = WeakKeyDictionary()


def memory_of(warehouse: Warehouse, root: Path) -> Memory:
    """Return what is kept for an open warehouse."""
    with _LOCK:
        if warehouse not in _KEPT:
            _KEPT[warehouse] = Memory(
                Definitions(root), MetricFiles(root), KnownGraph(root)
            )
        return _KEPT[warehouse]
