"""When the graph of a project runs, and what becomes of it when it failed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import replace
from datetime import datetime, timedelta

from snowmelt.clock import uuid7
from snowmelt.service.tasks.calendar import Calendar
from snowmelt.service.tasks.live_run import LiveRun, standing_before
from snowmelt.service.tasks.rows import record_of
from snowmelt.service.tasks.runner import CANCELLED, Means, Runner
from snowmelt.transform.tasks.attempt import BROKEN, Attempt, TaskState
from snowmelt.transform.tasks.due import (
    Origin,
)
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import (
    GraphRun,
    Standing,
    TaskRun,
    config_text,
    failures_in_a_row,
    graph_runs,
    keep_version,
    read_version,
    record_standing,
    standings,
    task_runs_of,
)
from snowmelt.transform.tasks.unread import position
from snowmelt.warehouse.port import Session

HEALTH_CHECK = timedelta(hours=12)
"""A triggered graph looks at its streams so often even if nothing tells it to."""
STOP_SECONDS_MAX = 10.0
LATE = timedelta(minutes=1)
"""What was due for longer is told of when it runs."""


class Tasks:
    """The tasks of a project: due, triggered, asked for, tried again, suspended.

    Its methods are called with the loop's lock held. Only a service begins runs by
    itself (`schedule`).
    """

    def __init__(
        self, graph: TaskGraph, means: Means, note: Callable[[str], None]
    ) -> None:
        self.graph = graph
        self.means = means
        self.runner = Runner(means)
        self._note = note
        self._done: dict[str, threading.Event] = {}
        with means.warehouse.session() as session, session.transaction():
            self.version = keep_version(session, graph, means.clock.now())
            self.standings = standings(session, graph)
        self.calendar = Calendar(graph, self.version, self.runner, note)

    # ---- the loop's side ----

    def schedule(self, now: datetime) -> None:
        """Begin runs when they are due, from now on; go on with what was cut off."""
        with self.means.warehouse.session() as session:
            cut_off = graph_runs(session, "ended_at is null")
        for record in cut_off:
            self.runner.runs.append(self.recall(record))
        self.calendar.open(now, suspended=self._root_suspended)

    def turn(self, now: datetime) -> None:
        """Take what ended, begin what is due, bring every run as far as it comes."""
        if self.runner.idle and not self.calendar.is_open:
            return
        self.runner.collect(now)
        if self.calendar.is_open and not self._root_suspended:
            self.calendar.begin_due(now, self._begin)
            self.calendar.begin_triggered(now, self._begin)
        waiting = list(self.runner.runs)
        suspended: list[Standing] = []
        while waiting:
            run = waiting.pop(0)
            if self.runner.advance(run, now):
                following = self._follow(run, now, suspended)
                if following is not None:
                    waiting.append(following)
        also = [_recording(self.graph.root, each) for each in suspended]
        self.runner.flush([*self.calendar.take_writes(), *also])
        for run in self.runner.take_over():
            self._event(run.record.graph_run_group_id).set()

    def next_at(self) -> datetime | None:
        """Return when there is something to do unless something wakes the loop."""
        begins = None if self._root_suspended else self.calendar.next_at()
        known = (self.runner.next_deadline(), begins)
        return min((each for each in known if each is not None), default=None)

    @property
    def next_time(self) -> datetime | None:
        """Return when the graph runs next by its timetable."""
        if self.graph.timetable is None or self._root_suspended:
            return None
        now = self.means.clock.now()
        return self.calendar.next_due or self.graph.timetable.next_after(now)

    def close(self) -> None:
        """Stop what is at work, roll back what is not published, put it on record."""
        wait(self.runner.stop_all("stopped"), timeout=STOP_SECONDS_MAX)
        self.means.publication.close("the process is stopping")
        self.means.pool.shutdown(wait=False, cancel_futures=True)
        if self.runner.runs:
            self.runner.collect(self.means.clock.now())
            self.runner.flush()

    # ---- begin ----

    @property
    def _root_suspended(self) -> bool:
        return self.standings[self.graph.root].suspended

    @property
    def _suspended(self) -> frozenset[str]:
        return frozenset(
            name for name, each in self.standings.items() if each.suspended
        )

    def _begin(
        self, origin: Origin, group_id: str, at: datetime, row: TaskRun | None
    ) -> LiveRun:
        """Begin a run of the whole graph; `row`: the root's, if it has one."""
        return self._begin_graph(self.graph, origin, group_id, at, row)

    def _begin_graph(
        self,
        graph: TaskGraph,
        origin: Origin,
        group_id: str,
        at: datetime,
        row: TaskRun | None,
    ) -> LiveRun:
        record = record_of(graph, group_id, self.version, origin, at)
        record = replace(record, started_at=self.means.clock.now())
        with self.means.warehouse.session() as session:
            record = replace(record, read_through=position(session))
        run = LiveRun(graph, record, Attempt(graph, suspended=self._suspended))
        if row is not None:
            run.rows[graph.root] = row
        if origin in (Origin.TRIGGER, Origin.EXECUTE_TASK):
            run.met[graph.root] = True
        self.runner.begin(run)
        return run

    # ---- after it ended ----

    def _follow(
        self, run: LiveRun, now: datetime, suspended: list[Standing]
    ) -> LiveRun | None:
        """Return the attempt that comes next of itself; else the run is over."""
        if run.record.state in BROKEN and not run.cancelled:
            with self.means.warehouse.session() as session:
                made = graph_runs(
                    session,
                    "graph_run_group_id = $1 and scheduled_from = 'AUTOMATIC RETRY' "
                    "and attempt_number <> $2",
                    [run.record.graph_run_group_id, run.record.attempt_number],
                )
                is_retry = run.record.scheduled_from == Origin.AUTOMATIC_RETRY
                tried = len(made) + is_retry
                if tried < run.graph.root_task.auto_retry_attempts:
                    return self._retry(run, Origin.AUTOMATIC_RETRY, now)
                suspended += self._suspend_failing(session, run, now)
        self.calendar.run_ended()
        self.runner.over.append(run)
        return None

    def _retry(self, run: LiveRun, origin: Origin, now: datetime) -> LiveRun:
        """Begin the next attempt: what failed, and what comes after it."""
        states = run.attempt.to_retry()
        record = replace(
            run.record,
            attempt_number=run.record.attempt_number + 1,
            state=TaskState.EXECUTING,
            scheduled_from=origin,
            started_at=now,
            ended_at=None,
            cause=None,
            first_error_task_name=None,
            first_error_message=None,
        )
        again = LiveRun(
            run.graph,
            record,
            Attempt(run.graph, states, suspended=self._suspended),
            return_values={name: run.return_values.get(name) for name in states},
        )
        again.met[run.graph.root] = True
        self.runner.begin(again)
        return again

    def _suspend_failing(
        self, session: Session, run: LiveRun, now: datetime
    ) -> list[Standing]:
        """Suspend the root after too many failures in a row."""
        most, record = run.graph.root_task.suspend_after_failures, run.record
        counts = record.state is TaskState.FAILED and record.cause != "interrupted"
        if not most or not counts or run.graph.root != self.graph.root:
            return []
        but = record.graph_run_group_id
        count = failures_in_a_row(session, self.graph.root, but) + 1
        first = run.first_error
        if count < most or first is None or self._root_suspended:
            return []
        row = replace(first, state=TaskState.FAILED_AND_AUTO_SUSPENDED)
        run.rows[first.name] = run.changed[first.name] = row
        reason = f"{count} graph runs failed one after the other"
        self._note(
            f"task {self.graph.root} is suspended: {reason}. When it is mended: "
            f"snowmelt tasks resume {self.graph.root}"
        )
        standing = Standing(True, now, "failures", reason)
        self.standings[self.graph.root] = standing
        self.calendar.plan(None)
        return [standing]

    # ---- what was cut off ----

    def recall(self, record: GraphRun) -> LiveRun:
        """Return an attempt as its rows tell of it, with the graph as it was then."""
        with self.means.warehouse.session() as session:
            graph = read_version(session, record.graph_version, self.graph)
            runs = task_runs_of(session, record.graph_run_group_id)
        if graph.root != record.root_name:
            graph = graph.only(record.root_name)
        states, values = standing_before(graph, runs, record.attempt_number)
        own = {
            each.name: each
            for each in runs
            if each.attempt_number == record.attempt_number
        }
        cancelled = record.cause == CANCELLED and record.ended_at is None
        states |= {
            name: TaskState.CANCELLED
            if cancelled and each.cause == "interrupted"
            else each.state
            for name, each in own.items()
        }
        values |= {name: each.return_value for name, each in own.items()}
        attempt = Attempt(
            graph,
            states,
            suspended=self._suspended,
            cancelled=cancelled,
        )
        return LiveRun(graph, record, attempt, own, values, written=set(own))

    # ---- a person's side ----

    def execute(self, name: str, config: dict[str, object] | None) -> str:
        """Begin a run of the graph, or of one task alone; return its group's id."""
        now = self.means.clock.now()
        graph = self.graph if name == self.graph.root else self.graph.only(name)
        group_id = uuid7(now)
        run = self._begin_graph(graph, Origin.EXECUTE_TASK, group_id, now, None)
        if config is not None:
            merged = {**graph.root_task.config, **config}
            run.record = replace(run.record, config=config_text(merged))
            self.runner.replace_record(run)
        return group_id

    def retry(self, record: GraphRun) -> str:
        """Begin another attempt at a graph run that failed; return its group's id."""
        run = self.recall(record)
        self._done.pop(record.graph_run_group_id, None)
        self._retry(run, Origin.MANUAL_RETRY, self.means.clock.now())
        return record.graph_run_group_id

    def cancel(self, target: str | None, why: str) -> list[tuple[GraphRun, list[str]]]:
        """Cancel the graph runs of a root or an id, or all; return them, and tasks."""
        return [
            (run.record, self.runner.cancel(run, why))
            for run in self.runner.runs
            if target in (None, run.record.root_name, run.record.graph_run_group_id)
        ]

    def ended(self, group_id: str) -> bool:
        """Has a graph run ended, the attempts that come of themselves too?"""
        return self._event(group_id).is_set()

    def _event(self, group_id: str) -> threading.Event:
        return self._done.setdefault(group_id, threading.Event())

    def forget_unfinished(self) -> None:
        """Give up what a process left that died: only a service goes on with it."""
        now = self.means.clock.now()
        with self.means.warehouse.session() as session:
            cut_off = graph_runs(session, "ended_at is null")
        for record in cut_off:
            run = self.recall(record)
            self.runner.runs.append(run)
            self.runner.give_up(run, now)
        self.runner.flush()

    def put(self, name: str, standing: Standing) -> None:
        """Suspend or resume a task."""
        with self.means.warehouse.session() as session, session.transaction():
            record_standing(session, name, standing)
        self.standings[name] = standing
        for run in self.runner.runs:
            run.suspend(self._suspended)
        if name != self.graph.root:
            return
        if standing.suspended:
            self.calendar.plan(None)
        elif self.calendar.is_open:
            self.calendar.plan(standing.since)
            self.calendar.look()
        self.runner.flush(self.calendar.take_writes())


def _recording(root: str, standing: Standing) -> Callable[[Session], None]:
    """Return what puts a standing on record."""
    return lambda session: record_standing(session, root, standing)
