"""What the service stands in: time, chance, and what may come between two steps."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from simulation.contents import FileContent
from simulation.weave import Crash, Weave

STARTS_AT = datetime(2024, 5, 1, 12, tzinfo=UTC)
TICK = timedelta(microseconds=100)


@dataclass(frozen=True)
class Chances:
    """How likely each interference is, at any one moment or step of a history.

    Most histories lack most of them: what is rare among many faults is found where
    it is alone.
    """

    crash: float = 0.0
    crashes_max: int = 0
    change: float = 0.0
    switch: float = 0.1
    deliver: float = 0.05
    statement: float = 0.0
    outage: float = 0.0
    broken_chunk: float = 0.0
    missed: float = 0.0
    dropped: float = 0.0
    repeated: float = 0.0
    queue_error: float = 0.0
    clock: float = 0.0
    verbs: float = 0.0
    partial: float = 0.0
    poison: bool = False


def draw_chances(rng: random.Random) -> Chances:
    """Draw which faults a history has, and how often."""

    def some(low: float, high: float, share: float = 0.5) -> float:
        return rng.uniform(low, high) if rng.random() < share else 0.0

    crashes = rng.choice([0, 0, 1, 1, 2, 3])
    return Chances(
        crash=rng.choice([0.003, 0.01, 0.03]) if crashes else 0.0,
        crashes_max=crashes,
        change=some(0.002, 0.03, 0.7),
        switch=rng.choice([0.02, 0.2, 0.5]),
        deliver=rng.choice([0.0, 0.05, 0.2]),
        statement=some(0.002, 0.03, 0.4),
        outage=some(0.02, 0.1, 0.3),
        broken_chunk=some(0.02, 0.2, 0.3),
        missed=some(0.05, 0.3, 0.3),
        dropped=some(0.1, 0.6),
        repeated=some(0.1, 0.5, 0.3),
        queue_error=some(0.02, 0.2, 0.3),
        clock=some(0.01, 0.05, 0.3),
        verbs=some(0.02, 0.08, 0.3),
        partial=some(0.1, 0.5, 0.4),
        poison=rng.random() < 0.06,
    )


class FakeClock:
    """Time that goes on when it is told to, and a little at each look."""

    def __init__(self) -> None:
        self._wall = STARTS_AT
        self._seconds = 1000.0

    def now(self) -> datetime:
        self.advance(TICK.total_seconds())
        return self._wall

    def monotonic(self) -> float:
        return self._seconds

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        self.advance(seconds)
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        self._seconds += seconds
        self._wall += timedelta(seconds=seconds)

    def set_wall(self, seconds: float) -> None:
        """Put the wall clock forward or back; nothing else goes on."""
        self._wall += timedelta(seconds=seconds)


@dataclass
class World:
    """One history: its dice, its clock, and the record of what was drawn."""

    rng: random.Random
    chances: Chances
    clock: FakeClock = field(default_factory=FakeClock)
    weave: Weave = field(default_factory=Weave)
    calm: bool = False
    """No faults any more, and no changes: what is there has to come to rest."""
    told: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    crashes: int = 0
    moments: int = 0
    shortage: bool = False
    """The machine lacks memory or disk for the time being."""
    starts_again: bool = False
    """A process did not start: the next one does, unless it is killed."""
    contents: dict[str, FileContent] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)
    """Pipes that ever were: the messages of their files are let go of meanwhile."""
    placed: set[tuple[str, str]] = field(default_factory=set)
    """Every (name, SHA-256) that ever lay in the stage."""
    interfere: Callable[[], None] = lambda: None
    deliver: Callable[[], None] = lambda: None
    preserve: Callable[[], None] = lambda: None
    """Keeps what is on disk now for the process that comes after a crash."""
    _aside: bool = False

    def tell(self, what: str) -> None:
        """Put a line into the history."""
        who = self.weave.running
        self.told.append(f"{who.name if who else 'main'}: {what}")

    def chance(self, probability: float) -> bool:
        """Draw whether a fault happens; none does when the world is calm."""
        if self.calm or not probability:
            return False
        return self.rng.random() < probability

    def violate(self, promise: str) -> None:
        """Note a broken promise: raising would be caught by the service."""
        self.tell(f"VIOLATION {promise}")
        self.violations.append(promise)

    def moment(self, what: str) -> None:
        """Stand between two steps of the service: anything may happen here."""
        if self.weave.dead:
            raise Crash
        if self._aside:
            return
        if not self.weave.knows_this_thread():
            self.violate(f"{what}: from a thread that the simulation does not lead")
            return
        self.moments += 1
        self.tell(f"  {what}")
        if self.calm:
            return
        roll, chances = self.rng.random(), self.chances
        if roll < chances.crash:
            if self.crashes < chances.crashes_max:
                self.crash(what)
            return
        roll -= chances.crash
        if roll < chances.change + chances.deliver:
            self._aside = True
            (self.interfere if roll < chances.change else self.deliver)()
            self._aside = False
        elif roll < chances.change + chances.deliver + chances.switch:
            self._switch()

    def _switch(self) -> None:
        if self.weave.running:
            self.weave.pause()
        elif self.weave.strands:
            self.weave.resume(self.rng.choice(self.weave.strands))

    def crash(self, what: str) -> None:
        """Kill the process here."""
        self.crashes += 1
        self.tell(f"CRASH at {what}")
        self.preserve()
        self.weave.dead = True
        raise Crash
