"""The lineage page: from files through every layer to dashboards, or a part of it."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.service.boards.standing import Standing
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loop import Loop
from snowmelt.service.pages.board_health import standing_of
from snowmelt.service.pages.board_nodes import LAYER, board_nodes
from snowmelt.service.pages.lineage import known_graph, lineage_document
from snowmelt.service.pages.noted import documentation
from snowmelt.service.pages.selecting import Named, select
from snowmelt.service.pages.shell import shell_document

WHOLE_MAX = 60
"""So many nodes are shown when nothing is chosen; more are folded up by layer."""
SHOWN_MAX = 150
"""Of more nodes than these that are chosen, those that are fine are left out."""
FILES = "files"
_WORST = {"bad": 0, "warn": 1, "busy": 2, "none": 3, "good": 4}


def whole_lineage_document(
    loop: Loop, chosen: str | None, folded: str | None
) -> Document:
    """Return nodes and edges: what a selector means, with layers folded up.

    `folded`: names of layers with commas between them. Nothing chosen means all of a
    small project, and its layers of a large one. Raises UsageError for what names
    nothing.
    """
    with loop.parts.warehouse.snapshot() as session:
        found = lineage_document(loop, session)
        shell = shell_document(loop, session)
        standing = standing_of(loop, session, found)
    nodes, edges = _with_ends(loop, standing, found["nodes"], found["edges"])
    layers = _layers(nodes)
    ids = {each["id"] for each in nodes}
    begin = _centre(chosen)
    if chosen:
        ids = set(select(chosen, [_named(each) for each in nodes], edges))
    elif len(nodes) > WHOLE_MAX and folded is None:
        folded = ",".join(each["name"] for each in layers)
    shown = [each for each in nodes if each["id"] in ids]
    edges = [each for each in edges if each[0] in ids and each[1] in ids]
    away = {each.strip() for each in (folded or "").split(",") if each.strip()}
    shown, edges = _fold(shown, edges, away)
    shown, edges, left_out = _bounded(shown, edges)
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "select": chosen,
        "folded": sorted(away & {each["name"] for each in layers}),
        "layers": layers,
        "nodes": shown,
        "edges": edges,
        "left_out": left_out,
        "count": len(nodes),
        "centre": _centre_node(begin, nodes),
        "names": [{"name": each["selector"], "layer": each["layer"]} for each in nodes],
    }


def _with_ends(
    loop: Loop, standing: Standing, nodes: list[Document], edges: list[list[str]]
) -> tuple[list[Document], list[list[str]]]:
    """Add where files come from, and the dashboards that read the models."""
    parts = loop.parts
    graph, notes = known_graph(loop), documentation(parts)
    patterns = {each.name: each.pattern for each in parts.project.pipes}
    bronze = parts.project.settings.layers.bronze
    keys = {n.name: n.key for n in graph.nodes.values()} if graph else {}
    with loop.lock:
        pending = Counter(str(e["pipe_name"]) for e in parts.pending.states())
    files = []
    for node in nodes:
        kind, _, name = node["id"].partition(":")
        key = f"{bronze}.{node['name']}" if kind == "pipe" else keys.get(name, name)
        node |= {"kind": "table" if kind == "pipe" else "model", "key": key}
        node["selector"] = f"source:{key}" if kind == "pipe" else key
        note = notes.of_key(key) if notes else None
        node["description"] = note.description if note else ""
        node["owner"] = note.owner if note else ""
        node["path"] = note.path if note else ""
        if kind == "pipe":
            node["path"] = f"pipes/{name}.yml"
            files.append(_files_node(name, patterns[name], node, pending[name]))
            edges = [*edges, [f"files:{name}", node["id"]]]
    boards, reads = board_nodes(loop, standing, {each["id"] for each in nodes})
    return [*files, *nodes, *boards], [*edges, *reads]


def _files_node(name: str, pattern: str, table: Document, pending: int) -> Document:
    told = f"{pending} pending" if pending else table["told"]
    return {
        **dict.fromkeys(("description", "owner"), ""),
        "id": f"files:{name}",
        "name": pattern,
        "layer": FILES,
        "kind": "files",
        "key": name,
        "selector": f"pipe:{name}",
        "state": "busy" if pending and table["state"] == "good" else table["state"],
        "told": told,
        "at": table["at"],
        "failed_at": table["failed_at"],
        "rows": None,
        "path": f"pipes/{name}.yml",
    }


def _named(node: Document) -> Named:
    name, key = str(node["name"]).lower(), str(node["key"]).lower()
    kind = node["kind"]
    methods = {
        "table": ("source",),
        "files": ("pipe",),
        "model": ("model",),
        "dashboard": ("exposure", "dashboard"),
        "exposure": ("exposure",),
    }[kind]
    names = {key} | ({name} if kind in ("table", "model") else set())
    if kind == "model":
        names.add(node["id"].partition(":")[2].lower())
    known = {*methods, f"layer:{node['layer']}", f"state:{node['state']}"}
    rank = {"model": 0, "table": 1, "files": 2}.get(kind, 3)
    return Named(node["id"], tuple(sorted(names)), frozenset(known), rank)


def _centre(chosen: str | None) -> str | None:
    """Return the one name a selector is around, if it is around one."""
    words = (chosen or "").split()
    if len(words) != 1 or "," in words[0] or "*" in words[0]:
        return None
    return re.sub(r"^\d*\+|\+\d*$", "", words[0]).lower()


def _centre_node(name: str | None, nodes: list[Document]) -> Document | None:
    if not name:
        return None
    found = [
        each
        for each in nodes
        if name in (each["selector"].lower(), str(each["key"]).lower())
        or (each["kind"] == "model" and name == each["id"].partition(":")[2].lower())
    ]
    return found[0] if found else None


def _layers(nodes: list[Document]) -> list[Document]:
    """Return the layers there are, in the order of the flow, with what is in them."""
    order = {FILES: 0, "bronze": 1, "gold": 8, LAYER: 9}
    found: dict[str, list[Document]] = {}
    for node in nodes:
        found.setdefault(node["layer"], []).append(node)
    return [
        {
            "name": name,
            "count": len(inside),
            "bad": sum(each["state"] == "bad" for each in inside),
            "warn": sum(each["state"] == "warn" for each in inside),
        }
        for name, inside in sorted(
            found.items(), key=lambda pair: (order.get(pair[0], 4), pair[0])
        )
    ]


def _fold(
    nodes: list[Document], edges: list[list[str]], away: set[str]
) -> tuple[list[Document], list[list[str]]]:
    """Put one node in place of each layer that is folded up."""
    instead: dict[str, str] = {}
    folded: dict[str, list[Document]] = {}
    for node in nodes:
        if node["layer"] in away:
            instead[node["id"]] = f"layer:{node['layer']}"
            folded.setdefault(node["layer"], []).append(node)
    kept = [each for each in nodes if each["id"] not in instead]
    kept += [_folded_node(layer, inside) for layer, inside in folded.items()]
    moved = dict.fromkeys(
        (instead.get(a, a), instead.get(b, b)) for a, b in map(tuple, edges)
    )
    return kept, [[a, b] for a, b in moved if a != b]


def _fails_still(node: Document) -> bool:
    """Did it fail, and not succeed since?"""
    failed_at = node["failed_at"]
    return bool(failed_at and failed_at > (node["at"] or ""))


def _folded_node(layer: str, inside: list[Document]) -> Document:
    worst = min(inside, key=lambda each: _WORST[each["state"]])["state"]
    bad = sum(each["state"] in ("bad", "warn") for each in inside)
    told = f"{bad} of {len(inside)} need a look" if bad else f"all {len(inside)} fine"
    failed = [each["failed_at"] for each in inside if _fails_still(each)]
    times: dict[str, Any] = {
        "at": max((each["at"] for each in inside if each["at"]), default=None),
        "failed_at": max(failed, default=None),
    }
    return {
        **dict.fromkeys(("description", "owner", "path"), ""),
        **times,
        "id": f"layer:{layer}",
        "name": layer,
        "layer": layer,
        "kind": "layer",
        "key": layer,
        "selector": f"layer:{layer}",
        "state": worst,
        "told": told,
        "rows": None,
        "count": len(inside),
    }


def _bounded(
    nodes: list[Document], edges: list[list[str]]
) -> tuple[list[Document], list[list[str]], int]:
    """Leave out what is fine, if there is more than can be read."""
    if len(nodes) <= SHOWN_MAX:
        return nodes, edges, 0
    by_need = sorted(nodes, key=lambda each: _WORST[each["state"]])[:SHOWN_MAX]
    there = {each["id"] for each in by_need}
    kept = [each for each in nodes if each["id"] in there]
    edges = [each for each in edges if each[0] in there and each[1] in there]
    return kept, edges, len(nodes) - len(kept)
