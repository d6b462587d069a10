"""What every kind can: be found, be settled as it is to be, be dropped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from snowmelt.deploy.aws.calls import Calls, Missing
from snowmelt.deploy.resource import Found, Mark, Resource


@dataclass(frozen=True)
class Wish:
    """One resource to be settled.

    `properties` are those wanted, `inputs` what its policies are made of; references
    are resolved in both. `changed` names the properties that differ; of what is new,
    all of them.
    """

    wanted: Resource
    properties: Mapping[str, Any]
    inputs: Mapping[str, Any]
    mark: Mark
    changed: frozenset[str]
    is_new: bool

    def concerns(self, *names: str) -> bool:
        """Does any of these properties have to be set?"""
        return bool(self.changed.intersection(names))


class Kind(Protocol):
    """A kind of thing. Whatever it does may be done again."""

    def find(self, calls: Calls, name: str) -> Found | None:
        """Return what is there under a name; None if nothing is."""

    def settle(self, calls: Calls, wish: Wish) -> None:
        """Make it as it is to be; the mark comes last."""

    def drop(self, calls: Calls, found: Found) -> None:
        """Take it away, if it is still there."""


def asked(calls: Calls, service: str, operation: str, **words: Any) -> dict[str, Any]:
    """Ask for something that may not be there: then the answer is empty."""
    try:
        return calls.ask(service, operation, **words)
    except Missing:
        return {}


def told_if_there(
    calls: Calls, service: str, operation: str, **words: Any
) -> dict[str, Any]:
    """Change something that may be gone already."""
    try:
        return calls.tell(service, operation, **words)
    except Missing:
        return {}
