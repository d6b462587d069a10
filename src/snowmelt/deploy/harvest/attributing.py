"""Which models an hour of a warehouse was for. Pure.

An account bills a warehouse by the hour, and tells of statements how long they ran. So
each hour's credits are shared by those times. For how long a warehouse was up follows
from its size and what it was billed for; where statements ran less than that, the rest
is idle: it waited for work, or to be suspended. Nothing is shared out twice, and what
is shared and what is idle is what was billed.

Credits of an hour by size:
https://docs.snowflake.com/en/user-guide/cost-understanding-compute
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

_HOUR_SECONDS = 3600.0
_SIZES = (
    *("XSMALL", "SMALL", "MEDIUM", "LARGE", "XLARGE", "2XLARGE", "3XLARGE"),
    *("4XLARGE", "5XLARGE", "6XLARGE"),
)


def credits_per_hour(size: str) -> float | None:
    """Return what a warehouse of a size takes in an hour; None of an unknown one."""
    plain = size.upper().replace("-", "").replace(" ", "")
    return float(2 ** _SIZES.index(plain)) if plain in _SIZES else None


@dataclass(frozen=True)
class Hour:
    """What a warehouse was billed for."""

    warehouse: str
    start: datetime
    end: datetime
    credits: float
    size: str = ""

    @property
    def seconds_up(self) -> float:
        """For how long it was up; 0 where its size is not known."""
        rate = credits_per_hour(self.size)
        return self.credits / rate * _HOUR_SECONDS if rate else 0.0


@dataclass(frozen=True)
class Use:
    """How long the statements of a node ran in an hour; of no node without one."""

    warehouse: str
    node: str | None
    hour: datetime
    seconds: float
    statements: int
    bytes_scanned: int


@dataclass(frozen=True)
class Share:
    """What a node took. Idle time is of no node, and has no statements."""

    warehouse: str
    node: str | None
    credits: float
    seconds: float
    statements: int
    bytes_scanned: int


def attribute(hours: Sequence[Hour], uses: Iterable[Use]) -> list[Share]:
    """Share what was billed, the dearest first."""
    of_hour: dict[tuple[str, datetime], list[Use]] = {}
    for use in uses:
        of_hour.setdefault((use.warehouse, use.hour), []).append(use)
    found: dict[tuple[str, str | None, bool], Share] = {}
    for hour in hours:
        at_work = of_hour.get((hour.warehouse, hour.start), [])
        # statements run side by side: together they may take longer than it was up
        ran = sum(use.seconds for use in at_work)
        together = max(ran, hour.seconds_up)
        for use in at_work:
            share = use.seconds / together if together else 0.0
            _add(found, use, hour.credits * share)
        idle = hour.credits * (1 - ran / together if together else 1.0)
        _add(found, Use(hour.warehouse, None, hour.start, 0.0, 0, 0), idle)
    return sorted(found.values(), key=lambda each: (-each.credits, each.node or ""))


def _add(
    found: dict[tuple[str, str | None, bool], Share], use: Use, credits: float
) -> None:
    is_idle = use.node is None and not use.statements and not use.seconds
    key = (use.warehouse, use.node, is_idle)
    known = found.get(key, Share(use.warehouse, use.node, 0.0, 0.0, 0, 0))
    found[key] = Share(
        use.warehouse,
        use.node,
        known.credits + credits,
        known.seconds + use.seconds,
        known.statements + use.statements,
        known.bytes_scanned + use.bytes_scanned,
    )
