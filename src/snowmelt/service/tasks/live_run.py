"""A graph run that is under way: how its tasks stand, and the rows that say so."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from snowmelt.service.tasks.work import Done, Order, Stop
from snowmelt.transform.tasks.attempt import (
    BROKEN,
    Attempt,
    TaskState,
)
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import GraphRun, TaskRun

CANCELLED_BY_A_PERSON = "cancelled by a person"


@dataclass
class AtWork:
    """A task that executes: what it will come to, and by when it must."""

    work: Future[Done]
    stop: Stop
    deadline: datetime
    limit: timedelta


@dataclass
class LiveRun:
    """One attempt; it keeps the graph as it was when it began.

    `met`: conditions that were asked, once each. `changed`: rows to be written.
    """

    graph: TaskGraph
    record: GraphRun
    attempt: Attempt
    rows: dict[str, TaskRun] = field(default_factory=dict)
    return_values: dict[str, str | None] = field(default_factory=dict)
    met: dict[str, bool] = field(default_factory=dict)
    at_work: dict[str, AtWork] = field(default_factory=dict)
    waits_since: dict[str, datetime] = field(default_factory=dict)
    changed: dict[str, TaskRun] = field(default_factory=dict)
    written: set[str] = field(default_factory=set)
    """Names of the rows that are on record."""

    @property
    def key(self) -> str:
        """What no other attempt has."""
        return f"{self.record.graph_run_group_id}.{self.record.attempt_number}"

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = json.loads(self.record.config)
        return config

    def order(self, name: str) -> Order:
        """Return what a task is told: the values of those before it, all states."""
        task = self.graph.tasks[name]
        before = self.graph.order if task.finalize else task.after
        states = {each: str(state) for each, state in self.attempt.states.items()}
        return Order(
            name,
            task,
            self.graph.root,
            self.record.graph_run_group_id,
            self.record.attempt_number,
            self.record.scheduled_time,
            self.config,
            {each: self.return_values.get(each) for each in before},
            states,
        )

    def set_state(self, name: str, state: TaskState, **changes: Any) -> TaskRun:
        """Let a task stand otherwise; its row is to be written."""
        states = {**self.attempt.states, name: state}
        built, inside = self.attempt.built, self.attempt.inside
        if state is not TaskState.EXECUTING:
            built, inside = built - {name}, inside - {name}
        self.attempt = replace(self.attempt, states=states, built=built, inside=inside)
        row = replace(self.rows[name], state=state, **changes)
        self.rows[name] = self.changed[name] = row
        return row

    def set_inside(self, name: str) -> None:
        """Note that a task works inside the publication."""
        self.attempt = replace(self.attempt, inside=self.attempt.inside | {name})

    def set_built(self, name: str, run_id: str) -> None:
        """Note that a task's work is done, and stands or falls with a publication."""
        self.attempt = replace(self.attempt, built=self.attempt.built | {name})
        self.rows[name] = replace(self.rows[name], run_id=run_id)
        self.changed[name] = self.rows[name]

    def suspend(self, names: frozenset[str]) -> None:
        """Pass over these tasks from now on."""
        self.attempt = replace(self.attempt, suspended=names)

    @property
    def cancelled(self) -> bool:
        return self.attempt.cancelled

    @property
    def why_cancelled(self) -> str:
        """Return what is told of tasks that were cancelled with the graph run."""
        return self.record.first_error_message or CANCELLED_BY_A_PERSON

    def cancel(self, why: str) -> None:
        """Have it end: nothing is begun any more but the finalizer."""
        self.attempt = replace(self.attempt, cancelled=True)
        self.record = replace(self.record, cause="cancelled", first_error_message=why)

    def deadline(self, name: str, now: datetime) -> tuple[datetime, timedelta]:
        """Return by when a task that begins now must have ended, and its limit."""
        limit, of_graph = self.graph.timeout(name)
        return (self.record.started_at if of_graph else now) + limit, limit

    @property
    def first_error(self) -> TaskRun | None:
        """Return the task that failed first, or was cancelled first if none failed."""
        broken = [row for row in self.rows.values() if row.state in BROKEN]
        broken.sort(
            key=lambda row: (
                row.state is TaskState.CANCELLED,
                row.completed_time or row.scheduled_time,
            )
        )
        return broken[0] if broken else None


def standing_before(
    graph: TaskGraph, runs: list[TaskRun], attempt_number: int
) -> tuple[dict[str, TaskState], dict[str, str | None]]:
    """Return how tasks stand when an attempt begins, and what they returned."""
    states: dict[str, TaskState] = {}
    for number in range(1, attempt_number):
        of_attempt = {
            run.name: run.state
            for run in runs
            if run.attempt_number == number and run.name in graph.tasks
        }
        states = Attempt(graph, {**states, **of_attempt}).to_retry()
    values: Mapping[str, str | None] = {
        run.name: run.return_value
        for run in runs
        if run.state is TaskState.SUCCEEDED and run.attempt_number < attempt_number
    }
    return states, {name: values.get(name) for name in states}
