"""A project with tasks and one pipe, whose clock can be moved.

Publications in stages are played by `FakeStages`: a transaction of a session of its
own, in which `build` writes down what was built, so that readers tell what is visible.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from snowmelt.clock import SystemClock, uuid7
from snowmelt.errors import RunError
from snowmelt.events import Event, Events, TaskFinished
from snowmelt.gold.run_history import RunEnd, RunStart, RunState, close_run, open_run
from snowmelt.gold.run_result import RunResult
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.transform.building import Built
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.tasks.unread import position
from snowmelt.warehouse.port import Row, Session, Warehouse

SECONDS_MAX = 60
PIPE = {
    "name": "orders",
    "pattern": "orders*.csv",
    "contract": {"columns": [{"name": "id", "type": "integer"}]},
}
SETTINGS: dict[str, Any] = {
    "version": 1,
    "name": "small",
    "landing": {"settle": "0s", "refresh_every": "1h"},
    "warehouse": {"threads": 1},
}
STATES = "select name, state from snowmelt.task_history order by query_start_time, 1"


class MovedClock(SystemClock):
    """The machine's time, so much later."""

    def __init__(self) -> None:
        self.later = timedelta()

    def now(self) -> datetime:
        return super().now() + self.later

    def move(self, to: datetime) -> None:
        self.later = to - super().now()


class FakeStaged:
    """A publication that only writes down what it was asked to build."""

    def __init__(self, warehouse: Warehouse, clock: SystemClock, reason: str) -> None:
        self._held, self._clock = ExitStack(), clock
        self.session: Session = self._held.enter_context(warehouse.session())
        now = clock.now()
        self.run_id = uuid7(now)
        open_run(self.session, RunStart(self.run_id, reason, now, "digest"))
        self._result = RunResult(self.run_id, RunState.FAILED, reason, now)
        self._transaction = ExitStack()
        self._transaction.enter_context(self.session.transaction())
        self._read_through = position(self.session)
        self._ended = False

    def build(self, select: Sequence[str]) -> list[NodeResult]:
        for name in select:
            if "broken" in name:
                self._end("model broken: it does not build", failed=True)
                raise RunError(f"run {self.run_id}", "model broken: it does not build")
            self.session.execute("insert into gold.made values ($1)", [name])
        return [_node(name, "model") for name in select]

    def test(self, select: Sequence[str]) -> list[NodeResult]:
        return [_node(name, "test") for name in select]

    def commit(self) -> RunResult:
        if self.session.value("select count(*) from gold.made where name = 'odd'"):
            self._end("test odd: 1 row", failed=True)
        elif not self._ended:
            self._result.state = RunState.SUCCEEDED
            self._end(None, failed=False)
        return self._result

    def abandon(self, reason: str) -> RunResult:
        if not self._ended:  # else it would break off what records the end
            self.session.interrupt()
        self._end(reason, failed=True)
        return self._result

    def _end(self, error: str | None, *, failed: bool) -> None:
        if self._ended:
            return
        self._ended = True
        self._result.error = error
        if failed:
            undo = RuntimeError()
            self._transaction.__exit__(RuntimeError, undo, None)
        end = RunEnd(self._result.state, self._clock.now(), self._read_through, error)
        close_run(self.session, self.run_id, end, Built())
        self._transaction.close()
        self._held.close()


def _node(name: str, kind: str) -> NodeResult:
    return NodeResult(name, kind, "success", 0.0, None, None, None)


@dataclass
class FakeStages:
    """Begins publications, unless `nothing_due`."""

    warehouse: Warehouse
    clock: SystemClock
    nothing_due: bool = False

    def stage(self, digest: str, reason: str) -> FakeStaged | None:
        del digest
        if self.nothing_due:
            return None
        return FakeStaged(self.warehouse, self.clock, reason)


@dataclass
class World:
    """An open project with its loop."""

    root: Path
    loop: Loop
    clock: MovedClock
    stages: FakeStages
    events: list[Event] = field(default_factory=list)

    @property
    def tasks(self) -> Tasks:
        assert self.loop.tasks.tasks is not None
        return self.loop.tasks.tasks

    @property
    def verbs(self) -> OwnCommands:
        return OwnCommands(self.loop, serving=False)

    def run(self, config: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the graph to its end; return the newest state of each task."""
        return states_of(self.verbs.task_run(None, config))

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        with self.loop.parts.warehouse.snapshot() as session:
            return session.rows(sql, parameters)

    def row(self, name: str) -> dict[str, Any]:
        """Return the newest run of a task, as task_history has it."""
        with self.loop.parts.warehouse.snapshot() as session:
            found = session.table(
                "select * from snowmelt.task_history "
                "where name = $1 and state <> 'SCHEDULED' "
                "order by coalesce(query_start_time, scheduled_time) desc limit 1",
                [name],
            )
        return dict(zip(found.columns, found.rows[0], strict=True))

    def visible(self) -> list[str]:
        """Return what readers see of what was built."""
        return [name for (name,) in self.rows("select name from gold.made order by 1")]

    def turn_until(
        self, found: Callable[[], bool], seconds: float = SECONDS_MAX
    ) -> None:
        """Turn the loop, as a service does, until something is so."""
        latest = time.monotonic() + SECONDS_MAX
        while True:
            self.loop.wake.clear()
            self.loop.turn()
            if found():
                return
            assert time.monotonic() < latest, self.rows(STATES)
            self.loop.wake.wait(min(self.loop.seconds_to_next(), 0.2))

    def turn_to_rest(self) -> None:
        self.turn_until(lambda: not self.loop.tasks.busy)

    def land(self, name: str, ids: Sequence[int]) -> None:
        text = "id\n" + "".join(f"{each}\n" for each in ids)
        hidden = self.root / "landing" / ".new.tmp"
        hidden.write_text(text)
        hidden.rename(self.root / "landing" / name)

    def serve(self) -> None:
        """Begin runs when they are due, as a service does."""
        self.loop.publishes = False
        self.loop.tasks.schedule(self.clock.now())

    def told(self, kind: type[Event] = TaskFinished) -> list[Any]:
        return [each for each in self.events if isinstance(each, kind)]


def states_of(document: dict[str, Any]) -> dict[str, Any]:
    """Return the state of each task in its newest attempt, and of the graph run."""
    states = {each["name"]: each["state"] for each in document["task_runs"]}
    return states | {"graph": document["graph_run"]["state"]}


def write_project(root: Path, tasks: dict[str, Any], files: dict[str, str]) -> None:
    for folder in ("pipes", "landing"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "snowmelt.yml").write_text(
        yaml.safe_dump(SETTINGS | {"tasks": tasks}, sort_keys=False)
    )
    (root / "pipes" / "orders.yml").write_text(yaml.safe_dump(PIPE))
    (root / "dbt_project.yml").write_text("{name: small, version: 1.0.0}")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@contextmanager
def open_world(
    root: Path,
    tasks: dict[str, Any],
    files: dict[str, str] | None = None,
    clock: MovedClock | None = None,
) -> Iterator[World]:
    """Make a project with tasks, or make it again, and open it."""
    write_project(root, tasks, files or {})
    clock, events = clock or MovedClock(), Events()
    with (
        pytest.MonkeyPatch.context() as patch,
        opened(load_project(root), clock, events) as parts,
    ):
        with parts.warehouse.session() as session:
            session.execute("create schema if not exists gold")
            session.execute("create table if not exists gold.made (name varchar)")
        loop = Loop(parts, publishes=False)
        stages = FakeStages(parts.warehouse, clock)
        assert loop.tasks.tasks is not None
        patch.setattr(parts.publication, "publish", lambda *_, **__: None)
        loop.tasks.tasks.means.publication._stages = stages
        world = World(root, loop, clock, stages)
        events.subscribe(world.events.append)
        try:
            yield world
        finally:
            loop.close()


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
