"""One seed: a service that lives, dies and lives again in a drawn world."""

from __future__ import annotations

import logging
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from simulation.contents import draw_contents
from simulation.engine import open_faulty
from simulation.history import Users, take_step
from simulation.invariants import check_let_go, check_rest, check_told
from simulation.sqs import FakeQueue, InlineListener
from simulation.stages import FakeBucket, FaultyFolder, FaultyStage
from simulation.weave import Crash, InlineExecutor, LaneExecutor, Weave
from simulation.world import World, draw_chances
from snowmelt.bronze import inspecting
from snowmelt.clock import SystemClock
from snowmelt.events import Event, Events, FileSettled
from snowmelt.landing.config import LandingConfig
from snowmelt.landing.stage import Notifications
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.held import HeldReason, held_files
from snowmelt.project.project import Project, load_project
from snowmelt.service import opening
from snowmelt.service.lane import Lane
from snowmelt.service.loop import Loop
from snowmelt.service.operating import Operating
from snowmelt.warehouse.port import Row

STEPS = (25, 50)
REST_SECONDS_MAX = 900.0
STARTS_MAX = 50
SETTINGS = """
version: 1
name: simulated
landing: {{ path: {path}, settle: 2s, refresh_every: 30s }}
load: {{ batch_files_max: 3, lanes_max: 2, retry_after: 5s, tries_max: 2 }}
warehouse: {{ threads: 1, memory_limit: 512MB }}
"""
PIPE = """
name: {name}
pattern: "{name}*.csv"
on_error: {on_error}
contract:
  columns:
    - {{ name: id, type: integer, nullable: false }}
    - {{ name: note, type: varchar }}
"""
DBT_PROJECT = "name: simulated\nversion: 1.0.0\nconfig-version: 2\nprofile: snowmelt\n"
ON_ERROR = {"a": "continue", "b": "skip_file"}
QUEUE = LandingConfig.model_validate(
    {"path": "s3://simulated", "queue": "simulated", "visibility_timeout": "60s"}
)


@dataclass(frozen=True)
class Site:
    """Where simulations live, one after the other: on a disk in memory if possible."""

    root: Path
    project: Project

    @property
    def template(self) -> Path:
        return self.root / "template.duckdb"

    def clear(self) -> None:
        """Make it as it was before the first history."""
        project = self.project
        shutil.rmtree(project.state)
        project.spool.mkdir(parents=True)
        shutil.copy(self.template, project.warehouse_path)
        for folder in (project.landing, project.root / "landing.away"):
            shutil.rmtree(folder, ignore_errors=True)
        project.landing.mkdir()


@contextmanager
def made_site() -> Iterator[Site]:
    """Make a project and its warehouse, once for many histories."""
    memory = Path("/dev/shm")
    usable = memory.is_dir() and os.access(memory, os.W_OK)
    folder = tempfile.mkdtemp(prefix="snowmelt-", dir=memory if usable else None)
    try:
        root = Path(folder)
        (root / "pipes").mkdir()
        (root / "snowmelt.yml").write_text(SETTINGS.format(path="landing"))
        (root / "dbt_project.yml").write_text(DBT_PROJECT)
        for name, on_error in ON_ERROR.items():
            text = PIPE.format(name=name, on_error=on_error)
            (root / "pipes" / f"{name}.yml").write_text(text)
        project = load_project(root)
        with opening.opened(project, SystemClock(), Events()):
            pass
        site = Site(root, project)
        shutil.copy(project.warehouse_path, site.template)
        yield site
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Result:
    """What one seed came to."""

    seed: int
    told: list[str]
    violations: list[str]
    rows: list[Row] = field(default_factory=list)
    crashes: int = 0
    moments: int = 0

    def __str__(self) -> str:
        lines = "\n".join(self.told)
        return (
            f"seed {self.seed}: {self.violations}\n{lines}\n"
            f"repeat it: SNOWMELT_SEED={self.seed} "
            "pytest tests/fault/test_simulation.py"
        )


class Simulation:
    """One service in one world."""

    def __init__(self, site: Site, seed: int) -> None:
        rng = random.Random(seed)
        self.seed = seed
        self.site = site
        self.world = World(rng, draw_chances(rng))
        self.queue: FakeQueue | None = None
        self.listener: InlineListener | None = None
        if rng.random() < 0.5:
            self.queue = FakeQueue(self.world)
            self.stage: FaultyStage = FakeBucket(self.world, self.queue.tell_put)
        else:
            self.stage = FaultyFolder(self.world, site.project.landing)
        drawn = draw_contents(rng, rng.randint(2, 6), poison=self.world.chances.poison)
        self.users = Users(self.world, self.stage, drawn)
        self.world.interfere = self.users.act
        self.world.deliver = self.deliver
        self.world.preserve = self._preserve
        self.told: Counter[tuple[str, str]] = Counter()
        self.first_seq = 0
        self._running = ExitStack()
        self._kept = site.root / "kept"
        self._raw: Any = None

    # -- the process --

    def ask(self, sql: str, parameters: list[object] | None = None) -> list[Row]:
        """Ask the warehouse what is committed, past every edge."""
        return cast("list[Row]", self._raw.execute(sql, parameters).fetchall())

    def start(self) -> None:
        """Begin a process."""
        world = self.world
        world.weave = Weave()
        self.queue_opened()
        running = ExitStack()
        events = Events()
        events.subscribe(self._hear)
        project = self.site.project
        with patch.object(opening, "open_warehouse", partial(open_faulty, world)):
            parts = running.enter_context(opening.opened(project, world.clock, events))
        weave = world.weave
        parts.trial = self._try
        parts.make_lane = lambda name, wake: Lane(name, wake, LaneExecutor(weave, name))
        self._running = running
        connection = cast("Any", parts.warehouse)._connection
        self._raw = connection.real.cursor()
        check_told(self)
        self.told.clear()
        self.first_seq = (
            self.ask("select max(load_seq) from snowmelt.load_history")[0][0] or 0
        )
        self.loop = Loop(parts, publishes=False)

    def queue_opened(self) -> None:
        """Listen to the queue, or to the folder, as a new process does."""
        if isinstance(self.stage, FakeBucket) and self.queue is not None:
            let_go = partial(check_let_go, self)
            self.listener = InlineListener(self.queue, QUEUE, let_go)
            self.stage.notify = self._notified
            self.stage.let_go = self.listener.acknowledge
        elif isinstance(self.stage, FaultyFolder):
            self.stage.forget_events()

    def _notified(self) -> Notifications:
        assert self.listener is not None
        self.world.moment("what was noticed")
        return Notifications(placed=self.listener.real.take())

    def start_somehow(self) -> None:
        """Begin a process, again and again until one lives."""
        for _ in range(STARTS_MAX):
            try:
                self.start()
                self.world.starts_again = False
                return
            except Crash:
                self._bury()
            except Exception as error:
                self.world.tell(f"it does not start: {error}")
                if self.world.calm:
                    self.world.violate(f"it does not start in peace: {error!r}")
                    raise
                self.world.shortage, self.world.starts_again = False, True
                self._running.close()
        raise AssertionError("it never starts")

    def stop(self) -> None:
        """End the process in order."""
        self.world.tell("STOP")
        self.loop.close()
        self._raw.close()
        self._running.close()

    def _bury(self) -> None:
        """What is in memory is gone; on disk is what was there at the crash."""
        self.world.weave.die()
        if self._raw is not None:
            self._raw.close()
        with suppress(Crash):
            self._running.close()
        state = self.site.project.state
        shutil.rmtree(state)
        shutil.copytree(self._kept, state)

    def _preserve(self) -> None:
        shutil.rmtree(self._kept, ignore_errors=True)
        shutil.copytree(self.site.project.state, self._kept)

    def _try(self, pending: Pending) -> str | None:
        """Read a file in a process of its own: poison kills that one."""
        self.world.moment(f"try {pending.file.name}")
        raw = self.stage.lying().get(pending.file.name, (b"", None))[0]
        poison = any(known.poison and known.raw == raw for known in self.users.contents)
        if poison or self.world.chance(0.05):
            self.world.tell(f"{pending.file.name} kills its reader")
            return f"{pending.file.name}: a trial reader was killed"
        return None

    def _hear(self, event: Event) -> None:
        if isinstance(event, FileSettled) and event.status != "unchanged":
            self.told[event.pipe_name, event.file_name] += 1

    # -- its time --

    def turn(self) -> None:
        """Do one round, as the service does."""
        self.world.tell("TURN")
        try:
            self.loop.turn()
        except Exception as error:  # noqa: BLE001 - the service goes on as well
            self.world.tell(f"the round fails: {error}")
            if self.world.calm:
                self.world.violate(f"a round fails in peace: {error!r}")
            self.world.clock.advance(1.0)

    def deliver(self) -> None:
        """Let news of files come in."""
        if self.listener is not None:
            if self.world.rng.random() < 0.5:
                self.listener.receive()
            else:
                self.listener.send()
        elif isinstance(self.stage, FaultyFolder):
            self.stage.deliver()

    def run(self) -> Result:
        """Live through the history, and look at what is left in the end."""
        self.site.clear()
        with (
            patch.multiple(
                opening,
                open_stage=lambda *_: self.stage,
                write_sources=lambda *_: None,
                write_schemas=lambda *_: None,
            ),
            patch.object(inspecting, "ThreadPoolExecutor", InlineExecutor),
            patch.object(logging.getLogger("snowmelt"), "disabled", True),
        ):
            return self._run()

    def _run(self) -> Result:
        rows: list[Row] = []
        try:
            self.start_somehow()
            for _ in range(self.world.rng.choice([1, 1, 1, 2])):
                for _ in range(self.world.rng.randint(*STEPS)):
                    self._live(lambda: take_step(self))
                self._rest()
                if self.world.violations:
                    break
                check_rest(self)
                self.world.calm = False
            self.world.calm = True
            rows = self.ask(
                "select load_seq, file_name, status, row_count, content_sha256, "
                "superseded_by, duplicate_of from snowmelt.load_history order by all"
            )
            self.stop()
        finally:
            self.world.weave.die()
            with suppress(Crash):
                self._running.close()
        world = self.world
        return Result(
            self.seed, world.told, world.violations, rows, world.crashes, world.moments
        )

    def _live(self, what: Callable[[], None]) -> None:
        try:
            what()
        except Crash:
            self._bury()
            self.start_somehow()
            if self.world.chance(0.2):
                self._live(self._look_in)

    def _look_in(self) -> None:
        """Somebody only looks whether it starts, then starts it for good."""
        self.stop()
        self.start_somehow()

    def _rest(self) -> None:
        """Let the faults end, and wait until nothing is left to do."""
        world, stage = self.world, self.stage
        world.tell("CALM")
        world.calm, world.shortage = True, False
        stage.come_back()
        for name in sorted(self.users.unfinished):
            self.users.finish(name)
        self._set_free()
        listings, until = stage.listings, world.clock.monotonic() + REST_SECONDS_MAX
        while world.clock.monotonic() < until:
            self._live(self._settle_down)
            told = self.queue is None or not self.queue.messages
            listed = stage.listings > listings + 1
            if told and listed and self.loop.is_quiet() and not self._set_free():
                break
            world.clock.advance(self.loop.seconds_to_next())
        else:
            left = self.queue.messages if self.queue else ""
            states = self.loop.parts.pending.states()
            world.violate(f"never at rest: {states} {left} {self.loop.problems[-1:]}")

    def _settle_down(self) -> None:
        self.turn()
        self.world.weave.finish()
        if self.listener is not None:
            self.listener.receive()
            self.listener.send()
        elif isinstance(self.stage, FaultyFolder):
            self.stage.deliver()

    def _set_free(self) -> int:
        """Resume every pipe, and release what was held, but for what kills."""
        released = 0
        operating = Operating(self.loop)
        for name in ON_ERROR:
            operating.resume(name)
        with self.loop.parts.warehouse.session() as session:
            held = held_files(session)
        for name, file in held.items():
            raw = self.stage.lying().get(name, (b"", None))[0]
            poison = any(c.poison and c.raw == raw for c in self.users.contents)
            if not (poison and file.reason is HeldReason.KILLED_READER):
                operating.release(name)
                released += 1
        return released


def simulate(site: Site, seed: int) -> Result:
    """Run one seed."""
    return Simulation(site, seed).run()
