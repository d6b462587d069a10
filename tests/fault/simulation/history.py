"""What happens outside the service: users at their files, and what fails when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulation.contents import FileContent
from simulation.stages import FaultyFolder, FaultyStage
from simulation.world import World
from snowmelt.errors import SnowmeltError
from snowmelt.service.operating import Operating

if TYPE_CHECKING:
    from simulation.driver import Simulation

NAMES = ("a1.csv", "a2.csv", "a3.csv", "b1.csv", "b2.csv", "c.txt")
PAUSES = (0.05, 0.3, 2.5, 6.0, 31.0)
JUMPS = (-7200.0, -40.0, -2.0, 45.0, 7200.0)


@dataclass
class Users:
    """Everybody who changes files, at any moment and in any way."""

    world: World
    stage: FaultyStage
    contents: list[FileContent]
    unfinished: dict[str, FileContent] = field(default_factory=dict)

    def act(self) -> None:
        """Do one thing to the stage that users and their tools do."""
        rng, there = self.world.rng, sorted(self.stage.lying())
        kinds = ["put"]
        if there:
            kinds += ["put", "copy", "rename", "delete", "touch", "swap", "correct"]
        kind = rng.choice(kinds)
        name = rng.choice(NAMES)
        other = rng.choice(there) if there else name
        if kind == "put" and self.unfinished and rng.random() < 0.5:
            self.finish(sorted(self.unfinished)[0])
        elif kind == "put":
            self._put(name)
        elif kind == "correct":
            self._put(other)
        elif kind == "copy":
            self._copy(other, name)
        elif kind == "swap":
            self._swap(other, rng.choice(there))
        elif kind == "touch":
            self.world.tell(f"USER touches {other}")
            self.stage.touch(other)
        elif kind == "rename":
            self.world.tell(f"USER renames {other} to {name}")
            self.stage.rename(other, name)
        else:
            self.world.tell(f"USER deletes {other}")
            self.stage.delete(other)

    def _put(self, name: str) -> None:
        world, content = self.world, self.world.rng.choice(self.contents)
        in_folder = isinstance(self.stage, FaultyFolder)
        if in_folder and content.has_parts and world.chance(world.chances.partial):
            world.tell(f"USER begins to write {content.number} as {name}")
            begun = FileContent(content.number, content.records[:1])
            self.unfinished[name] = content
            self.stage.put(name, begun, whole=False)
            return
        self.unfinished.pop(name, None)
        whole = not in_folder or world.rng.random() < 0.6
        how = "puts" if whole else "writes"
        world.tell(f"USER {how} {content.number} as {name}")
        self.stage.put(name, content, whole=whole)

    def finish(self, name: str) -> None:
        """End what was begun to be written."""
        content = self.unfinished.pop(name)
        self.world.tell(f"USER ends writing {content.number} as {name}")
        self.stage.put(name, content, whole=False)

    def _content_of(self, name: str) -> FileContent:
        raw, _ = self.stage.lying()[name]
        return next(known for known in self.world.contents.values() if known.raw == raw)

    def _copy(self, origin: str, name: str) -> None:
        self.world.tell(f"USER copies {origin} to {name}")
        self.stage.put(name, self._content_of(origin))

    def _swap(self, one: str, two: str) -> None:
        self.world.tell(f"USER swaps {one} and {two}")
        first, second = self._content_of(one), self._content_of(two)
        self.stage.put(one, second)
        self.stage.put(two, first)


def take_step(simulation: Simulation) -> None:
    """Draw one step of a history and carry it out."""
    world = simulation.world
    rng, chances = world.rng, world.chances
    if world.chance(chances.outage):
        _toggle_outage(simulation)
    if world.chance(chances.outage / 2):
        world.shortage = not world.shortage
        world.tell(f"SHORTAGE {world.shortage}")
    if world.chance(chances.clock):
        seconds = rng.choice(JUMPS)
        world.tell(f"CLOCK is set by {seconds:+.0f} s")
        world.clock.set_wall(seconds)
    if world.chance(chances.verbs):
        _ask(simulation)
    kinds = ["turn", "lane", "time", "users", "news", "stop"]
    kind = rng.choices(kinds, [8, 4, 4, 5, 4, 0.15])[0]
    if kind == "turn":
        simulation.turn()
    elif kind == "lane" and world.weave.strands:
        for _ in range(rng.randint(1, 40)):
            if world.weave.strands:
                world.weave.resume(rng.choice(world.weave.strands))
    elif kind == "time":
        seconds = rng.choice(PAUSES)
        world.tell(f"TIME goes on by {seconds} s")
        world.clock.advance(seconds)
    elif kind == "users":
        simulation.users.act()
    elif kind == "stop":
        simulation.stop()
        simulation.start_somehow()
    else:
        simulation.deliver()


def _toggle_outage(simulation: Simulation) -> None:
    stage = simulation.stage
    if stage.away:
        stage.come_back()
    else:
        stage.leave()
    simulation.world.tell(f"STAGE {'cannot' if stage.away else 'can'} be reached")


def _ask(simulation: Simulation) -> None:
    """Give one of the service's verbs, as a person would."""
    world, operating = simulation.world, Operating(simulation.loop)
    verb = world.rng.choice(["pause", "resume", "hold", "release"])
    name = world.rng.choice(NAMES[:5])
    world.tell(f"VERB {verb} {name}")
    try:
        if verb == "pause":
            world.paused.add(name[0])
            operating.pause(name[0], None)
        elif verb == "resume":
            operating.resume(name[0])
        elif verb == "hold":
            operating.hold(name, None)
        else:
            operating.release(name)
    except SnowmeltError as error:
        world.tell(f"refused: {type(error).__name__}")
    except Exception as error:  # noqa: BLE001 - a verb may fail as a statement does
        world.tell(f"failed: {type(error).__name__}")
