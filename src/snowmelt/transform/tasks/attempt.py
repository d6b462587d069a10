"""One attempt at a graph run: a decision from how its tasks stand to what comes next.

Nothing here starts anything, asks a clock or a warehouse. Models that are built, and
gates that looked at them, are `built` until the publication they are part of is
settled: what comes after them may go on, and nobody calls them done before.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from snowmelt.transform.tasks.graph import TaskGraph


class TaskState(StrEnum):
    """How a task stands. The words are those of Snowflake's TASK_HISTORY."""

    SCHEDULED = "SCHEDULED"
    EXECUTING = "EXECUTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    FAILED_AND_AUTO_SUSPENDED = "FAILED_AND_AUTO_SUSPENDED"
    CANCELLED = "CANCELLED"
    SKIPPED = "SKIPPED"


FAILURES = frozenset({TaskState.FAILED, TaskState.FAILED_AND_AUTO_SUSPENDED})
BROKEN = FAILURES | {TaskState.CANCELLED}
_AGAINST = BROKEN | {TaskState.SKIPPED}


class Publishing(StrEnum):
    """How the publication stands, seen from one attempt.

    `free`: this attempt may open it; `open`: it has; `settling`: it is committed or
    rolled back right now; `taken`: another one has it.
    """

    FREE = "free"
    OPEN = "open"
    SETTLING = "settling"
    TAKEN = "taken"


class Verdict(StrEnum):
    """What is to become of the publication."""

    COMMIT = "commit"
    ROLL_BACK = "roll back"


@dataclass(frozen=True)
class Steps:
    """What to do now. `cancel`: at work inside a publication that is lost.

    `start` are tasks, `inside` those of them that work inside the publication.
    """

    start: tuple[str, ...] = ()
    inside: frozenset[str] = frozenset()
    skip: tuple[str, ...] = ()
    cancel: tuple[str, ...] = ()
    verdict: Verdict | None = None
    ended: bool = False


@dataclass(frozen=True)
class Attempt:
    """How the tasks stand: those that were started or skipped, or stand from before.

    `built`: executing, and their work is done. `suspended`: passed over as if they had
    succeeded. `inside`: executing inside the publication. `cancelled`: a person had it
    end; nothing is begun in it any more but the finalizer.
    """

    graph: TaskGraph
    states: Mapping[str, TaskState] = field(default_factory=dict)
    built: frozenset[str] = frozenset()
    inside: frozenset[str] = frozenset()
    suspended: frozenset[str] = frozenset()
    cancelled: bool = False

    @cached_property
    def _passed(self) -> frozenset[str]:
        """Those after which others may go on."""
        passed: set[str] = set()
        for name in self.graph.order:
            state = self.states.get(name)
            let_by = state is None and self._is_suspended(name)
            if (
                state is TaskState.SUCCEEDED
                or name in self.built
                or (let_by and passed.issuperset(self.graph.tasks[name].after))
            ):
                passed.add(name)
        return frozenset(passed)

    @cached_property
    def _hopeless(self) -> Set[str]:
        """Those that will not pass in this attempt: they ended badly, or one before."""
        found: set[str] = set()
        for name in self.graph.order:
            if self.states.get(name) in _AGAINST or not found.isdisjoint(
                self.graph.tasks[name].after
            ):
                found.add(name)
        return found

    @cached_property
    def ready(self) -> tuple[str, ...]:
        """Those that wait for no other task; their conditions are still to be asked."""
        if self.cancelled:
            return ()
        return tuple(
            name
            for name in self.graph.order
            if name not in self.states
            and not self._is_suspended(name)
            and self._passed.issuperset(self.graph.tasks[name].after)
        )

    @property
    def broken(self) -> bool:
        """Has a task failed, or was one cancelled, or all?"""
        return self.cancelled or any(state in BROKEN for state in self.states.values())

    @property
    def state(self) -> TaskState:
        """How the attempt ended."""
        states = set(self.states.values())
        if self.states.get(self.graph.root) is TaskState.SKIPPED:
            return TaskState.SKIPPED
        if self._cut_short:
            return TaskState.CANCELLED
        if states & FAILURES:
            return TaskState.FAILED
        return (
            TaskState.CANCELLED
            if TaskState.CANCELLED in states
            else TaskState.SUCCEEDED
        )

    @property
    def _cut_short(self) -> bool:
        """Was it cancelled before all was done that could be?"""
        left = (
            name
            for name in self.graph.order
            if name not in self.states
            and name not in self._hopeless
            and name != self.graph.finalizer
            and not self._is_suspended(name)
        )
        cancelled = TaskState.CANCELLED in self.states.values()
        return self.cancelled and (cancelled or any(True for _ in left))

    def advance(self, unmet: Set[str], room: int, publishing: Publishing) -> Steps:
        """Decide what comes next.

        `unmet` are ready tasks whose condition is false, `room` is how many may be
        started.
        """
        at_work = self._at_work
        if publishing is Publishing.SETTLING:
            return Steps()
        if publishing is Publishing.OPEN and self.broken:
            return self._give_up(at_work & self.inside)
        skip = tuple(name for name in self.ready if name in unmet)
        if skip:
            return Steps(skip=skip)
        if publishing is Publishing.OPEN and not self._members_to_come:
            return Steps(verdict=Verdict.COMMIT)
        start, inside = self._choose(room, publishing)
        if start or at_work or publishing is Publishing.OPEN:
            return Steps(start=start, inside=inside)
        if self._waits_for_publication(publishing) or (room <= 0 and self._startable):
            return Steps()
        return self._finish(room)

    @property
    def _at_work(self) -> frozenset[str]:
        return frozenset(
            name
            for name, state in self.states.items()
            if state is TaskState.EXECUTING and name not in self.built
        )

    def _is_suspended(self, name: str) -> bool:
        """Is it passed over? The root is not: it runs when it is asked to."""
        return name in self.suspended and name != self.graph.root

    def _give_up(self, inside: frozenset[str]) -> Steps:
        if inside:
            return Steps(cancel=tuple(sorted(inside)))
        return Steps(verdict=Verdict.ROLL_BACK)

    @property
    def _members_to_come(self) -> bool:
        """Is there a model to build, or a gate to pass, before all is committed?"""
        at_work = self._at_work
        if at_work & self.inside:
            return True
        return any(
            name in at_work
            or (
                name not in self.states
                and name not in self._hopeless
                and not self._is_suspended(name)
            )
            for name in self.graph.members
        )

    @cached_property
    def _startable(self) -> tuple[str, ...]:
        """Ready tasks, without models once anything is broken."""
        return tuple(
            name for name in self.ready if not (self.broken and self._builds(name))
        )

    def _builds(self, name: str) -> bool:
        return self.graph.tasks[name].dbt is not None

    def _choose(
        self, room: int, publishing: Publishing
    ) -> tuple[tuple[str, ...], frozenset[str]]:
        """Return which to start, and which of them inside the publication.

        Inside it there is one at a time. What does not help it to its end, and comes
        after what it has built, waits until that can be seen.
        """
        behind = self.graph.below(self.built) if self.built else set()
        occupied = bool(self._at_work & self.inside)
        start: list[str] = []
        inside: set[str] = set()
        for name in self._startable:
            if len(start) >= room:
                break
            enters = self._builds(name) or (
                name in behind and self.graph.tasks[name].sql is not None
            )
            if name in behind and name not in self.graph.before_publication:
                continue
            if enters:
                free = publishing in (Publishing.FREE, Publishing.OPEN)
                if occupied or not free:
                    continue
                occupied = True
                inside.add(name)
            start.append(name)
        return tuple(start), frozenset(inside)

    def _waits_for_publication(self, publishing: Publishing) -> bool:
        return publishing is Publishing.TAKEN and any(
            self._builds(name) for name in self._startable
        )

    def _finish(self, room: int) -> Steps:
        """Start the finalizer once nothing else is left to do, or be done."""
        name = self.graph.finalizer
        skipped = self.states.get(self.graph.root) is TaskState.SKIPPED
        if name is None or skipped or name in self.suspended or name in self.states:
            return Steps(ended=True)
        return Steps(start=(name,)) if room > 0 else Steps()

    def to_retry(self) -> dict[str, TaskState]:
        """Return what stands for the next attempt: all but what failed and follows.

        What was rolled back was cancelled, so that it runs again, too.
        """
        again = {name for name, state in self.states.items() if state in BROKEN}
        again |= self.graph.below(again)
        stand = (TaskState.SUCCEEDED, TaskState.SKIPPED)
        return {
            name: state
            for name, state in self.states.items()
            if state in stand and name not in again and name != self.graph.finalizer
        }
