"""A piece of advice, and the figures that it stands on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from statistics import median

from snowmelt.observe.advice.evidence import Evidence, Execution

Figure = float | int | str


@dataclass(frozen=True)
class Advice:
    """What was found of one node, how, and what to change.

    `seconds`: what it costs a run, by which advice is sorted. `change`: the lines to
    write into `file`; empty where only a person can say.
    """

    kind: str
    node: str
    resource_type: str
    found: str
    seconds: float
    runs: int
    since: datetime
    until: datetime
    advice: str
    file: str = ""
    change: str = ""
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Times:
    """How long a node takes, over some runs."""

    middle: float
    p95: float
    share: float

    @property
    def figures(self) -> dict[str, Figure]:
        """Return the figures as a document has them."""
        return {
            "median_seconds": round(self.middle, 4),
            "p95_seconds": round(self.p95, 4),
            "share": round(self.share, 4),
        }


def times_of(evidence: Evidence, executions: Sequence[Execution]) -> Times:
    """Return what executions of a node come to."""
    seconds = [each.seconds for each in executions]
    return Times(median(seconds), percentile(seconds, 0.95), evidence.share(executions))


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that so much of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(math.ceil(part * len(ordered)), 1) - 1]


def percent(part: float) -> str:
    """Return a part of one as people read it."""
    return f"{part:.0%}" if part >= 0.01 else f"{part:.1%}"


def listed(columns: Sequence[str]) -> str:
    """Return columns as a config names them: one alone, several as a list."""
    if len(columns) == 1:
        return f"'{columns[0]}'"
    return "[" + ", ".join(f"'{each}'" for each in columns) + "]"
