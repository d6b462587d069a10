"""How bad a thing is."""

from __future__ import annotations

from enum import StrEnum


class Severity(StrEnum):
    """From what is good to know to what gets a person out of bed."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    def is_at_least(self, other: Severity) -> bool:
        """Is it as bad, or worse?"""
        ranks = list(Severity)
        return ranks.index(self) >= ranks.index(other)
