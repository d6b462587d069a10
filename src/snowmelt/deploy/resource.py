"""What is to be there, what is there, and whose it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from snowmelt.deploy.address import Address, Value

_MARK = re.compile(r"snowmelt ([a-z][a-z0-9_]*)/([a-z][a-z0-9_]*) ([0-9a-f]{12})")


@dataclass(frozen=True)
class Owner:
    """Whose a resource is: a project, on one of its targets."""

    project: str
    target: str

    def __str__(self) -> str:
        return f"{self.project}/{self.target}"


@dataclass(frozen=True)
class Mark:
    """What a resource of ours bears: its owner, and a digest of what was applied.

    The digest tells a change made elsewhere from one made in the project: while it is
    that of the properties wanted now, whatever differs was changed by somebody else. It
    is empty where a kind bears no mark of its own, and its owner is told otherwise.
    """

    owner: Owner
    digest: str

    def __str__(self) -> str:
        return f"snowmelt {self.owner} {self.digest}"

    @property
    def of_what_belongs_to_it(self) -> Mark:
        """The mark of something that bears none itself and belongs to this."""
        return Mark(self.owner, "")

    @classmethod
    def read(cls, text: str | None) -> Mark | None:
        """Find a mark in a comment or a tag; None if it bears none."""
        match = _MARK.search(text or "")
        return cls(Owner(match[1], match[2]), match[3]) if match else None


@dataclass(frozen=True)
class Traits:
    """What planning has to know of a kind.

    rank: what goes before what where nothing needs anything; drops go the other way.
    keeps: it holds what nobody can make again, and is dropped only when named.
    stops_first: it works by itself, so it is dropped before others are made.
    follows: it is carried out again whenever something it needs is made or changed.
    is_state: it is how others stand to each other and nothing by itself: never dropped.
    """

    rank: int
    keeps: bool = False
    stops_first: bool = False
    follows: bool = False
    is_state: bool = False


class Resource(Protocol):
    """Something that is to be there. Pure: it knows no account."""

    @property
    def address(self) -> Address:
        """Its name, unlike that of any other."""

    @property
    def needs(self) -> tuple[Address, ...]:
        """What has to be there before it, of any provider."""

    @property
    def properties(self) -> Mapping[str, Value]:
        """How it is to be, in a form that can be compared."""

    @property
    def traits(self) -> Traits:
        """What planning has to know of its kind."""

    def refuses(self, name: str, before: Value, after: Value) -> str:
        """Say why a property cannot be changed where it stands; empty if it can.

        What cannot is only made anew, and only when a person names it (`--replace`).
        """


@dataclass(frozen=True)
class Found:
    """Something that is there.

    `holds` says in words what would be lost with it; empty if nothing would. `inside`
    is what it would be dropped with.
    """

    address: Address
    properties: Mapping[str, Value]
    mark: Mark | None
    traits: Traits
    needs: tuple[Address, ...] = ()
    outputs: Mapping[str, str] = field(default_factory=dict)
    holds: str = ""
    inside: Address | None = None


@dataclass(frozen=True)
class Unseen:
    """Something that may be there: a privilege is missing to tell."""

    address: Address
    problem: str
    remedy: str


@dataclass(frozen=True)
class Sight:
    """All that a provider found."""

    found: tuple[Found, ...] = ()
    unseen: tuple[Unseen, ...] = ()

    def __add__(self, other: Sight) -> Sight:
        return Sight(self.found + other.found, self.unseen + other.unseen)
