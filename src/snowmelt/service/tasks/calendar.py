"""When the graph of a project is due: by its timetable, or by its streams."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from snowmelt.clock import uuid7
from snowmelt.errors import SnowmeltError
from snowmelt.service.tasks.live_run import LiveRun
from snowmelt.service.tasks.rows import planned_row
from snowmelt.service.tasks.runner import Means, Runner
from snowmelt.transform.tasks.attempt import TaskState
from snowmelt.transform.tasks.condition import holds
from snowmelt.transform.tasks.due import (
    LastTriggered,
    Origin,
    UnderWay,
    blocked_by_overlap,
    trigger_at,
)
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import (
    TaskRun,
    forget_scheduled,
    last_triggered,
    next_scheduled,
    write_task_runs,
)
from snowmelt.transform.tasks.unread import Reader, has_unread, position
from snowmelt.warehouse.port import Session

HEALTH_CHECK = timedelta(hours=12)
"""A triggered graph looks at its streams so often even if nothing tells it to."""
LATE = timedelta(minutes=1)
"""What was due for longer is told of when it runs."""
Note = Callable[[str], None]
Begin = Callable[[Origin, str, datetime, TaskRun | None], LiveRun]
"""Begins a run of the graph: why, its group, when it was due, its root's row if any."""


class Calendar:
    """Begins the runs of a graph that are due. Only a service has a calendar open."""

    def __init__(
        self, graph: TaskGraph, version: int, runner: Runner, note: Note
    ) -> None:
        self.graph = graph
        self.runner = runner
        self.is_open = False
        self.look_at: datetime | None = None
        self._means: Means = runner.means
        self._version = version
        self._note = note
        self._next: TaskRun | None = None
        self._told_overlap = False
        self._writes: list[Callable[[Session], None]] = []
        with self._means.warehouse.session() as session:
            self._last = last_triggered(session, graph.root)

    def open(self, now: datetime, *, suspended: bool) -> None:
        """Begin runs when they are due, from now on; one that was missed at once."""
        self.is_open = True
        with self._means.warehouse.session() as session:
            known = self._next = next_scheduled(session)
        if self.graph.timetable is None or suspended:
            self.plan(None)
        elif known is None or (
            known.graph_version != self._version and known.scheduled_time > now
        ):
            self.plan(now)
        self.look()

    def look(self) -> None:
        """Have the streams of a triggered graph looked at."""
        if self.graph.is_triggered and self.is_open:
            self.look_at = self._means.clock.now()

    def run_ended(self) -> None:
        """Take note that a run is over: the next one may begin."""
        self._told_overlap = False
        self.look()

    def take_writes(self) -> list[Callable[[Session], None]]:
        """Return what is to be put on record, once."""
        writes, self._writes = self._writes, []
        return writes

    @property
    def next_due(self) -> datetime | None:
        """Return when the next run by the timetable is put down for."""
        return self._next.scheduled_time if self._next is not None else None

    def next_at(self) -> datetime | None:
        """Return when there is something to do; streams wait for the run to end."""
        look_at = None if self.runner.runs else self.look_at
        known = [each for each in (look_at, self.next_due) if each is not None]
        return min(known, default=None) if self.is_open else None

    @property
    def _under_way(self) -> UnderWay:
        runs = self.runner.runs
        roots = sum(
            run.attempt.states.get(run.graph.root, TaskState.EXECUTING)
            is TaskState.EXECUTING
            for run in runs
        )
        return UnderWay(len(runs), roots)

    def blocked(self) -> str:
        """Say why no run may begin now; empty if one may."""
        return blocked_by_overlap(self.graph.root_task.overlap_policy, self._under_way)

    def begin_due(self, now: datetime, begin: Begin) -> None:
        """Begin the run that is due; of several that were missed, the last."""
        due, timetable = self._next, self.graph.timetable
        if due is None or timetable is None or now < due.scheduled_time:
            return
        last, passed = timetable.last_until(due.scheduled_time, now)
        if now - due.scheduled_time > LATE:
            self._note(
                f"task {self.graph.root}: {passed} scheduled "
                f"{'time' if passed == 1 else 'times'} passed up to "
                f"{last:%Y-%m-%d %H:%M:%S} UTC while nothing could run; it runs once"
            )
        due = replace(
            due,
            scheduled_time=last,
            graph_scheduled_time=last,
            graph_version=self._version,
            next_scheduled_time=timetable.next_after(now),
        )
        if why := self.blocked():
            self._skip_due(due, why, now)
        else:
            self._told_overlap = False
            begin(Origin.SCHEDULE, due.graph_run_group_id, last, due)
        self.plan(now)

    def _skip_due(self, due: TaskRun, why: str, now: datetime) -> None:
        """Put down that a run was skipped: once for all those that one holds up."""
        if self._told_overlap:
            return
        self._told_overlap = True
        skipped = replace(
            due,
            state=TaskState.SKIPPED,
            cause="overlap",
            error_message=why,
            completed_time=now,
        )
        self._writes.append(partial(_write, [skipped]))

    def plan(self, now: datetime | None) -> None:
        """Put down when the next run is; None: there is none."""
        timetable, self._next = self.graph.timetable, None
        if now is not None and timetable is not None:
            at = timetable.next_after(now)
            self._next = planned_row(self.graph, self._version, at, now)
        planned = [self._next] if self._next is not None else []
        self._writes += [forget_scheduled, partial(_write, planned)]

    def begin_triggered(self, now: datetime, begin: Begin) -> None:
        """Begin a run if streams have data and nothing is under way."""
        if not self.graph.is_triggered:
            return
        if self.look_at is None or now < self.look_at or self.runner.runs:
            return
        condition = self.graph.condition(self.graph.root)
        assert condition is not None
        reader = Reader(self.graph.root, self.graph.publishes, self._means.bronze)
        try:
            with self._means.warehouse.snapshot() as session:
                reached = position(session)
                due = holds(condition, partial(has_unread, session, reader))
        except SnowmeltError as error:
            self._note(str(error))
            due = False
        if not due:
            self.look_at = now + HEALTH_CHECK
            return
        least = self.graph.root_task.min_interval
        self.look_at = trigger_at(now, self._last, reached, least)
        if self.look_at <= now:
            self.look_at = None
            run = begin(Origin.TRIGGER, uuid7(now), now, None)
            self._last = LastTriggered(now, run.record.read_through)


def _write(rows: list[TaskRun], session: Session) -> None:
    write_task_runs(session, rows)
