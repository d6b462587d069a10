"""A provider over a dictionary, for what planning promises whatever the cloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from snowmelt.deploy.address import Address, Value, digest_of
from snowmelt.deploy.provider import Values
from snowmelt.deploy.resource import Found, Mark, Owner, Resource, Sight, Traits
from snowmelt.deploy.steps import Action, Step

OWNER = Owner("shop", "prod")
OTHER = Owner("bakery", "prod")


class Stopped(Exception):
    """The process is gone: nothing of ours catches this."""


@dataclass(frozen=True)
class Part:
    """A resource of a cloud that knows one kind."""

    name: str
    given: Mapping[str, Value] = field(default_factory=dict)
    needs: tuple[Address, ...] = ()
    traits: Traits = field(default_factory=lambda: Traits(rank=0))
    cloud: str = "sky"
    fixed: frozenset[str] = frozenset()

    @property
    def address(self) -> Address:
        return Address(self.cloud, "part", self.name)

    @property
    def properties(self) -> Mapping[str, Value]:
        return self.given

    def refuses(self, name: str, before: Value, after: Value) -> str:
        return f"{name} is fixed" if name in self.fixed else ""


class Cloud:
    """Everything that is there, by address; it stops after so many calls if told to."""

    def __init__(self, name: str = "sky", hidden: frozenset[str] = frozenset()) -> None:
        self.name = name
        self.there: dict[Address, Found] = {}
        self.hidden = hidden
        self.calls: list[str] = []
        self.stop_after: int | None = None

    def look(self, desired: Sequence[Resource]) -> Sight:
        return Sight(tuple(self.there.values()))

    def script(self, step: Step) -> Sequence[str]:
        return [f"{step.action} {step.address.name}"]

    def outputs(self, address: Address) -> Mapping[str, str]:
        found = self.there.get(address)
        return found.outputs if found else {}

    def carry_out(self, step: Step, values: Values) -> None:
        """Change property by property, so that it can be stopped in between."""
        if step.action is Action.DROP:
            self._call(f"drop {step.address.name}")
            self.there.pop(step.address, None)
            return
        assert step.wanted is not None
        wanted, properties = step.wanted, values.properties(step.wanted)
        if step.action is Action.REPLACE:
            self._call(f"drop {step.address.name}")
            self.there.pop(step.address, None)
        if step.address not in self.there:
            self._call(f"create {step.address.name}")
            mark = Mark(OWNER, "0" * 12)
            outputs = {"id": f"id of {step.address.name}"}
            self.there[step.address] = Found(
                step.address, {}, mark, wanted.traits, wanted.needs, outputs
            )
        for name, value in properties.items():
            self._call(f"set {name} of {step.address.name}")
            found = self.there[step.address]
            if name not in self.hidden:
                told = {**found.properties, name: value}
                self.there[step.address] = replace(found, properties=told)
        self._call(f"mark {step.address.name}")
        mark = Mark(OWNER, digest_of(properties))
        self.there[step.address] = replace(self.there[step.address], mark=mark)

    def _call(self, what: str) -> None:
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise Stopped
        self.calls.append(what)
