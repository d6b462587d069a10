"""When each rule is looked for again: soon enough, within what it may cost."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from snowmelt.observe.alerts.rules import Rule

WAKE_SECONDS_MIN = 2.0
COST_MAX = 0.01
"""The share of time that all built-in rules may take together; each query as well."""
_NOT_TOLD_BY_EVENTS = ("disk_low", "publish_failing")


class Pacing:
    """Says which rules are due.

    A rule is looked for at `every`. Built-in ones are at once, too, when events woke
    them, but never so often that they take more than a hundredth of the time.
    """

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._rules = rules
        self._at = dict.fromkeys(rules, 0.0)
        self._built_in_at = 0.0
        self._woken: set[str] = set()
        self._lock = threading.Lock()

    def wake(self) -> None:
        """Something happened: look as soon as may be. From any thread."""
        with self._lock:
            self._woken = {
                name
                for name, rule in self._rules.items()
                if rule.on is not None and rule.on not in _NOT_TOLD_BY_EVENTS
            }

    def due(self, now: float) -> list[str]:
        """Return the rules to look for now."""
        return [name for name in self._rules if self._is_due(name, now)]

    def _is_due(self, name: str, now: float) -> bool:
        if self._rules[name].on is not None and now < self._built_in_at:
            return False
        return name in self._woken or now >= self._at[name]

    def begin(self, names: list[str]) -> None:
        """They are looked for: what happens from now on wakes them again."""
        with self._lock:
            self._woken = self._woken - set(names)

    def ended(self, seconds: Mapping[str, float], now: float) -> None:
        """Take note of what looking for each rule took."""
        built_in = 0.0
        for name, took in seconds.items():
            rule = self._rules[name]
            every = rule.every.total_seconds()
            if rule.on is None:
                self._at[name] = now + max(every, took / COST_MAX)
            else:
                self._at[name] = now + every
                built_in += took
        if any(self._rules[name].on for name in seconds):
            self._built_in_at = now + max(WAKE_SECONDS_MIN, built_in / COST_MAX)
