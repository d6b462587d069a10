"""Pipes, models, and who reads whom, with how each stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.loop import Loop
from snowmelt.service.pages.remembered import remembered
from snowmelt.transform.build import RECORDINGS
from snowmelt.transform.graph import Graph
from snowmelt.transform.recording import load_recordings
from snowmelt.warehouse.port import Session

FAILED = ("fail", "error", "runtime error")
RUNS_LOOKED_AT = 50
"""A model that no run of these made is shown without a time."""
_MADE = ("model", "seed", "snapshot")
_STATES = """
    with runs as (
        select run_id, state, ended_at from snowmelt.run_history
        order by started_at desc limit $1
    )

    select
        node,
        arg_max(status, run_id),
        max(runs.ended_at) filter (
            runs.state = 'SUCCEEDED' and status not in ('error', 'fail', 'skipped')
        ),
        max(runs.ended_at) filter (status in ('error', 'fail', 'runtime error')),
        arg_max(status, run_id) filter (status <> 'skipped')
    from snowmelt.node_history join runs using (run_id)
    where node_history.run_id >= (select min(run_id) from runs)
    group by node
"""
_LOADS = """
    select
        pipe_name,
        arg_max(status, load_seq),
        max(last_load_time) filter (status <> 'Load failed'),
        max(last_load_time) filter (status = 'Load failed'),
        sum(row_count) filter (superseded_by is null)::bigint
    from snowmelt.load_history
    group by pipe_name
"""


class _Known:
    """The graph as the last build saw it, read again when a build wrote it."""

    def __init__(self) -> None:
        self.stamp: tuple[str, int] | None = None
        self.graph: Graph | None = None


_KNOWN = _Known()


def known_graph(loop: Loop) -> Graph | None:
    """Return the models of the last build; None before the first.

    Of a target those that the project's files say.
    """
    if loop.parts.files is not None:
        return loop.parts.files.graph()
    path = loop.parts.project.root / RECORDINGS
    try:
        stamp = (str(path), path.stat().st_mtime_ns)
    except FileNotFoundError:
        return None
    if stamp != _KNOWN.stamp:
        _KNOWN.graph, _KNOWN.stamp = load_recordings(path).graph, stamp
    return _KNOWN.graph


def lineage_document(loop: Loop, session: Session) -> Document:
    """Return nodes, each with layer and state, and edges between them."""
    parts = loop.parts
    graph = known_graph(loop) or Graph((), ())
    loads = remembered(parts.warehouse, session, _loads)
    states = {row[0]: row[1:] for row in session.rows(_STATES, [RUNS_LOOKED_AT])}
    sizes = _sizes(session)
    tests = _tests_of(graph, states)
    with loop.lock:
        paused = set(parts.pending.paused)
    nodes = [
        _pipe_node(
            pipe.name, pipe.table_name, loads.get(pipe.name), pipe.name in paused
        )
        for pipe in parts.project.pipes
    ]
    of_table = {pipe.table_name.lower(): pipe.name for pipe in parts.project.pipes}
    edges = []
    for node in graph.nodes.values():
        if node.resource_type not in _MADE:
            continue
        made = _model_node(node.name, node.key, states.get(node.name), sizes)
        nodes.append(_with_tests(made, tests.get(node.id, [])))
        for parent in node.parents:
            source = graph.sources.get(parent)
            if source is not None:
                pipe_name = of_table.get(source.table.lower())
                if pipe_name is not None:
                    edges.append([f"pipe:{pipe_name}", f"model:{node.name}"])
            elif parent in graph.nodes:
                edges.append(
                    [f"model:{graph.nodes[parent].name}", f"model:{node.name}"]
                )
    return {"nodes": nodes, "edges": edges}


def _loads(session: Session) -> dict[str, tuple[Any, ...]]:
    """Return of each pipe its newest status, when that was, and its live rows."""
    return {row[0]: row[1:] for row in session.rows(_LOADS)}


def _sizes(session: Session) -> Mapping[str, int]:
    """Return about how many rows each table has, without counting."""
    return {
        f"{schema}.{table}": size
        for schema, table, size in session.rows(
            "select schema_name, table_name, estimated_size from duckdb_tables() "
            "where not temporary"
        )
    }


def _pipe_node(
    name: str, table: str, facts: tuple[Any, ...] | None, is_paused: bool
) -> Document:
    status, at, failed_at, rows = facts or (None, None, None, 0)
    state = {"Load failed": "bad", "Partially loaded": "warn", None: "none"}
    level = "warn" if is_paused else state.get(status, "good")
    return {
        "id": f"pipe:{name}",
        "name": table,
        "layer": "bronze",
        "state": level,
        "told": "paused" if is_paused else status or "nothing loaded",
        "at": plain(at),
        "failed_at": plain(failed_at),
        "rows": rows or 0,
    }


def _model_node(
    name: str, key: str, facts: tuple[Any, ...] | None, sizes: Mapping[str, int]
) -> Document:
    status, succeeded_at, failed_at, _ = facts or (None, None, None, None)
    levels = {None: "none", "error": "bad", "fail": "bad", "skipped": "warn"}
    return {
        "id": f"model:{name}",
        "name": name,
        "layer": key.split(".", 1)[0],
        "state": levels.get(status, "good"),
        "told": status or "not built lately",
        "at": plain(succeeded_at),
        "failed_at": plain(failed_at),
        "rows": sizes.get(key),
    }


def _tests_of(
    graph: Graph, states: Mapping[str, tuple[Any, ...]]
) -> dict[str, list[str]]:
    """Return how the tests of each node ended last."""
    found: dict[str, list[str]] = {}
    for node in graph.nodes.values():
        status = states.get(node.name, (None,))[-1] if node.is_test else None
        about = node.test or {}
        if status is not None:
            of = about.get("of") or (node.parents[0] if node.parents else "")
            found.setdefault(str(of), []).append(status)
    return found


def _with_tests(node: Document, ended: list[str]) -> Document:
    """Add how a model's tests ended: one that failed is what its state says."""
    failed = sum(each in FAILED for each in ended)
    warned = sum(each == "warn" for each in ended)
    if failed and node["state"] == "good":
        node["state"] = "bad"
        node["told"] = "1 test failed" if failed == 1 else f"{failed} tests failed"
    elif warned and node["state"] == "good":
        node["state"] = "warn"
        node["told"] = "1 test warns" if warned == 1 else f"{warned} tests warn"
    return node | {"tests": len(ended), "tests_failed": failed, "tests_warned": warned}
