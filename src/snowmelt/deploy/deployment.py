"""A project on one of its targets: what is wanted there, and who speaks to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from snowmelt.deploy.address import Address
from snowmelt.deploy.planning import Words, plan
from snowmelt.deploy.provider import Provider
from snowmelt.deploy.resource import Owner, Resource, Sight
from snowmelt.deploy.steps import Plan, Step


@dataclass(frozen=True)
class Remark:
    """Something that is otherwise over there; `where` is a file, a line and a key."""

    where: str
    told: str


@dataclass(frozen=True)
class Deployment:
    """A project on one target: what is wanted there, and who speaks to its clouds."""

    owner: Owner
    desired: tuple[Resource, ...]
    providers: Mapping[str, Provider] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def look(self) -> Sight:
        """Return what all providers find."""
        sight = Sight()
        for provider in self.providers.values():
            sight += provider.look(self.desired)
        return sight

    def plan(self, words: Words | None = None) -> Plan:
        """Look, and return what has to be done."""
        return plan(self.desired, self.look(), self.owner, words)

    def plan_offline(self) -> Plan:
        """Return the plan for accounts in which there is nothing yet; ask nobody."""
        return plan(self.desired, Sight(), self.owner)

    def plan_destroy(self, with_data: frozenset[Address] = frozenset()) -> Plan:
        """Look, and return the plan that drops what is ours and holds no data."""
        return plan((), self.look(), self.owner, Words(with_data=with_data))

    def script(self, step: Step) -> Sequence[str]:
        """Return what a step does, to be read."""
        provider = self.providers.get(step.address.provider)
        return provider.script(step) if provider is not None and step.acts else ()
