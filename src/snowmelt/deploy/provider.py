"""The port to one cloud: look, say, do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from snowmelt.deploy.address import Address, Reference, Value, digest_of
from snowmelt.deploy.resource import Mark, Owner, Resource, Sight
from snowmelt.deploy.steps import Step


class Values:
    """Property values while a plan is carried out: references are resolved.

    What another resource gives is read from its provider when it is asked for, since a
    step before may just have made it.
    """

    def __init__(self, owner: Owner, providers: Mapping[str, Provider]) -> None:
        self._owner = owner
        self._providers = providers

    def of(self, value: Value) -> Any:
        """Return a value without references. Raises KeyError for an unknown output."""
        if isinstance(value, Reference):
            provider = self._providers[value.address.provider]
            return provider.outputs(value.address)[value.output]
        if isinstance(value, tuple):
            return tuple(self.of(part) for part in value)
        return value

    def properties(self, resource: Resource) -> dict[str, Any]:
        """Return a resource's properties without references."""
        return {name: self.of(value) for name, value in resource.properties.items()}

    def mark(self, resource: Resource) -> Mark:
        """Return the mark that a resource bears once it is as it is to be."""
        return Mark(self._owner, digest_of(self.properties(resource)))


class Provider(Protocol):
    """What knows the resources of one cloud and speaks to it."""

    @property
    def name(self) -> str:
        """The provider that its addresses name."""

    def look(self, desired: Sequence[Resource]) -> Sight:
        """Find what is desired and all else that bears our mark; change nothing."""

    def script(self, step: Step) -> Sequence[str]:
        """Return what a step does, one statement each, to be read; ask nothing."""

    def carry_out(self, step: Step, values: Values) -> None:
        """Do one step; may be repeated. Raises SnowmeltError that names the remedy."""

    def outputs(self, address: Address) -> Mapping[str, str]:
        """Return what a resource gives to others, read anew."""
