"""What tasks cost: at rest, in a graph run, and from a commit to a task that it starts.

`python -m bench tasks`: a service with a graph of 1,000 tasks beside one without any,
both at rest; a run of the graph; files that trigger a graph, one at a time.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import yaml

from bench.live.figures import Target, add_common_options, percentile, show, verdict
from bench.live.up import asking, pause, running
from bench.machine import describe_machine
from snowmelt.clock import SystemClock
from snowmelt.events import Event, Events, FileSettled, TaskStarted
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened

SETTINGS: dict[str, Any] = {
    "version": 1,
    "name": "tasks",
    "landing": {"settle": "0s", "refresh_every": "1h"},
    "warehouse": {"threads": 1},
}
PIPE = {
    "name": "orders",
    "pattern": "orders*.csv",
    "contract": {"columns": [{"name": "id", "type": "integer"}]},
}
IDLE_PERCENT_MAX = 1.0
LATENCY_MS_MAX = 50.0
WAIT_SECONDS_MAX = 60.0
# a task that builds models keeps the service from publishing by itself
QUIET = {"after": "root", "dbt": "none", "suspended": True}


@dataclass(frozen=True)
class Measured:
    """What tasks cost."""

    tasks: int
    idle_without: float
    idle_with: float
    run_seconds: float
    run_cpu_seconds: float
    latencies_ms: tuple[float, ...]

    @property
    def p95_ms(self) -> float:
        return percentile(self.latencies_ms, 95)

    @property
    def more_at_rest(self) -> float:
        """The CPU that the tasks take while none of them runs, in percent."""
        return max(self.idle_with - self.idle_without, 0.0) * 100


def graph_of(count: int) -> dict[str, Any]:
    """Return a graph of so many tasks: a root, some below it, the rest below those."""
    tasks: dict[str, Any] = {"root": {"cron": "0 0 1 1 *", "sql": "one.sql"}}
    for number in range(count - 2):
        parent = "root" if number < 99 else f"t{number % 99}"
        tasks[f"t{number}"] = {"after": parent, "sql": "one.sql"}
    return tasks | {"quiet": QUIET}


def write_project(root: Path, tasks: dict[str, Any]) -> Path:
    """Make a project with these tasks and one pipe."""
    for folder in ("pipes", "landing"):
        (root / folder).mkdir(parents=True)
    text = yaml.safe_dump(SETTINGS | {"tasks": tasks}, sort_keys=False)
    (root / "snowmelt.yml").write_text(text)
    (root / "pipes" / "orders.yml").write_text(yaml.safe_dump(PIPE))
    (root / "dbt_project.yml").write_text("{name: tasks, version: 1.0.0}")
    (root / "one.sql").write_text("select 1")
    return root


def measure(place: Path, count: int, seconds: float, files: int) -> Measured:
    """Measure a service without tasks, one with so many, and triggered starts."""
    few = {"root": {"cron": "0 0 1 1 *", "sql": "one.sql"}, "quiet": QUIET}
    with running(write_project(place / "few", few)) as service:
        service.rest()
        without = service.cpu_share(seconds)
    with running(write_project(place / "many", graph_of(count))) as service:
        service.rest()
        share = service.cpu_share(seconds)
        before, begun = service.cpu_seconds, perf_counter()
        with asking(service) as client:
            document = client.task_run(None, None)
        passed = perf_counter() - begun
        used = service.cpu_seconds - before
        if document["graph_run"]["state"] != "SUCCEEDED":
            raise SystemExit(f"the graph run ended as {document['graph_run']}")
    latencies = _latencies(place / "triggered", files)
    return Measured(count, without, share, passed, used, latencies)


def _latencies(root: Path, files: int) -> tuple[float, ...]:
    """Land files one at a time; time each from its commit to the task it starts."""
    root_task = {"when": "stream_has_data(orders)", "sql": "one.sql"}
    clock, started = SystemClock(), threading.Event()
    found: list[float] = []
    at: dict[str, Any] = {}

    def note(event: Event) -> None:
        if isinstance(event, FileSettled):
            at["commit"] = event.ended_at
        elif isinstance(event, TaskStarted):
            at["start"] = clock.now()
            started.set()

    events = Events()
    events.subscribe(note)
    write_project(root, {"root": root_task})
    with opened(load_project(root), clock, events) as parts:
        loop = Loop(parts, publishes=False)
        loop.tasks.schedule(clock.now())
        with _served(loop):
            for number in range(files):
                started.clear()
                hidden = root / "landing" / ".new.tmp"
                hidden.write_text(f"id\n{number}\n")
                hidden.rename(root / "landing" / f"orders_{number}.csv")
                if not started.wait(WAIT_SECONDS_MAX):
                    raise SystemExit("a file started no task")
                found.append((at["start"] - at["commit"]).total_seconds() * 1000)
                while loop.tasks.busy:
                    pause(0.005)
        loop.close()
    return tuple(found)


@contextmanager
def _served(loop: Loop) -> Iterator[None]:
    """Turn the loop in a thread of its own, as the service does, watching."""
    clock, stopping = SystemClock(), threading.Event()

    def turn() -> None:
        while not stopping.is_set():
            loop.wake.clear()
            loop.turn()
            clock.wait(loop.wake, loop.seconds_to_next())

    thread = threading.Thread(target=turn, name="loop")
    loop.parts.stage.watch(loop.wake.set)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        loop.wake.set()
        thread.join()
        loop.parts.stage.unwatch()


def table(measured: Measured, targets: Sequence[Target]) -> list[str]:
    """Return the figures as lines."""
    per_task = measured.run_cpu_seconds / measured.tasks * 1000
    return [
        f"at rest, CPU of a core: {measured.idle_with:.2%} with "
        f"{measured.tasks:,} tasks, {measured.idle_without:.2%} with 2",
        f"a run of them, `select 1` each: {measured.run_seconds:.2f} s, CPU "
        f"{measured.run_cpu_seconds:.2f} s, {per_task:.2f} ms a task",
        f"from commit to a triggered task: median "
        f"{median(measured.latencies_ms):.1f} ms, p95 {measured.p95_ms:.1f} ms, "
        f"max {max(measured.latencies_ms):.1f} ms of "
        f"{len(measured.latencies_ms)} files",
        *(f"tasks: {target.text}" for target in targets),
    ]


def main(arguments: Sequence[str]) -> int:
    """Measure and show; return 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench tasks")
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--idle-seconds", type=float, default=30.0)
    parser.add_argument("--files", type=int, default=100)
    add_common_options(parser)
    chosen = parser.parse_args(arguments)
    machine = describe_machine()
    with tempfile.TemporaryDirectory() as place:
        seen = measure(Path(place), chosen.tasks, chosen.idle_seconds, chosen.files)
    is_full = chosen.tasks >= 1_000
    targets = [
        Target(
            "CPU at rest", seen.more_at_rest, IDLE_PERCENT_MAX, "% of a core", is_full
        ),
        Target("p95 from commit to start", seen.p95_ms, LATENCY_MS_MAX, "ms", True),
    ]
    if chosen.json:
        print(json.dumps(asdict(seen)))
    show("tasks", machine, table(seen, targets), chosen)
    return verdict("tasks", targets)
