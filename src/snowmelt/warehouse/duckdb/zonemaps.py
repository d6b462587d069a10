"""How well the row groups of a table rule out a key, by their minima and maxima."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime

from snowmelt.warehouse.port import Session

_STATS = re.compile(r"^\[Min: (?P<low>.*?), Max: (?P<high>.*?)(?:, Has Unicode.*?)?\]")
_PREFIX_BYTES = 8
"""Of a text the engine keeps as many bytes of its minimum."""


@dataclass(frozen=True)
class Zones:
    """The row groups of a table, and the part of them that a key is in the range of.

    1 of a table whose every row group may hold every key; near 0 of one in its order.
    """

    row_groups: int
    overlap: float


def zones_of(session: Session, relation: str, column: str) -> Zones:
    """Return what the engine's zonemaps say of one column of a table."""
    rows = session.rows(
        "select row_group_id, stats from pragma_storage_info($1) "
        "where lower(column_name) = lower($2) and segment_type <> 'VALIDITY'",
        [relation, column],
    )
    ranges: dict[int, tuple[float, float]] = {}
    for row_group, stats in rows:
        found = _STATS.match(stats or "")
        if not found:
            continue
        low, high = _number(found["low"]), _number(found["high"])
        before = ranges.get(row_group, (low, high))
        ranges[row_group] = min(before[0], low), max(before[1], high)
    if not ranges:
        return Zones(0, 0.0)
    lowest = min(low for low, _ in ranges.values())
    highest = max(high for _, high in ranges.values())
    if highest == lowest:
        return Zones(len(ranges), 1.0)
    parts = [(high - low) / (highest - lowest) for low, high in ranges.values()]
    return Zones(len(ranges), sum(parts) / len(parts))


def _number(text: str) -> float:
    """Return a value of statistics as a number that is in the same order."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return float(date.fromisoformat(text).toordinal())
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        prefix = text.encode()[:_PREFIX_BYTES].ljust(_PREFIX_BYTES, b"\0")
        return float(int.from_bytes(prefix))
