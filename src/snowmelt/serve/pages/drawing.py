"""Where things stand in a drawing: the waterfall, the times of a run, small lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

Document = dict[str, Any]
WATERFALL_WIDTH = 430
_LABELS, _VALUES, _ROW = 136, 94, 32
LINE_WIDTH, LINE_HEIGHT = 240, 44


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


def waterfall_bars(
    found: Document,
    hrefs: Mapping[str, str] = MappingProxyType({}),
    gold: Sequence[tuple[str, int, str]] = (),
    rest: str = "of other models",
) -> list[Bar]:
    """Return the lines from records in files down to rows in silver, and to `gold`.

    `hrefs`: where the lines of a kind lead. `gold`: tables with their rows. `rest`:
    what rows of bronze are that no account is about.
    """
    other = found["loaded_rows"] - found["bronze_rows"]
    steps = [
        ("Records in files", found["parsed_records"], "=", "file", "/files"),
        ("refused at load", -found["rejected_records"], "-", "bad", "/rejects"),
        ("replayed since", found["replayed_rows"], "+", "file", "/files"),
        ("Rows in bronze", found["loaded_rows"], "=", "bronze", "/files"),
    ]
    if found["models"]:
        several = "read by more than one model" if other < 0 else rest
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
    steps += [(key, rows, "=", "gold", to) for key, rows, to in gold]
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
        to = hrefs.get(kind, href)
        bars.append(Bar(label, value, sign, kind, to, x, width, place * _ROW))
    return bars


def waterfall_height(bars: list[Bar]) -> int:
    """Return how high a drawing of these is."""
    return len(bars) * _ROW


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


def line_points(values: Sequence[float | int | None]) -> str:
    """Return a small line through values, as the points of a polyline."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if not known:
        return ""
    low, high = min(v for _, v in known), max(v for _, v in known)
    across = max(len(values) - 1, 1)
    room = LINE_HEIGHT - 8
    points = [
        (
            4 + (LINE_WIDTH - 8) * place / across,
            4 + (room * (high - value) / (high - low) if high > low else room / 2),
        )
        for place, value in known
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
