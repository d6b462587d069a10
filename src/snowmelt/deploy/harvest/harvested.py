"""What one reading of an account came to."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Problem:
    """What could not be read: of what, by which statement, and what mends it."""

    source: str
    object: str
    statement: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        of = f" of {self.object}" if self.object else ""
        mends = f" {self.remedy}" if self.remedy else ""
        return f"{self.source}{of} cannot be read: {self.problem}.{mends}"


@dataclass
class Harvested:
    """One reading. `skew`: how far the account's clock is before this machine's."""

    at: datetime
    skew: timedelta
    rows: int = 0
    loads: int = 0
    is_thorough: bool = True
    """Was history read, too?"""
    problems: list[Problem] = field(default_factory=list)
