"""Where things stand in a drawing: the waterfall, the lineage, the times of a run."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Document = dict[str, Any]
WATERFALL_WIDTH = 430
_LABELS, _VALUES, _ROW = 136, 80, 32
BOX_WIDTH, BOX_HEIGHT = 164, 44
_GAP_X, _GAP_Y = 28, 10
NODES_MAX = 60


@dataclass(frozen=True)
class Bar:
    """One line of the waterfall. `sign`: + and - are steps, = are sums."""

    label: str
    value: int
    sign: str
    kind: str
    href: str
    x: float
    width: float
    y: float


def waterfall_bars(found: Document) -> list[Bar]:
    """Return the lines from records in files down to rows in silver."""
    other = found["loaded_rows"] - found["bronze_rows"]
    steps = [
        ("Records in files", found["parsed_records"], "=", "file", "/files"),
        ("refused at load", -found["rejected_records"], "-", "bad", "/rejects"),
        ("replayed since", found["replayed_rows"], "+", "file", "/files"),
        ("Rows in bronze", found["loaded_rows"], "=", "bronze", "/files"),
    ]
    if found["models"]:
        several = "read by more than one model" if other < 0 else "of other models"
        steps += [
            (several, -other, "+" if other < 0 else "-", "out", "/runs"),
            ("superseded", -found["superseded_rows"], "-", "out", "/files"),
            (
                "in quarantine",
                -found["quarantined_rows"],
                "-",
                "warn",
                "/rejects#quarantine",
            ),
            ("dropped by a rule", -found["dropped_rows"], "-", "out", "/runs"),
            ("older versions", -found["deduplicated_rows"], "-", "out", "/runs"),
            ("Rows in silver", found["silver_rows"], "=", "silver", "/runs"),
        ]
    shown = [step for step in steps if step[1] or step[2] == "="]
    most = max([1, *(abs(step[1]) for step in shown)])
    room = WATERFALL_WIDTH - _LABELS - _VALUES
    bars, level = [], 0
    for place, (label, value, sign, kind, href) in enumerate(shown):
        if sign == "=":
            level, begin, end = value, 0, value
        else:
            begin, end = sorted((level, level + value))
            level += value
        x = _LABELS + room * max(begin, 0) / most
        width = max(room * (end - begin) / most, 2 if value else 0)
        bars.append(Bar(label, value, sign, kind, href, x, width, place * _ROW))
    return bars


def waterfall_height(bars: list[Bar]) -> int:
    """Return how high a drawing of these is."""
    return len(bars) * _ROW


@dataclass(frozen=True)
class Box:
    """One node of the lineage."""

    node: Document
    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """A lineage with places; `left_out`: nodes that are fine and not shown."""

    width: float
    height: float
    boxes: list[Box]
    edges: list[str]
    left_out: int


def draw_lineage(found: Document) -> Drawing:
    """Place pipes and models in columns, readers to the right of what they read.

    Of a large project those that need attention are shown, with their neighbours.
    """
    nodes = {each["id"]: each for each in found["nodes"]}
    edges = [(a, b) for a, b in found["edges"] if a in nodes and b in nodes]
    chosen = _chosen(nodes, edges)
    edges = [(a, b) for a, b in edges if a in chosen and b in chosen]
    columns = _columns(list(chosen), edges)
    places: dict[str, tuple[float, float]] = {}
    tallest = max([1, *(len(column) for column in columns)])
    for number, column in enumerate(columns):
        top = (tallest - len(column)) * (BOX_HEIGHT + _GAP_Y) / 2
        for row, name in enumerate(column):
            x = number * (BOX_WIDTH + _GAP_X)
            places[name] = x + 1, top + row * (BOX_HEIGHT + _GAP_Y) + 1
    lines = [_edge(places[a], places[b]) for a, b in edges]
    width = max(len(columns), 1) * (BOX_WIDTH + _GAP_X) - _GAP_X + 2
    height = tallest * (BOX_HEIGHT + _GAP_Y) - _GAP_Y + 2
    boxes = [Box(nodes[name], *places[name]) for name in places]
    return Drawing(width, height, boxes, lines, len(nodes) - len(chosen))


def _chosen(
    nodes: dict[str, Document], edges: list[tuple[str, str]]
) -> dict[str, None]:
    if len(nodes) <= NODES_MAX:
        return dict.fromkeys(nodes)
    wanted = {name for name, node in nodes.items() if node["state"] in ("bad", "warn")}
    near = {b for a, b in edges if a in wanted} | {a for a, b in edges if b in wanted}
    shown = [name for name in nodes if name in wanted | near]
    return dict.fromkeys(shown[:NODES_MAX])


def _columns(names: list[str], edges: list[tuple[str, str]]) -> list[list[str]]:
    """Return names by how far they are from a file, each column in a calm order."""
    parents = defaultdict(list)
    for parent, child in edges:
        parents[child].append(parent)
    depth: dict[str, int] = {}

    def deep(name: str, seen: frozenset[str]) -> int:
        if name not in depth:
            above = [p for p in parents[name] if p not in seen]
            first = 0 if name.startswith("pipe:") else 1
            deepest = max((deep(p, seen | {name}) for p in above), default=first - 1)
            depth[name] = deepest + 1
        return depth[name]

    columns = defaultdict(list)
    for name in names:
        columns[deep(name, frozenset())].append(name)
    if not columns:
        return []
    ordered = [columns[number] for number in sorted(columns)]
    for number, column in enumerate(ordered[1:], 1):
        rank = {
            name: place
            for before in ordered[:number]
            for place, name in enumerate(before)
        }
        column.sort(
            key=lambda name: _middle([rank[p] for p in parents[name] if p in rank])
        )
    return ordered


def _middle(ranks: list[int]) -> float:
    return sum(ranks) / len(ranks) if ranks else 1e9


def _edge(start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + BOX_WIDTH, start[1] + BOX_HEIGHT / 2
    x2, y2 = end[0], end[1] + BOX_HEIGHT / 2
    bend = max((x2 - x1) / 2, 18)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"


@dataclass(frozen=True)
class Stretch:
    """When a node of a run was at work, in thousandths of the run."""

    node: Document
    x: float
    width: float


def draw_times(run: Document, nodes: list[Document]) -> list[Stretch]:
    """Return each node that has a time, in the order in which they began."""
    timed = [each for each in nodes if each["started_at"]]
    if not timed:
        return []
    began = [datetime.fromisoformat(each["started_at"]) for each in timed]
    first = min([datetime.fromisoformat(run["started_at"]), *began])
    ends = [
        (at - first).total_seconds() + each["seconds"]
        for at, each in zip(began, timed, strict=True)
    ]
    whole = max([*ends, 1e-6])
    return [
        Stretch(
            each,
            1000 * (at - first).total_seconds() / whole,
            max(1000 * each["seconds"] / whole, 3),
        )
        for at, each in zip(began, timed, strict=True)
    ]
