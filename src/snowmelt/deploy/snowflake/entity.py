"""What all kinds of resources on Snowflake have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from snowmelt.deploy.address import Address, Value, digest_of
from snowmelt.deploy.resource import Found, Mark, Owner, Traits
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.sql import Written

PROVIDER = "snowflake"


def address_of(kind: str, name: str) -> Address:
    """Return the address of something on Snowflake by its whole name."""
    return Address(PROVIDER, kind, name)


@dataclass(frozen=True)
class Entity:
    """One resource on Snowflake: how it is to be, and the statements that make it so.

    `name` is the whole name as statements have it. Statements are pure; what has to
    wait and look in between is done by the provider (`pipe_change`).
    """

    kind: ClassVar[str]
    noun: ClassVar[str]
    traits: ClassVar[Traits]

    name: str
    needs: tuple[Address, ...] = field(default=(), kw_only=True)

    @property
    def address(self) -> Address:
        return address_of(self.kind, self.name)

    @property
    @abstractmethod
    def properties(self) -> Mapping[str, Value]:
        """How it is to be."""

    def refuses(self, name: str, before: Value, after: Value) -> str:
        """Say why a property cannot be changed where it stands; empty if it can."""
        return ""

    @abstractmethod
    def create(self, mark: Mark) -> list[str]:
        """Return the statements that make it; they may be repeated."""

    @abstractmethod
    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        """Return the statements that change these properties of it."""

    def drop(self) -> list[str]:
        """Return the statements that drop it."""
        return drop_statements(self.noun, self.name)

    def mark(self, owner: Owner) -> Mark:
        """Return the mark that it bears once it is as it is to be."""
        return Mark(owner, digest_of(self.properties))


def drop_statements(noun: str, name: str) -> list[str]:
    """Return what drops something of a kind that has nothing peculiar."""
    return [f"DROP {noun} IF EXISTS {name}"]


@dataclass(frozen=True)
class Optioned(Entity):
    """A kind that is its options: made with them, and changed by setting some.

    CREATE OR ALTER would reset what we do not name, unseen by any plan.
    """

    @abstractmethod
    def options(self) -> Mapping[str, Written]:
        """Return its options as they are written, in order."""

    @property
    def head(self) -> str:
        """What stands between its name and its options."""
        return ""

    @property
    def properties(self) -> Mapping[str, Value]:
        return {key.lower(): _compared(each) for key, each in self.options().items()}

    def create(self, mark: Mark) -> list[str]:
        given = {**self.options(), "COMMENT": str(mark)}
        opening = f"CREATE {self.noun} IF NOT EXISTS {self.name}"
        return [sql.lines((opening, self.head, *_each(given)))]

    def change(
        self, names: Collection[str], mark: Mark, found: Found | None
    ) -> list[str]:
        chosen: dict[str, Written] = {
            key: each for key, each in self.options().items() if key.lower() in names
        }
        given = {**chosen, "COMMENT": str(mark)}
        return [sql.lines((f"ALTER {self.noun} {self.name} SET", *_each(given)))]


def _each(options: Mapping[str, Written]) -> list[str]:
    return [sql.options({key: each}) for key, each in options.items()]


def _compared(given: Written) -> Value:
    if isinstance(given, tuple):
        return tuple(_compared(part) for part in given)
    return str(given) if isinstance(given, str) else given
