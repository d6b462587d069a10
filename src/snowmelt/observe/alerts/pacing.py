"""When each rule is looked for again: soon enough, within what it may cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from snowmelt.observe.alerts.rules import Rule

WAKE_SECONDS_MIN = 2.0
COST_MAX = 0.01
"""The share of time that looking for one rule may take."""
_NOT_TOLD_BY_EVENTS = ("disk_low",)


@dataclass
class _At:
    """The instants, monotonic, before which a rule is not looked for: woken, or not."""

    woken: float = 0.0
    unasked: float = 0.0


class Pacing:
    """Says which rules are due.

    A rule is looked for at `every`, and when events woke it, but never so often that
    it takes more than a hundredth of the time: costly ones wait longer.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._at = {name: _At() for name in rules}
        self._woken: set[str] = set()

    def wake(self) -> None:
        """Something happened: look as soon as may be."""
        self._woken = {
            name
            for name, rule in self._rules.items()
            if rule.on is not None and rule.on not in _NOT_TOLD_BY_EVENTS
        }

    def due(self, now: float) -> list[str]:
        """Return the rules to look for now."""
        return [
            name
            for name, at in self._at.items()
            if now >= (at.woken if name in self._woken else at.unasked)
        ]

    def begin(self, names: list[str]) -> None:
        """They are looked for: what happens from now on wakes them again."""
        self._woken -= set(names)

    def ended(self, seconds: Mapping[str, float], now: float) -> None:
        """Take note of what looking for each rule took."""
        for name, took in seconds.items():
            dear = took / COST_MAX
            every = self._rules[name].every.total_seconds()
            self._at[name] = _At(
                now + max(WAKE_SECONDS_MIN, dear), now + max(every, dear)
            )
