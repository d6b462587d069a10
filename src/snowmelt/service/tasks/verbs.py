"""The verbs of tasks: list, run, retry, cancel, suspend, resume, history."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from snowmelt.errors import UnreachableError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION
from snowmelt.service.loading import Loading
from snowmelt.service.loop import Loop
from snowmelt.service.tasks.answers import (
    begun_document,
    default_document,
    graph_run_document,
    history_document,
    tasks_document,
)
from snowmelt.service.tasks.live_run import CANCELLED_BY_A_PERSON
from snowmelt.service.tasks.scheduler import Tasks
from snowmelt.transform.tasks.attempt import BROKEN, TaskState
from snowmelt.transform.tasks.ledger import GraphRun, Standing, graph_runs

RETRY_WITHIN = timedelta(days=14)
CONFIG_BYTES_MAX = 65_536


class TaskVerbs:
    """Answers about tasks from a loop; without a service, it runs them itself."""

    def __init__(self, loop: Loop, *, serving: bool) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving

    def tasks(self) -> Document:
        """Return every task, how it stands, and when the graph runs next."""
        tasks = self._loop.tasks.tasks
        if tasks is None:
            return default_document(self._parts.project)
        with self._loop.lock, self._parts.warehouse.snapshot() as session:
            return tasks_document(session, tasks, serving=self._serving)

    def history(self, task: str | None, state: str | None, limit: int) -> Document:
        """Return runs of tasks, newest first."""
        if state is not None and state.upper() not in set(TaskState):
            known = ", ".join(TaskState)
            raise UsageError(
                "--state", f"there is no state '{state}'", f"One of: {known}."
            )
        with self._parts.warehouse.snapshot() as session:
            return history_document(session, task, state, limit)

    def run(
        self, name: str | None, config: dict[str, Any] | None, *, wait: bool = True
    ) -> Document:
        """Run the graph, or one task of it, and wait until it has ended."""
        tasks = self._require(wait)
        chosen = name or tasks.graph.root
        self._require_known(tasks, chosen)
        _require_config(config)
        with self._loop.lock:
            self._require_free(tasks)
            group_id = tasks.execute(chosen, config)
            begun = None if wait else self._begun(tasks, group_id)
        return begun or self._wait(tasks, group_id)

    def retry(self, target: str | None, *, wait: bool = True) -> Document:
        """Try again what failed of a graph run, and what comes after it."""
        tasks = self._require(wait)
        with self._loop.lock:
            record = self._to_retry(tasks, target or tasks.graph.root)
            self._require_free(tasks)
            group_id = tasks.retry(record)
            begun = None if wait else self._begun(tasks, group_id)
        return begun or self._wait(tasks, group_id)

    def cancel(self, target: str | None, reason: str | None) -> Document:
        """Have graph runs end that are under way; say which, and what was at work.

        Only a service has any that are not the caller's own.
        """
        tasks = self._require()
        why = f"{CANCELLED_BY_A_PERSON}: {reason}" if reason else CANCELLED_BY_A_PERSON
        with self._loop.lock:
            cancelled = tasks.cancel(target, why)
        if not cancelled:
            raise UsageError(
                target or "tasks",
                "no such graph run is under way" if target else "none is under way",
                "See those that ended: snowmelt tasks history",
            )
        self._loop.wake.set()
        return {
            "schema_version": SCHEMA_VERSION,
            "cancelled": [
                {
                    "graph_run_group_id": record.graph_run_group_id,
                    "attempt_number": record.attempt_number,
                    "root_name": record.root_name,
                    "tasks": at_work,
                }
                for record, at_work in cancelled
            ],
        }

    def suspend(self, name: str, reason: str | None) -> Document:
        """Let a task not run until it is resumed."""
        return self._put(name, suspended=True, reason=reason)

    def resume(self, name: str) -> Document:
        """Let a suspended task run again."""
        return self._put(name, suspended=False, reason=None)

    def _put(self, name: str, *, suspended: bool, reason: str | None) -> Document:
        tasks = self._require()
        self._require_known(tasks, name)
        with self._loop.lock:
            before = tasks.standings[name]
            changed = before.suspended != suspended
            if changed:
                now = self._parts.clock.now()
                tasks.put(name, Standing(suspended, now, "person", reason))
        self._loop.wake.set()
        return {
            "schema_version": SCHEMA_VERSION,
            "task": name,
            "state": tasks.standings[name].word,
            "changed": changed,
            "is_root": name == tasks.graph.root,
        }

    def _require(self, wait: bool = True) -> Tasks:
        if not (wait or self._serving):
            raise UsageError(
                "--no-wait",
                "no service runs that would go on with it",
                "Leave it out, or start one: snowmelt up",
            )
        tasks = self._loop.tasks.tasks
        if tasks is None:
            raise UsageError(
                "tasks",
                "snowmelt.yml has none: files are loaded and published as they come",
                "See what that is: snowmelt tasks graph",
            )
        return tasks

    def _require_known(self, tasks: Tasks, name: str) -> None:
        if name in tasks.graph.tasks:
            return
        near = get_close_matches(name, list(tasks.graph.tasks), n=1)
        known = ", ".join(tasks.graph.tasks)
        remedy = f"Did you mean '{near[0]}'?" if near else f"Known: {known}."
        raise UsageError(name, "there is no such task", remedy)

    def _require_free(self, tasks: Tasks) -> None:
        if not self._serving:
            tasks.forget_unfinished()
        if why := tasks.calendar.blocked():
            raise UsageError("tasks", why, "See: snowmelt tasks")

    def _to_retry(self, tasks: Tasks, target: str) -> GraphRun:
        """Return the newest attempt at a graph run that may be tried again.

        Raises UsageError for one that did not fail, is too old, or was of other tasks.
        """
        of_name = target in tasks.graph.tasks
        where = "root_name = $1" if of_name else "graph_run_group_id = $1"
        with self._parts.warehouse.snapshot() as session:
            found = graph_runs(session, f"{where} and state <> 'SKIPPED'", [target])
            first = found[-1:]
            if found:
                group = [found[0].graph_run_group_id]
                every = graph_runs(session, "graph_run_group_id = $1", group)
                first = every[-1:]
        if not found:
            raise UsageError(
                target,
                "there is no graph run of this name or id",
                "See: snowmelt tasks history",
            )
        newest = found[0]
        if newest.state not in BROKEN:
            told = f"its last graph run is {newest.state}: there is nothing to retry"
            raise UsageError(target, told, "Run it: snowmelt tasks run")
        if self._parts.clock.now() - first[0].started_at > RETRY_WITHIN:
            raise UsageError(target, "it began more than 14 days ago", "Run the graph.")
        if newest.graph_version != tasks.version:
            raise UsageError(
                target,
                f"it ran with version {newest.graph_version} of the tasks, and "
                f"snowmelt.yml has version {tasks.version}",
                "Run the graph: snowmelt tasks run",
            )
        return newest

    def _begun(self, tasks: Tasks, group_id: str) -> Document:
        """Say that a graph run has begun; the service's loop goes on with it."""
        self._loop.wake.set()
        record = next(
            run.record
            for run in tasks.runner.runs
            if run.record.graph_run_group_id == group_id
        )
        return begun_document(record)

    def _wait(self, tasks: Tasks, group_id: str) -> Document:
        """Wait until a graph run is over; without a service, turn the loop for it."""
        loop, clock, never = self._loop, self._parts.clock, threading.Event()
        loop.wake.set()
        if not self._serving:
            loop.publishes_on_arrival = not tasks.graph.publishes
        while not tasks.ended(group_id):
            if self._serving:
                if loop.stopping:
                    raise UnreachableError("the service", "it is stopping")
                clock.wait(never, 0.02)
                continue
            loop.wake.clear()
            loop.turn()
            if not tasks.ended(group_id):
                clock.wait(loop.wake, loop.seconds_to_next())
        if not self._serving and loop.publishes_on_arrival:
            Loading(loop, serving=False).wait_until_quiet()
        with self._parts.warehouse.snapshot() as session:
            return graph_run_document(session, group_id)


def _require_config(config: dict[str, Any] | None) -> None:
    size = len(json.dumps(config or {}).encode())
    if size > CONFIG_BYTES_MAX:
        told = f"it has {size} bytes, and {CONFIG_BYTES_MAX} is the most"
        raise UsageError("--config", told)
