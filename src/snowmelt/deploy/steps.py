"""A plan: ordered steps, and the digest by which it is told from any other."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from snowmelt.deploy.address import Address, Value, plain
from snowmelt.deploy.resource import Found, Resource


class Action(StrEnum):
    """What becomes of one resource."""

    CREATE = "create"
    CHANGE = "change"
    REPLACE = "replace"
    DROP = "drop"
    KEEP = "keep"
    """It is not wanted any more and holds what cannot be made again."""
    CONFLICT = "conflict"
    """It is there and is not ours: it is never touched."""
    UNKNOWN = "unknown"
    """A privilege is missing to tell what is there."""
    BLOCKED = "blocked"
    """It waits: for a person's word, or for what it needs and cannot have."""


ACTING = frozenset({Action.CREATE, Action.CHANGE, Action.REPLACE, Action.DROP})
STUCK = frozenset({Action.CONFLICT, Action.UNKNOWN, Action.BLOCKED})


@dataclass(frozen=True)
class Difference:
    """One property that is not as it is to be; `is_seen`: what is there can be read."""

    name: str
    before: Value
    after: Value
    is_seen: bool = True


@dataclass(frozen=True)
class Step:
    """What becomes of one resource, and why."""

    address: Address
    action: Action
    differences: tuple[Difference, ...] = ()
    why: str = ""
    remedy: str = ""
    wanted: Resource | None = None
    found: Found | None = None

    @property
    def acts(self) -> bool:
        """Does it change anything?"""
        return self.action in ACTING

    @property
    def is_stuck(self) -> bool:
        """Is it something that cannot be done as things are?"""
        return self.action in STUCK

    @property
    def document(self) -> dict[str, Any]:
        """The step as JSON has it."""
        told: dict[str, Any] = {
            "address": str(self.address),
            "provider": self.address.provider,
            "kind": self.address.kind,
            "name": self.address.name,
            "action": str(self.action),
        }
        if self.differences:
            told["differences"] = [
                {
                    "property": each.name,
                    "before": plain(each.before)
                    if each.is_seen
                    else "(cannot be read)",
                    "after": plain(each.after),
                }
                for each in self.differences
            ]
        if self.action is Action.CREATE and self.wanted is not None:
            told["properties"] = {
                name: plain(value) for name, value in self.wanted.properties.items()
            }
        told |= {k: v for k, v in (("why", self.why), ("remedy", self.remedy)) if v}
        return told


@dataclass(frozen=True)
class Plan:
    """Steps in the order in which they are taken."""

    steps: tuple[Step, ...]

    @property
    def acting(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.acts)

    @property
    def stuck(self) -> tuple[Step, ...]:
        """The steps that cannot be taken as things are."""
        return tuple(step for step in self.steps if step.is_stuck)

    @property
    def is_empty(self) -> bool:
        """Is everything as it is to be?"""
        return not self.acting and not self.stuck

    @property
    def counts(self) -> Mapping[Action, int]:
        """How many steps of each action there are, in the actions' order."""
        found = Counter(step.action for step in self.steps)
        return {action: found[action] for action in Action if found[action]}

    @cached_property
    def digest(self) -> str:
        """A fingerprint of all that the plan says: another plan has another one."""
        told = [step.document for step in self.steps]
        text = json.dumps(told, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def document(self) -> dict[str, Any]:
        """The plan as JSON has it."""
        return {
            "digest": self.digest,
            "empty": self.is_empty,
            "counts": {str(action): number for action, number in self.counts.items()},
            "steps": [step.document for step in self.steps],
        }
