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
    """What a warehouse was billed for, and for how long statements ran in it."""

    warehouse: str
    start: datetime
    credits: float
    size: str
    seconds_run: float

    @property
    def seconds_up(self) -> float:
        """For how long it was up; 0 where its size is not known."""
        rate = credits_per_hour(self.size)
        return self.credits / rate * _HOUR_SECONDS if rate else 0.0

    @property
    def rate(self) -> float:
        """What a second of a statement took.

        Statements run side by side: together they may take longer than it was up.
        """
        together = max(self.seconds_run, self.seconds_up)
        return self.credits / together if together else 0.0

    @property
    def idle(self) -> float:
        """What was billed while nothing ran."""
        return max(0.0, self.credits - self.rate * self.seconds_run)
