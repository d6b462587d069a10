"""Where tasks stand in a drawing of their graph, and the lines between them.

Columns are how far a task is from the root. A line that passes a column has a place
of its own in it, so that no line runs under a box; columns are put in the order, and
at the heights, that let lines be as straight as they can.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

BOX_WIDTH, BOX_HEIGHT = 190, 52
_GAP_X, _GAP_Y, _LINE_GAP = 34, 16, 14
_ROUNDS = 5
Point = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """Corners of boxes by name, lines as paths, and how large all of it is."""

    width: float
    height: float
    boxes: Mapping[str, Point]
    lines: Sequence[tuple[str, str, str]]
    """From, to, and the path."""


@dataclass
class _Column:
    """One column: boxes, and places where lines pass (from, to, which)."""

    slots: list[object] = field(default_factory=list)


def draw_tasks(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> Picture:
    """Place a graph. `names` has parents before children, `edges` only such names."""
    depth = _depths(names, edges)
    columns = [_Column() for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        columns[depth[name]].slots.append(name)
    chains = _chains(edges, depth, columns)
    left, right = _neighbours(chains)
    _order(columns, left, right)
    heights = _settle(columns, left, right)
    top = min(
        (heights[slot] - _half(slot) for column in columns for slot in column.slots),
        default=0.0,
    )
    middles = {slot: y - top + 1 for slot, y in heights.items()}
    place = {slot: x for x, column in enumerate(columns) for slot in column.slots}
    boxes = {
        name: (_x(place[name]), round(middles[name] - BOX_HEIGHT / 2, 1))
        for name in names
    }
    lines = [
        (start, end, _path([(place[slot], middles[slot]) for slot in chain]))
        for (start, end), chain in chains.items()
    ]
    width = len(columns) * (BOX_WIDTH + _GAP_X) - _GAP_X + 2 if columns else 0
    height = max((y + _half(slot) for slot, y in middles.items()), default=0.0)
    return Picture(width, round(height + 1, 1), boxes, lines)


def _depths(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    parents: dict[str, list[str]] = {name: [] for name in names}
    for start, end in edges:
        parents[end].append(start)
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = max((depth[each] + 1 for each in parents[name]), default=0)
    return depth


def _chains(
    edges: Sequence[tuple[str, str]], depth: Mapping[str, int], columns: list[_Column]
) -> dict[tuple[str, str], list[object]]:
    """Return the slots that each line goes through; those between are made here."""
    chains: dict[tuple[str, str], list[object]] = {}
    for start, end in edges:
        passed: list[object] = []
        for column in range(depth[start] + 1, depth[end]):
            slot = (start, end, column)
            columns[column].slots.append(slot)
            passed.append(slot)
        chains[start, end] = [start, *passed, end]
    return chains


Neighbours = dict[object, list[object]]


def _neighbours(
    chains: Mapping[tuple[str, str], list[object]],
) -> tuple[Neighbours, Neighbours]:
    """Return who is to the left of each slot, and who to its right."""
    left: Neighbours = {}
    right: Neighbours = {}
    for chain in chains.values():
        for one, other in pairwise(chain):
            right.setdefault(one, []).append(other)
            left.setdefault(other, []).append(one)
    return left, right


def _order(columns: list[_Column], left: Neighbours, right: Neighbours) -> None:
    """Put each column in the order of the middles of its neighbours, to and fro."""
    for number in range(_ROUNDS):
        forward = number % 2 == 0
        known = left if forward else right
        for column in columns if forward else reversed(columns):
            rank = {
                slot: place for each in columns for place, slot in enumerate(each.slots)
            }
            column.slots.sort(
                key=lambda slot: _mean(
                    [rank[each] for each in known.get(slot, [])], rank[slot]
                )
            )


def _settle(
    columns: list[_Column], left: Neighbours, right: Neighbours
) -> dict[object, float]:
    """Return the height of each slot's middle: near its neighbours, and apart."""
    heights: dict[object, float] = {}
    for column in columns:
        heights.update(_apart(column.slots, [0.0] * len(column.slots)))
    for number in range(_ROUNDS):
        forward = number % 2 == 0
        known = left if forward else right
        for column in columns if forward else reversed(columns):
            wanted = [
                _mean([heights[each] for each in known.get(slot, [])], heights[slot])
                for slot in column.slots
            ]
            heights.update(_apart(column.slots, wanted))
    return heights


def _apart(slots: Sequence[object], wanted: Sequence[float]) -> dict[object, float]:
    """Return heights as near to those wanted as the order and the gaps allow.

    The least squares of it: neighbours that are too near become one block, at the
    mean of what its members want.
    """
    offsets: list[float] = []
    at = 0.0
    for place, slot in enumerate(slots):
        if place:
            before = slots[place - 1]
            both_boxes = isinstance(slot, str) and isinstance(before, str)
            gap = _GAP_Y if both_boxes else _LINE_GAP
            at += _half(before) + gap + _half(slot)
        offsets.append(at)
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        total, count = want - offset, 1
        while blocks and blocks[-1][0] / blocks[-1][1] > total / count:
            before_total, before_count = blocks.pop()
            total, count = total + before_total, count + before_count
        blocks.append((total, count))
    bases = [total / count for total, count in blocks for _ in range(count)]
    return {
        slot: base + offset
        for slot, base, offset in zip(slots, bases, offsets, strict=True)
    }


def _half(slot: object) -> float:
    return BOX_HEIGHT / 2 if isinstance(slot, str) else 0.0


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _x(column: int) -> float:
    return 1.0 + column * (BOX_WIDTH + _GAP_X)


def _path(stops: Sequence[tuple[int, float]]) -> str:
    """Return a path from the right of the first box to the left of the last one."""
    column, y = stops[0]
    parts = [f"M{_x(column) + BOX_WIDTH:g} {round(y, 1):g}"]
    for place, (column, y_next) in enumerate(stops[1:], 1):
        x = _x(column)
        bend = _GAP_X / 2
        begin, end = round(y, 1), round(y_next, 1)
        parts.append(
            f"C{x - _GAP_X + bend:g} {begin:g} {x - bend:g} {end:g} {x:g} {end:g}"
        )
        if place < len(stops) - 1:
            parts.append(f"H{x + BOX_WIDTH:g}")
        y = y_next
    return "".join(parts)
