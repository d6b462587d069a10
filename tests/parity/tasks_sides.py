"""Graphs of tasks, on both sides: what each run of a task comes to is said beforehand.

Here tasks are programs. One that waits does so until it is told; `when: "no"` is a
condition that is not met, `when: rows` one that rows make true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from scenario import NOON, Scenario
from snowflake_tasks import Graph
from task_project import MovedClock, World, open_world

from snowmelt.transform.tasks.timetable import Timetable

_PROGRAM = """n=$(cat {name}.n 2>/dev/null || echo 0); echo $((n+1)) > {name}.n
case " {fails} " in *" $n "*) exit 1;; esac
case " {waits} " in *" $n "*)
  touch {name}.waits; while [ ! -e {name}.go ]; do sleep 0.02; done; rm {name}.go;;
esac"""
_WHEN = {"no": "stream_has_data(orders)", "rows": "stream_has_data(orders)"}


def seen(
    history: dict[str, list[str]], ended: list[str], suspended: set[str]
) -> dict[str, Any]:
    """Return what is looked at in the end; what is empty is left out."""
    told = {"tasks": history, "graphs": ended, "suspended": sorted(suspended)}
    return {key: value for key, value in told.items() if value}


class There:
    """The graph on the double."""

    def __init__(self, scenario: Scenario) -> None:
        tasks = scenario.given.get("tasks", {})
        met = {name: task.get("when") != "no" for name, task in tasks.items()}
        self.graph = Graph(tasks, scenario.given.get("outcomes", {}), met)
        self.asked = set(self.graph.suspended)
        self.runs: list[str] = []

    def tick(self, _: object) -> None:
        self.graph.tick()

    def execute(self, _: object) -> None:
        self.graph.execute()

    def retry(self, _: object) -> None:
        self.graph.retry()

    def finish(self, name: str) -> None:
        self.graph.finish(name)

    def arrive(self, _: object) -> None:
        """Triggered: it begins when there are rows (user-guide/tasks-triggered)."""
        self.graph.execute()

    def cron(self, given: dict[str, Any]) -> None:
        """Local times: one that is there twice is met twice, one that is left out is
        not (sql-reference/sql/create-task).
        """
        minute, hour = (int(part) for part in given["cron"].split()[:2])
        zone = ZoneInfo(given["timezone"])
        at = datetime.fromisoformat(f"{given['day']}T00:00").replace(tzinfo=zone)
        at = at.astimezone(NOON.tzinfo)
        for _ in range(24 * 60):
            local = at.astimezone(zone)
            if (local.hour, local.minute) == (hour, minute):
                self.runs.append(f"{at:%H:%M}")
            at += timedelta(minutes=1)

    def outcome(self) -> dict[str, Any]:
        graph = self.graph
        told = seen(graph.history, graph.ended, graph.suspended - self.asked)
        return told | ({"runs": self.runs} if self.runs else {})


class Here:
    """The graph in a real project, whose clock is moved."""

    def __init__(self, world: World, clock: MovedClock, asked: set[str]) -> None:
        self.world, self.clock, self.asked = world, clock, asked
        self.ticks = 0
        self.runs: list[str] = []
        self.world.serve()

    def tick(self, _: object) -> None:
        self.ticks += 1
        self.clock.move(NOON + timedelta(minutes=self.ticks))
        self._settle()

    def execute(self, _: object) -> None:
        self.world.verbs.task_run(None, None)

    def retry(self, _: object) -> None:
        self.world.verbs.task_retry(None)

    def finish(self, name: str) -> None:
        (self.world.root / f"{name}.waits").unlink()
        (self.world.root / f"{name}.go").touch()
        self._settle()

    def arrive(self, _: object) -> None:
        self.world.land(f"orders_{self.ticks}.csv", [1])
        self.world.loop.ask_refresh()
        self.world.turn_until(lambda: self.world.loop.has_loaded(None))
        self._settle()

    def cron(self, given: dict[str, Any]) -> None:
        zone = ZoneInfo(given["timezone"])
        at = datetime.fromisoformat(f"{given['day']}T00:00").replace(tzinfo=zone)
        timetable = Timetable(given["cron"], given["timezone"])
        due = timetable.next_after(at - timedelta(seconds=1))
        while due.astimezone(zone).date() == at.date():
            self.runs.append(f"{due.astimezone(NOON.tzinfo):%H:%M}")
            due = timetable.next_after(due)

    def _settle(self) -> None:
        """Turn the loop until nothing is at work but what waits to be told."""
        self.world.turn_until(
            lambda: (
                not self.world.loop.tasks.busy or any(self.world.root.glob("*.waits"))
            )
        )

    def outcome(self) -> dict[str, Any]:
        history: dict[str, list[str]] = {}
        for name, state in self.world.rows(
            "select name, state from snowmelt.task_history where state <> 'SCHEDULED' "
            "order by coalesce(query_start_time, scheduled_time), attempt_number"
        ):
            history.setdefault(name, []).append(state)
        ended = [
            state
            for (state,) in self.world.rows(
                "select state from snowmelt.complete_task_graphs "
                "order by scheduled_time, attempt_number"
            )
        ]
        standings = self.world.tasks.standings.items()
        suspended = {name for name, each in standings if each.suspended}
        told = seen(history, ended, suspended - self.asked)
        return told | ({"runs": self.runs} if self.runs else {})


@contextmanager
def here(scenario: Scenario, root: Path) -> Iterator[Here]:
    """Open a project whose tasks come to what the scenario says."""
    outcomes = scenario.given.get("outcomes", {})
    given = scenario.given.get("tasks", {"root": {"every": "1m"}})
    tasks = {
        name: _program(name, dict(task), outcomes.get(name, []))
        for name, task in given.items()
    }
    clock = MovedClock()
    clock.move(NOON)
    with open_world(root, tasks, clock=clock) as world:
        asked = {name for name, task in given.items() if task.get("suspended")}
        yield Here(world, clock, asked)


def _program(name: str, task: dict[str, Any], outcomes: list[str]) -> dict[str, Any]:
    fails, waits = (
        " ".join(str(at) for at, each in enumerate(outcomes) if each == word)
        for word in ("fails", "waits")
    )
    if "when" in task:
        task["when"] = _WHEN[task["when"]]
    return task | {"shell": _PROGRAM.format(name=name, fails=fails, waits=waits)}


def play(side: There | Here, scenario: Scenario) -> dict[str, Any]:
    """Take the steps of a scenario on one side; return what was seen."""
    for verb, argument in scenario.steps:
        do: Callable[[Any], None] = getattr(side, verb)
        do(argument)
    return side.outcome()
