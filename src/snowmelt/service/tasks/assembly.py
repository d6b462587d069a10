"""The tasks of a project put together: kinds, lanes, the publication they share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Protocol, cast

from snowmelt.service.parts import Parts
from snowmelt.service.tasks.programs import Programs
from snowmelt.service.tasks.queries import Queries
from snowmelt.service.tasks.refreshing import Loads, Refreshing
from snowmelt.service.tasks.runner import Means
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.service.tasks.stages import SharedPublication, Stages
from snowmelt.service.tasks.webhook import post
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.tasks.graph import TaskGraph


class Turned(Loads, Protocol):
    """What turns tasks, and loads files for them: the loop."""

    parts: Parts
    wake: threading.Event

    def note(self, problem: str) -> None:
        """Keep a problem, to be shown."""
        ...


class TaskDesk:
    """What the loop asks about tasks, also where a project has none."""

    def __init__(self, loop: Turned) -> None:
        graph_tasks = loop.parts.project.settings.tasks
        self.tasks: Tasks | None = None
        if graph_tasks:
            graph = TaskGraph(graph_tasks)
            self.programs = Programs(loop.parts.project.root, loop.parts.clock)
            means = _means(loop, graph, self.programs)
            self.tasks = Tasks(graph, means, loop.note)

    @property
    def publishes(self) -> bool:
        """Do tasks build models? Then nothing is published on arrival."""
        return self.tasks is not None and self.tasks.graph.publishes

    @property
    def busy(self) -> bool:
        """Is a graph run under way?"""
        return self.tasks is not None and not self.tasks.runner.idle

    def schedule(self, now: datetime) -> None:
        """Begin runs when they are due, from now on."""
        if self.tasks is not None:
            self.programs.stop_left_over()
            self.tasks.schedule(now)

    def turn(self, now: datetime) -> None:
        """Do what is due of tasks."""
        if self.tasks is not None:
            self.tasks.turn(now)

    def next_at(self) -> datetime | None:
        """Return when there is something to do of tasks."""
        return self.tasks.next_at() if self.tasks is not None else None

    def rows_arrived(self) -> None:
        """Look at streams: a load was settled, or a run published."""
        if self.tasks is not None:
            self.tasks.calendar.look()

    def close(self) -> None:
        """Stop what is at work."""
        if self.tasks is not None:
            self.tasks.close()


def make_tasks(loop: Turned) -> TaskDesk:
    """Return the tasks of a loop's project."""
    return TaskDesk(loop)


def _means(loop: Turned, graph: TaskGraph, programs: Programs) -> Means:
    parts = loop.parts
    root, warehouse = parts.project.root, parts.warehouse
    queries = Queries(root, warehouse)
    wake: Callable[[], None] = loop.wake.set
    publication = SharedPublication(
        cast("Stages", parts.publication), queries, partial(project_digest, root), wake
    )
    refreshing = Refreshing(loop, warehouse, parts.clock)
    return Means(
        warehouse=warehouse,
        clock=parts.clock,
        events=parts.events,
        publication=publication,
        kinds={
            "sql": queries.alone,
            "python": programs.python,
            "shell": programs.shell,
            "webhook": post,
            "refresh": refreshing.refresh,
        },
        pool=ThreadPoolExecutor(graph.root_task.lanes_max, "task"),
        wake=wake,
        bronze=parts.project.settings.layers.bronze,
    )
