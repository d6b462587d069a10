"""Which row of a table each row of a card is: its query returns the table's key."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from snowmelt.serve.commands import Document
from snowmelt.transform.graph import Graph, Node
from snowmelt.warehouse.port import Session

KEPT_MAX = 1000
_MADE = ("model", "seed", "snapshot")


@dataclass
class RowsOf:
    """Finds it once for each query of one graph: to read SQL takes its time."""

    _graph: Graph | None = None
    _kept: OrderedDict[tuple[str, tuple[str, ...]], Document | None] = field(
        default_factory=OrderedDict
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def find(
        self,
        session: Session,
        graph: Graph | None,
        sql: str,
        models: Sequence[str],
        columns: Sequence[str],
    ) -> Document | None:
        """Return the table, and by its key's columns the result's; None: of none."""
        if graph is None:
            return None
        asked = sql, tuple(columns)
        with self._lock:
            if graph is not self._graph:
                self._graph = graph
                self._kept.clear()
            if asked in self._kept:
                self._kept.move_to_end(asked)
                return self._kept[asked]
        found = _find(session, _keyed(graph, sql, models), sql, columns)
        with self._lock:
            if graph is self._graph:
                self._kept[asked] = found
                while len(self._kept) > KEPT_MAX:
                    self._kept.popitem(last=False)
        return found


def _keyed(
    graph: Graph, sql: str, models: Sequence[str]
) -> list[tuple[Node, tuple[str, ...]]]:
    """Return the tables with a key that a query may return, the longest key first."""
    from snowmelt.trace.origins import named_by

    found = []
    for node in graph.nodes.values():
        if node.name not in models or node.resource_type not in _MADE:
            continue
        keys = tuple(each.strip('"').lower() for each in named_by(graph, node))
        named = all(re.search(rf"\b{re.escape(key)}\b", sql, re.I) for key in keys)
        if keys and node.materialized != "ephemeral" and (named or "*" in sql):
            found.append((node, keys))
    return sorted(found, key=lambda each: -len(each[1]))


def _find(
    session: Session,
    keyed: Iterable[tuple[Node, tuple[str, ...]]],
    sql: str,
    columns: Sequence[str],
) -> Document | None:
    keyed = list(keyed)
    if not keyed:
        return None
    from snowmelt.trace.carried import tables_in, tables_of
    from snowmelt.trace.unchanged import unchanged_columns

    there = tables_of(session)
    read = {key: there[key] for key in tables_in(sql) if key in there}
    database = str(session.value("select current_database()"))
    unchanged = unchanged_columns(sql, read, database)
    by_end: dict[tuple[str, str], str] = {}
    for name in columns:
        end = unchanged.columns.get(name.lower())
        if end is not None:
            by_end.setdefault(end, name)
    for node, keys in keyed:
        key = node.key.lower()
        if len(keys) > 1 and key in unchanged.several:
            continue
        if all((key, each) in by_end for each in keys):
            return {"table": node.key, "columns": {k: by_end[key, k] for k in keys}}
    return None
