"""What has to be done so that what is there becomes what is wanted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from snowmelt.deploy.address import Address, Reference, Value, digest_of, references_in
from snowmelt.deploy.order import all_below, in_order
from snowmelt.deploy.resource import Found, Mark, Owner, Resource, Sight, Traits
from snowmelt.deploy.steps import Action, Difference, Plan, Step
from snowmelt.errors import ConfigError


@dataclass(frozen=True)
class Words:
    """What a person said: make these anew, let go of what these hold."""

    replace: frozenset[Address] = frozenset()
    with_data: frozenset[Address] = frozenset()


def plan(
    desired: Sequence[Resource], sight: Sight, owner: Owner, words: Words | None = None
) -> Plan:
    """Compare what is wanted with what is there, over all providers at once.

    Raises ConfigError when resources need each other in a circle, or two have one
    address.
    """
    return _Planning(desired, sight, owner, words or Words()).plan()


def plan_destroy(
    sight: Sight, owner: Owner, with_data: Collection[Address] = ()
) -> Plan:
    """Plan to drop all that is ours, but for what holds data and was not named."""
    return plan((), sight, owner, Words(with_data=frozenset(with_data)))


class _Planning:
    """One comparison; a step is decided when those before it are."""

    def __init__(
        self, desired: Sequence[Resource], sight: Sight, owner: Owner, words: Words
    ) -> None:
        self._wanted = _by_address(desired)
        self._found = {each.address: each for each in sight.found}
        self._unseen = {each.address: each for each in sight.unseen}
        self._owner = owner
        self._words = words
        self._acting: set[Address] = set()
        self._stuck: dict[Address, str] = {}

    def plan(self) -> Plan:
        drops, keeps = self._unwanted()
        self._acting |= {step.address for step in drops}
        needs = {each.address: each.needs for each in self._wanted.values()}
        ranks = {each.address: each.traits.rank for each in self._wanted.values()}
        made = [
            step
            for address in in_order(needs, ranks)
            if (step := self._step(self._wanted[address])) is not None
        ]
        early = [step for step in drops if _traits_of(step).stops_first]
        late = [step for step in drops if not _traits_of(step).stops_first]
        return Plan((*early, *made, *late, *keeps))

    def _step(self, wanted: Resource) -> Step | None:
        """Decide what becomes of what is wanted; None if it is as it is to be."""
        address = wanted.address
        step = self._compared(wanted)
        if step is None:
            return None
        if step.acts:
            blocker = next((each for each in wanted.needs if each in self._stuck), None)
            if blocker is not None:
                why = f"it needs {blocker}, {self._stuck[blocker]}"
                step = replace(step, action=Action.BLOCKED, why=why, remedy="")
        if step.is_stuck:
            self._stuck[address] = _STUCK_WORDS[step.action]
        else:
            self._acting.add(address)
        return step

    def _compared(self, wanted: Resource) -> Step | None:
        address = wanted.address
        if unseen := self._unseen.get(address):
            return Step(
                address, Action.UNKNOWN, (), unseen.problem, unseen.remedy, wanted
            )
        found = self._found.get(address)
        if found is None:
            return Step(address, Action.CREATE, wanted=wanted)
        if found.mark is None or found.mark.owner != self._owner:
            whose = f"it belongs to {found.mark.owner}" if found.mark else "not ours"
            why = f"it is there already and {whose}; it is not touched"
            return Step(
                address, Action.CONFLICT, (), why, self._handing_over, wanted, found
            )
        return self._changed(wanted, found)

    @property
    def _handing_over(self) -> str:
        project, target = self._owner.project, self._owner.target
        return (
            "Choose another prefix: in the target, or hand it over: on Snowflake by "
            f"the comment '{Mark(self._owner, '0' * 12)}', on AWS by the tags "
            f"snowmelt:project={project} and snowmelt:target={target}."
        )

    def _changed(self, wanted: Resource, found: Found) -> Step | None:
        address = wanted.address
        assert found.mark is not None
        differences = self._differences(wanted, found)
        told = _refused(wanted, differences)
        if told:
            named = address in self._words.replace
            if named and (not found.traits.keeps or self._is_let_go(found)):
                return Step(
                    address, Action.REPLACE, differences, told, "", wanted, found
                )
            remedy = f"To make it anew, say so: --replace {address}"
            if found.traits.keeps:
                remedy = f"It holds {found.holds}: nothing makes it anew without loss."
            return Step(
                address, Action.BLOCKED, differences, told, remedy, wanted, found
            )
        if differences:
            why = self._changed_elsewhere(wanted, found)
            return Step(address, Action.CHANGE, differences, why, "", wanted, found)
        if found.mark.digest not in ("", self._digest(wanted)):
            why = "all is as it is to be, but its mark is not that of this"
            return Step(address, Action.CHANGE, (), why, "", wanted, found)
        if wanted.traits.follows:
            needs = (*wanted.needs, *found.needs)
            moved = next((each for each in needs if each in self._acting), None)
            if moved is not None:
                why = f"settled anew: {moved} is not as it was"
                return Step(address, Action.CHANGE, (), why, "", wanted, found)
        return None

    def _differences(self, wanted: Resource, found: Found) -> tuple[Difference, ...]:
        properties = {
            name: self._resolved(value) for name, value in wanted.properties.items()
        }
        is_as_applied = found.mark is not None and (
            found.mark.digest == self._digest(wanted)
        )
        differences = []
        for name, after in properties.items():
            if name in found.properties:
                before = found.properties[name]
                if before != after:
                    differences.append(Difference(name, before, after))
            elif not is_as_applied:
                differences.append(Difference(name, None, after, is_seen=False))
        return tuple(differences)

    def _resolved(self, value: Value) -> Value:
        """Replace references by what is known of them now."""
        if isinstance(value, Reference):
            found = self._found.get(value.address)
            return found.outputs.get(value.output, value) if found else value
        if isinstance(value, tuple):
            return tuple(self._resolved(part) for part in value)
        return value

    def _changed_elsewhere(self, wanted: Resource, found: Found) -> str:
        if found.mark is not None and not found.mark.digest:
            return PERHAPS_ELSEWHERE
        is_same = found.mark is not None and found.mark.digest == self._digest(wanted)
        return CHANGED_ELSEWHERE if is_same else ""

    def _digest(self, wanted: Resource) -> str:
        values = {k: self._resolved(v) for k, v in wanted.properties.items()}
        return digest_of(values)

    def _unwanted(self) -> tuple[list[Step], list[Step]]:
        """Return the steps of what is ours and not wanted: drops in order, keeps."""
        ours = {
            address: found
            for address, found in self._found.items()
            if found.mark is not None and found.mark.owner == self._owner
            if not found.traits.is_state
        }
        unwanted = {k: found for k, found in ours.items() if k not in self._wanted}
        needs = {address: _rests_on(found) for address, found in self._found.items()}
        held = {
            address: found.holds or "it holds data"
            for address, found in unwanted.items()
            if (found.traits.keeps or found.holds) and not self._is_let_go(found)
        }
        theirs = {
            address
            for address, found in self._found.items()
            if address not in ours and not found.traits.is_state
            if not self._is_let_go(found)
        }
        below = all_below(needs, {*held, *theirs, *self._around_unseen()})
        keeps, drops = [], []
        ranks = {address: found.traits.rank for address, found in unwanted.items()}
        order = in_order({address: needs[address] for address in unwanted}, ranks)
        for address in reversed(order):
            found = unwanted[address]
            if address in held:
                why = f"it is kept: {held[address]}"
                remedy = f"To let go of it: --with-data {address}"
                keeps.append(Step(address, Action.KEEP, (), why, remedy, None, found))
            elif address in below:
                why = "it is kept: something that stays needs it"
                keeps.append(Step(address, Action.KEEP, (), why, "", None, found))
            else:
                why = found.holds and f"with it goes: {found.holds}"
                drops.append(Step(address, Action.DROP, (), why, "", None, found))
        return drops, keeps

    def _around_unseen(self) -> set[Address]:
        """Return what holds something of which nothing can be told."""
        around = {each.inside for each in self._unseen.values() if each.inside}
        return {
            address
            for address in around
            if address in self._found and not self._is_let_go(self._found[address])
        }

    def _is_let_go(self, found: Found) -> bool:
        """Did a person name it, or what it is inside of?"""
        at: Found | None = found
        while at is not None:
            if at.address in self._words.with_data:
                return True
            if at.inside in self._words.with_data:
                return True
            at = self._found.get(at.inside) if at.inside else None
        return False


CHANGED_ELSEWHERE = "changed elsewhere since it was applied"
PERHAPS_ELSEWHERE = "changed elsewhere since it was applied, or in the project"
"""Of a kind that bears no mark of its own."""
_STUCK_WORDS = {
    Action.CONFLICT: "which is not ours",
    Action.UNKNOWN: "of which nothing can be told",
    Action.BLOCKED: "which waits itself",
}


def _by_address(desired: Iterable[Resource]) -> dict[Address, Resource]:
    found: dict[Address, Resource] = {}
    for each in desired:
        if each.address in found:
            raise ConfigError(str(each.address), "two resources have this name")
        found[each.address] = each
    for each in desired:
        for value in each.properties.values():
            for reference in references_in(value):
                assert reference.address in each.needs, (each.address, reference)
    return found


def _refused(wanted: Resource, differences: Iterable[Difference]) -> str:
    """Say why a resource cannot be changed where it stands; empty if it can."""
    told = (wanted.refuses(each.name, each.before, each.after) for each in differences)
    return next((why for why in told if why), "")


def _rests_on(found: Found) -> tuple[Address, ...]:
    return (*found.needs, found.inside) if found.inside else found.needs


def _traits_of(step: Step) -> Traits:
    assert step.found is not None
    return step.found.traits


def changed_elsewhere(plan_now: Plan) -> tuple[Step, ...]:
    """Return the steps that undo what somebody else did: what has drifted.

    What is missing is among them: nothing tells it from what is new in the project.
    """
    return tuple(
        step
        for step in plan_now.steps
        if step.action is Action.CREATE
        or (step.differences and step.why in (CHANGED_ELSEWHERE, PERHAPS_ELSEWHERE))
    )
