"""What runs after files were copied: the procedure, streams, the tasks. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property, partial

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.dbt_runs import (
    News,
    call_of,
    news_of,
    owed_streams,
    retry_code,
    run_procedure,
    waits_for,
)
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.kept_history import KEEP
from snowmelt.deploy.snowflake.places import Findings
from snowmelt.deploy.snowflake.refreshing import refresh_code
from snowmelt.deploy.snowflake.sharing import reading_alone, streams_on
from snowmelt.deploy.snowflake.sql import Written
from snowmelt.deploy.snowflake.task import Stream, Task, TaskGraph
from snowmelt.deploy.snowflake.task_place import Place
from snowmelt.deploy.snowflake.task_sql import Readable, task_code
from snowmelt.transform.tasks.condition import (
    Condition,
    UnreadRows,
    parse_condition,
    streams_in,
)
from snowmelt.transform.tasks.config import OverlapPolicy, TaskConfig
from snowmelt.transform.tasks.graph import TaskGraph as LocalGraph

PUBLISH = "publish_arrivals"
RETRY_BUILD = "retry_build"
_RETRY_MINUTES = 60
_TRIGGERED = "USER_TASK_MINIMUM_TRIGGER_INTERVAL_IN_SECONDS"
_TRIGGERED_SECONDS = (10, 604_800)
"""What that may be: https://docs.snowflake.com/en/sql-reference/sql/create-task"""
MINUTES_MAX = 11_520
"""A schedule of more minutes never runs, or is refused; one by cron has no such limit:
https://docs.snowflake.com/en/sql-reference/sql/create-task"""
_NOT_TOO_EARLY = "--indirect-selection buildable"
"""A test runs in the step after which all that it looks at is made, as it does here:
https://docs.getdbt.com/reference/node-selection/test-selection-examples"""
_HERE_ONLY = {
    "python": "calls a function on this machine",
    "shell": "runs a program on this machine",
    "webhook": "posts to an address, which an account does only with a secret stored "
    "in it",
}


def map_tasks(
    tasks: dict[str, TaskConfig], place: Place, findings: Findings, readable: Readable
) -> list[Entity]:
    """Return procedure, streams and tasks; note what no task can do there.

    Where the project's own graph builds no models, what arrives is built by a graph of
    one task as soon as there is any.
    """
    for taken_name in sorted({*tasks} & {PUBLISH, RETRY_BUILD, KEEP}):
        findings.refuse(
            findings.settings("tasks", taken_name),
            f"a task of deploy's own is called {taken_name} there",
            "Give it another name.",
        )
    graph = LocalGraph(tasks) if tasks else None
    streams = map_news(place)
    run, taken = run_procedure(place, streams), owed_streams(place)
    found: list[Entity] = [*streams, *taken, run]
    asked = (*streams, *taken)
    needs = (*place.needs, run.address, *(each.address for each in asked))
    builder = graph if graph is not None and graph.publishes else None
    if streams and builder is None:
        found += _publishing(place, streams, needs)
    if streams and (builder is None or builder.is_triggered):
        found += _retrying(place, needs)
    if graph is not None:
        mapped = _Graph(graph, place, findings, needs, readable).mapped()
        if builder is None:
            name = partial(place.own, graph.root)
            apart = streams_on(place.bronze_rows, name, place.needs)
            own = dict(zip(streams, apart, strict=True))
            log = place.path("news_read")
            mapped = reading_alone(graph, mapped, own, log, findings)
        found += mapped
    return found


def map_news(place: Place) -> list[Stream]:
    """Return the streams that say whether rows arrived that no run has built."""
    return streams_on(place.bronze_rows, place.news, place.needs)


def _publishing(
    place: Place, streams: list[Stream], needs: tuple[Address, ...]
) -> list[Entity]:
    """Return the graph that builds what arrives, as soon as it does.

    It is never suspended by its failures: what arrives next may be what mends it.
    """
    name = place.path(PUBLISH)
    asked = [*(each.name for each in streams), place.retry]
    when = " OR ".join(_has_news(each) for each in asked)
    task = Task(
        name,
        name,
        call_of(place, "build", News.SETTLE),
        place.warehouse,
        when=when,
        settings=(
            ("SUSPEND_TASK_AFTER_NUM_FAILURES", 0),
            *_at_most_each(place.stale_for),
            *_timeout(place.run_timeout),
        ),
        needs=needs,
    )
    return [task, TaskGraph(name, members=(name,), needs=(task.address,))]


def _retrying(place: Place, needs: tuple[Address, ...]) -> list[Entity]:
    """Return the graph that has what is owed tried again, by the hour."""
    name = place.path(RETRY_BUILD)
    task = Task(
        name,
        name,
        retry_code(place),
        place.warehouse,
        f"{_RETRY_MINUTES} MINUTE",
        when=_has_news(place.owed),
        settings=(("SUSPEND_TASK_AFTER_NUM_FAILURES", 0),),
        needs=needs,
    )
    return [task, TaskGraph(name, members=(name,), needs=(task.address,))]


def _at_most_each(given: timedelta | None) -> tuple[tuple[str, Written], ...]:
    """Return how often what is triggered may run; the account's 30 seconds else."""
    if given is None:
        return ()
    least, most = _TRIGGERED_SECONDS
    return ((_TRIGGERED, min(max(least, round(given.total_seconds())), most)),)


def _has_news(stream: str) -> str:
    return f"SYSTEM$STREAM_HAS_DATA({sql.text(stream)})"


def _timeout(given: timedelta | None) -> tuple[tuple[str, Written], ...]:
    """Return how long a task may run; the account's 60 minutes where nothing is said.

    https://docs.snowflake.com/en/sql-reference/parameters#user-task-timeout-ms
    """
    if given is None:
        return ()
    return (("USER_TASK_TIMEOUT_MS", round(given / timedelta(milliseconds=1))),)


@dataclass(frozen=True)
class _Graph:
    """The project's own graph of tasks."""

    graph: LocalGraph
    place: Place
    findings: Findings
    needs: tuple[Address, ...]
    readable: Readable
    """What SQL of tasks may name."""

    @property
    def _stopped(self) -> set[str]:
        """The tasks below the root that wait until a person resumes them."""
        tasks = self.graph.tasks.items()
        return {n for n, t in tasks if t.suspended and n != self.graph.root}

    def mapped(self) -> list[Entity]:
        """Return the tasks, and that they run."""
        names = [*self.graph.order]
        if self.graph.finalizer is not None:
            names.append(self.graph.finalizer)
        tasks: list[Entity] = [self._task(name) for name in names]
        root = self.place.path(self.graph.root)
        whole = TaskGraph(
            root,
            self.graph.root_task.suspended,
            tuple(self.place.path(n) for n in names if n not in self._stopped),
            tuple(self.place.path(n) for n in names if n in self._stopped),
            needs=tuple(each.address for each in tasks),
        )
        return [*tasks, whole]

    def _task(self, name: str) -> Task:
        task = self.graph.tasks[name]
        place = self.place
        parents = tuple(place.path(each) for each in self._after(name, task))
        root = place.path(self.graph.root)
        finalize = place.path(task.finalize) if task.finalize else ""
        above = [*parents, *([finalize] if finalize else [])]
        return Task(
            place.path(name),
            root,
            self._code(name, task),
            place.warehouse,
            self._schedule(name, task),
            parents,
            finalize,
            self._when(name, task),
            self._settings(name, task),
            needs=(*self.needs, *(address_of(Task.kind, each) for each in above)),
        )

    def _after(self, name: str, task: TaskConfig) -> tuple[str, ...]:
        """Return what a task comes after: dbt's steps come one after the other."""
        other = self._waits.get(name)
        if other is None:
            return task.after
        told = (
            "an account runs a DBT PROJECT once at a time: there it waits for "
            f"{other}, and is left out if that fails"
        )
        self.findings.remark(self._at(name, "dbt"), told)
        return (*task.after, other)

    @cached_property
    def _waits(self) -> dict[str, str]:
        return waits_for(self.graph)

    @cached_property
    def _news(self) -> dict[str, News]:
        return news_of(self.graph)

    def _at(self, name: str, *keys: str) -> str:
        return self.findings.settings("tasks", name, *keys)

    def _schedule(self, name: str, task: TaskConfig) -> str:
        if task.cron is not None:
            return f"USING CRON {task.cron} {task.timezone}"
        if task.every is None:
            return ""
        seconds = round(task.every.total_seconds())
        if seconds < 10:
            told = "a task there runs every 10 seconds at most"
            self.findings.remark(self._at(name, "every"), told)
        if seconds % 60 == 0:
            return self._minutes(name, seconds // 60)
        return f"{max(seconds, 10)} SECONDS"

    def _minutes(self, name: str, minutes: int) -> str:
        if minutes > MINUTES_MAX:
            self.findings.refuse(
                self._at(name, "every"),
                f"a schedule there has {MINUTES_MAX:,} minutes at most: 8 days",
                "Write cron: instead, such as '0 6 1,15 * *'.",
            )
        return f"{minutes} MINUTE"

    def _when(self, name: str, task: TaskConfig) -> str:
        if task.when is None:
            return ""
        condition = parse_condition(task.when)
        unknown = [e for e in streams_in(condition) if e not in self.place.tables]
        if unknown:
            self.findings.refuse(
                self._at(name, "when"),
                f"{unknown[0]} is no table of bronze, and the streams of models are "
                "made by dbt there",
                "Name a table of bronze, or write runner: service in the target.",
            )
            return ""
        asked = self._condition(condition)
        if not self.graph.publishes:
            return asked
        # what was taken and not built asks for a run, whatever the condition says; what
        # it would trigger is asked by the hour
        place = self.place
        triggered = self.graph.is_triggered and name == self.graph.root
        return f"{asked} OR {_has_news(place.retry if triggered else place.owed)}"

    def _condition(self, condition: Condition) -> str:
        if isinstance(condition, UnreadRows):
            return _has_news(self.place.news(condition.name))
        parts = [self._condition(part) for part in condition.parts]
        if condition.word == "not":
            return f"NOT {parts[0]}"
        return f"({f' {condition.word.upper()} '.join(parts)})"

    def _settings(self, name: str, task: TaskConfig) -> tuple[tuple[str, Written], ...]:
        given: dict[str, Written] = {}
        if name == self.graph.root:
            policy = self._overlap(name, task.overlap_policy)
            given["OVERLAP_POLICY"] = sql.Word(policy.value.upper())
            given["SUSPEND_TASK_AFTER_NUM_FAILURES"] = task.suspend_after_failures
            given["TASK_AUTO_RETRY_ATTEMPTS"] = task.auto_retry_attempts
            if self.graph.is_triggered:
                lag = self.place.stale_for if self.graph.publishes else None
                given |= dict(_at_most_each(task.min_interval or lag))
            if task.config:
                written = json.dumps(task.config, ensure_ascii=False, sort_keys=True)
                given["CONFIG"] = written
            if "lanes_max" in task.model_fields_set:
                told = "how many tasks run side by side is the account's matter"
                self.findings.remark(self._at(name, "lanes_max"), told)
        runs_dbt = task.dbt is not None
        timeout = task.timeout or (self.place.run_timeout if runs_dbt else None)
        return (*given.items(), *_timeout(timeout))

    def _overlap(self, name: str, given: OverlapPolicy) -> OverlapPolicy:
        """Return what may overlap: no runs that build, which an account refuses."""
        if given is OverlapPolicy.NO_OVERLAP or not self.graph.publishes:
            return given
        told = "runs of a graph that runs dbt do not overlap there: no_overlap"
        self.findings.remark(self._at(name, "overlap_policy"), told)
        return OverlapPolicy.NO_OVERLAP

    def _code(self, name: str, task: TaskConfig) -> str:
        kind, place = task.kinds[0], self.place
        if kind in _HERE_ONLY:
            self.findings.refuse(
                self._at(name, kind),
                f"the task {_HERE_ONLY[kind]}",
                "Write runner: service in the target: dbt is then run from a machine, "
                "and this task by you.",
            )
            return "SELECT 1"
        if task.dbt is not None:
            if task.dbt.test:
                said = f"test --select {' '.join(task.dbt.test)}"
            else:
                said = f"build --select {' '.join(task.dbt.select)} {_NOT_TOO_EARLY}"
            return call_of(self.place, said, self._news[name])
        if task.refresh is not None:
            told = (
                "the pipes look at what was staged since they were made, 7 days back "
                "at most; nothing waits until it is loaded"
            )
            self.findings.remark(self._at(name, "refresh"), told)
            one = task.refresh.pipe
            names = (one,) if one else self.place.pipes
            return refresh_code(place, names)
        assert task.sql is not None
        at = self._at(name, "sql")
        return task_code(task.sql, place.root, self.readable, at, self.findings)
