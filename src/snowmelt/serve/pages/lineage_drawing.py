"""Where pipes, models and dashboards stand in a drawing of the lineage.

Layers lie from left to right as data flows; within a layer what reads stands to the
right of what it reads. Nodes of a column are ordered so that few lines cross.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

Document = dict[str, Any]
Edge = tuple[str, str]
NODES_MAX = 60
SWEEPS = 4
BLOCKS = {"files": 0, "bronze": 1, "gold": 3, "dashboards": 4}
"""Layers in the order of the flow; any other lies between bronze and gold."""
_BETWEEN = 2


@dataclass(frozen=True)
class Size:
    """How large a box is, and how far it is from the next."""

    width: int
    height: int
    across: int
    down: int
    heading: int = 0


SMALL = Size(164, 44, 28, 10)
LARGE = Size(206, 76, 44, 12, heading=26)
WIDTH, WIDTH_MIN = 1110, 140
"""What is drawn fits a screen if it can: boxes are narrower where columns are many."""


@dataclass(frozen=True)
class Box:
    """One node of the lineage."""

    node: Document
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A line from what is read to what reads it."""

    path: str
    is_near: bool


@dataclass(frozen=True)
class Heading:
    """The name of a layer, above its first column."""

    name: str
    x: float


@dataclass(frozen=True)
class Drawing:
    """A lineage with places; `left_out`: nodes that are fine and not shown."""

    width: float
    height: float
    size: Size
    boxes: list[Box]
    lines: list[Line]
    headings: list[Heading]
    left_out: int


def draw_needed(found: Document, size: Size = SMALL) -> Drawing:
    """Draw a lineage; of a large one what needs attention, with its neighbours."""
    nodes = {each["id"]: each for each in found["nodes"]}
    edges = _known(found["edges"], nodes)
    chosen = dict.fromkeys(nodes)
    if len(nodes) > NODES_MAX:
        wanted = {n for n, node in nodes.items() if node["state"] in ("bad", "warn")}
        near = {b for a, b in edges if a in wanted}
        near |= {a for a, b in edges if b in wanted}
        shown = [name for name in nodes if name in wanted | near]
        chosen = dict.fromkeys(shown[:NODES_MAX])
    kept = [each for each in found["nodes"] if each["id"] in chosen]
    return draw(kept, edges, size, left_out=len(nodes) - len(kept))


def draw(
    nodes: list[Document],
    edges: list[Any],
    size: Size | None = None,
    *,
    centre: str | None = None,
    left_out: int = 0,
) -> Drawing:
    """Place nodes in columns. Lines that touch `centre` are near."""
    by_id = {each["id"]: each for each in nodes}
    known = _known(edges, by_id)
    columns = _columns(by_id, known)
    size = size or _fitting(len(columns))
    places: dict[str, tuple[float, float]] = {}
    tallest = max([1, *(len(column) for column in columns)])
    step = size.height + size.down
    for number, column in enumerate(columns):
        top = size.heading + (tallest - len(column)) * step / 2
        for row, name in enumerate(column):
            x = number * (size.width + size.across)
            places[name] = x + 1, top + row * step + 1
    return Drawing(
        width=max(len(columns), 1) * (size.width + size.across) - size.across + 2,
        height=size.heading + tallest * step - size.down + 2,
        size=size,
        boxes=[Box(by_id[name], *places[name]) for name in places],
        lines=[
            Line(_path(places[a], places[b], size), centre in (a, b)) for a, b in known
        ],
        headings=_headings(by_id, columns, size),
        left_out=left_out,
    )


def around(node: Document, hops: int = 1) -> str:
    """Return the address of a node with its neighbours."""
    kind, _, name = node["id"].partition(":")
    word = {
        "pipe": f"source:*.{node['name']}",
        "model": node.get("key") or f"model:{name}",
    }.get(kind, name)
    if kind == "layer":
        return "/lineage?" + urlencode({"select": f"layer:{name}", "fold": ""})
    chosen = node.get("selector") or word
    return "/lineage?" + urlencode({"select": f"{hops}+{chosen}+{hops}"})


def _fitting(columns: int) -> Size:
    """Return a size with which so many columns fit a screen, as far as they can."""
    if columns * (LARGE.width + LARGE.across) - LARGE.across <= WIDTH:
        return LARGE
    across = LARGE.across // 2
    width = (WIDTH - (columns - 1) * across) // columns
    return replace(LARGE, width=max(WIDTH_MIN, min(LARGE.width, width)), across=across)


def _known(edges: list[Any], nodes: dict[str, Document]) -> list[Edge]:
    return [(a, b) for a, b in edges if a in nodes and b in nodes]


def _headings(
    nodes: dict[str, Document], columns: list[list[str]], size: Size
) -> list[Heading]:
    found: dict[str, Heading] = {}
    for number, column in enumerate(columns):
        for name in column:
            layer = nodes[name]["layer"]
            x = number * (size.width + size.across) + 1
            if all(heading.x != x for heading in found.values()):
                found.setdefault(layer, Heading(layer, x))
    return list(found.values())


def _block(node: Document) -> int:
    return BLOCKS.get(node["layer"], _BETWEEN)


def _columns(nodes: dict[str, Document], edges: list[Edge]) -> list[list[str]]:
    """Return names by column, from files to dashboards."""
    parents, children = defaultdict(list), defaultdict(list)
    for parent, child in edges:
        parents[child].append(parent)
        children[parent].append(child)
    column: dict[str, int] = {}
    start = 0
    for block in sorted({_block(node) for node in nodes.values()}):
        inside = [name for name, node in nodes.items() if _block(node) == block]
        depth = _depths(inside, parents)
        for name in inside:
            column[name] = start + depth[name]
        start += 1 + max(depth.values(), default=0)
    ordered: list[list[str]] = [[] for _ in range(start)]
    for name in nodes:
        ordered[column[name]].append(name)
    for sweep in range(SWEEPS):
        _order(ordered, parents if sweep % 2 == 0 else children, sweep % 2 == 1)
    return ordered


def _depths(inside: list[str], parents: dict[str, list[str]]) -> dict[str, int]:
    """Return how deep each node lies among those of its own layer."""
    there, depth = set(inside), dict.fromkeys(inside, 0)
    for _ in range(len(inside)):  # a cycle, which dbt refuses, ends here all the same
        moved = False
        for name in inside:
            above = [depth[each] + 1 for each in parents[name] if each in there]
            if above and max(above) > depth[name] and max(above) < len(inside):
                depth[name], moved = max(above), True
        if not moved:
            break
    return depth


def _order(
    columns: list[list[str]], beside: dict[str, list[str]], from_right: bool
) -> None:
    """Sort each column by where its neighbours stand."""
    rank = {name: row / len(c) for c in columns for row, name in enumerate(c)}
    for column in reversed(columns) if from_right else columns:
        middles = {}
        for name in column:
            found = [rank[each] for each in beside[name]]
            middles[name] = sum(found) / len(found) if found else rank[name]
        column.sort(key=middles.__getitem__)
        rank |= {name: row / len(column) for row, name in enumerate(column)}


def _path(start: tuple[float, float], end: tuple[float, float], size: Size) -> str:
    x1, y1 = start[0] + size.width, start[1] + size.height / 2
    x2, y2 = end[0], end[1] + size.height / 2
    bend = max((x2 - x1) / 2, 18)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
