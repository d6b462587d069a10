"""The tasks of a project as a graph: one root, what comes after it, a finalizer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Self

from snowmelt.transform.tasks.condition import Condition, parse_condition
from snowmelt.transform.tasks.config import TIMEOUT, TaskConfig
from snowmelt.transform.tasks.timetable import Timetable


class TaskGraph:
    """A graph that is sound: `checking` has found nothing wrong with its tasks."""

    def __init__(self, tasks: Mapping[str, TaskConfig]) -> None:
        self.tasks = dict(tasks)
        self.root = next(
            name for name, task in tasks.items() if not task.after and not task.finalize
        )
        self.finalizer = next(
            (name for name, task in tasks.items() if task.finalize), None
        )
        self._conditions: dict[str, Condition] = {
            name: parse_condition(task.when)
            for name, task in tasks.items()
            if task.when is not None
        }

    @property
    def root_task(self) -> TaskConfig:
        return self.tasks[self.root]

    @cached_property
    def order(self) -> tuple[str, ...]:
        """All tasks but the finalizer, parents first."""
        return tuple(in_order(self.tasks))

    @cached_property
    def children(self) -> Mapping[str, tuple[str, ...]]:
        """Who comes right after whom."""
        found: dict[str, list[str]] = {name: [] for name in self.tasks}
        for name, task in self.tasks.items():
            for parent in task.after:
                found[parent].append(name)
        return {name: tuple(children) for name, children in found.items()}

    @cached_property
    def timetable(self) -> Timetable | None:
        """When it is due; None of one that data triggers or only a person starts."""
        root = self.root_task
        if root.cron is None and root.every is None:
            return None
        return Timetable(root.cron, root.timezone, root.every)

    @property
    def is_triggered(self) -> bool:
        """Does it run as soon as its streams have data?"""
        return self.timetable is None and self.root_task.when is not None

    @cached_property
    def publishes(self) -> bool:
        """Does it build models? Then nothing else publishes what arrives."""
        return any(task.dbt is not None for task in self.tasks.values())

    @cached_property
    def members(self) -> frozenset[str]:
        """What a publication waits for: models, and gates if there are models."""
        return frozenset(
            name
            for name, task in self.tasks.items()
            if task.dbt is not None
            or (self.publishes and task.sql is not None and task.sql.expect is not None)
        )

    @cached_property
    def before_publication(self) -> frozenset[str]:
        """Members, and whatever has one after it."""
        found = set(self.members)
        waiting = list(found)
        while waiting:
            for parent in self.tasks[waiting.pop()].after:
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return frozenset(found)

    def condition(self, name: str) -> Condition | None:
        """Return a task's WHEN, if it has one."""
        return self._conditions.get(name)

    def timeout(self, name: str) -> tuple[timedelta, bool]:
        """Return how long a task may run, and if that counts from the graph's start."""
        own = self.tasks[name].timeout
        if own is not None and name != self.root:
            return own, False
        whole = self.root_task.timeout
        return (TIMEOUT, False) if whole is None else (whole, True)

    def below(self, names: Iterable[str]) -> set[str]:
        """Return what comes after any of these, at any distance."""
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            for child in self.children[waiting.pop()]:
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return found

    def only(self, name: str) -> TaskGraph:
        """Return a graph of one of its tasks alone, under the root's rules."""
        if name == self.root and len(self.tasks) == 1:
            return self
        of_root = ("overlap_policy", "config", "lanes_max", "auto_retry_attempts")
        root = self.root_task
        alone = {"after": (), "finalize": None, "when": None, "suspended": False}
        rules = {key: getattr(root, key) for key in of_root}
        return TaskGraph({name: self.tasks[name].model_copy(update=alone | rules)})

    @cached_property
    def document(self) -> str:
        """The definitions, as JSON; without what may be a secret."""
        tasks = {
            name: _masked(task).model_dump(exclude_defaults=True)
            for name, task in self.tasks.items()
        }
        return json.dumps(tasks, default=_plain, ensure_ascii=False)

    @cached_property
    def digest(self) -> str:
        """A fingerprint of the definitions."""
        return hashlib.sha256(self.document.encode()).hexdigest()

    @classmethod
    def from_document(cls, document: str, today: Mapping[str, TaskConfig]) -> Self:
        """Read what `document` is; addresses are those that tasks have today."""
        told: dict[str, Any] = json.loads(document)
        tasks = {name: TaskConfig(**task) for name, task in told.items()}
        for name, task in tasks.items():
            webhook = today[name].webhook if name in today else None
            if task.webhook is not None and webhook is not None:
                tasks[name] = task.model_copy(update={"webhook": webhook})
        return cls(tasks)


def in_order(tasks: Mapping[str, TaskConfig]) -> list[str]:
    """Sort tasks so that parents come first; those of a cycle are left out."""
    left = {
        name: len(set(task.after)) for name, task in tasks.items() if not task.finalize
    }
    children: dict[str, list[str]] = {name: [] for name in tasks}
    for name in left:
        for parent in set(tasks[name].after):
            children[parent].append(name)
    ready = [name for name, parents in left.items() if not parents]
    ordered: list[str] = []
    while ready:
        name = ready.pop(0)
        ordered.append(name)
        for child in children[name]:
            left[child] -= 1
            if not left[child]:
                ready.append(child)
    return ordered


def _masked(task: TaskConfig) -> TaskConfig:
    if task.webhook is None:
        return task
    return task.model_copy(update={"webhook": task.webhook.masked})


def _plain(value: object) -> str:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}s"
    raise TypeError(f"no way to write {type(value).__name__}")
