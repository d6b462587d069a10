"""What is wrong with a project's tasks, and where it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from snowmelt.transform.tasks.condition import parse_condition, streams_in
from snowmelt.transform.tasks.config import KINDS, TaskConfig
from snowmelt.transform.tasks.graph import in_order

TASKS_MAX = 1000
PARENTS_MAX = CHILDREN_MAX = 100
_OF_ROOT = (
    *("cron", "every", "timezone", "overlap_policy", "auto_retry_attempts"),
    *("suspend_after_failures", "min_interval", "lanes_max", "config"),
)

Tasks = Mapping[str, TaskConfig]


@dataclass(frozen=True)
class Problem:
    """Something wrong: `location` is a key in snowmelt.yml."""

    location: tuple[str, ...]
    problem: str
    remedy: str = ""


@dataclass(frozen=True)
class Surroundings:
    """What tasks may name: tables of bronze, pipes, files below the project."""

    tables: Sequence[str]
    pipes: Sequence[str]
    root: Path


def problems(tasks: Tasks, around: Surroundings) -> Iterator[Problem]:
    """Yield what is wrong, the cause before what comes of it."""
    if len(tasks) > TASKS_MAX:
        told = f"there are {len(tasks)} tasks, and a graph has {TASKS_MAX} at most"
        yield Problem(("tasks",), told)
    for name, task in tasks.items():
        yield from _kinds(name, task)
        yield from _names(name, task, tasks)
        yield from _surroundings(name, task, around)
    yield from _shape(tasks)


def _kinds(name: str, task: TaskConfig) -> Iterator[Problem]:
    at = ("tasks", name)
    if not task.kinds:
        known = ", ".join(KINDS)
        yield Problem(at, "it does not say what to do", f"Give it one of: {known}.")
    elif len(task.kinds) > 1:
        told = f"it has both {task.kinds[0]} and {task.kinds[1]}"
        yield Problem((*at, task.kinds[1]), told, "Make two tasks of it.")
    if task.dbt is not None and bool(task.dbt.select) == bool(task.dbt.test):
        yield Problem((*at, "dbt"), "write either select or test")
    if task.cron is not None and task.every is not None:
        yield Problem((*at, "every"), "the task has a cron too", "Leave one out.")


def _names(name: str, task: TaskConfig, tasks: Tasks) -> Iterator[Problem]:
    yield from _parents(name, task, tasks)
    if task.finalize is not None and task.finalize not in tasks:
        yield _unknown(("tasks", name, "finalize"), task.finalize, "task", tasks)
    if task.finalize is not None and task.after:
        told = "a finalizer runs after all others: it has no after"
        yield Problem(("tasks", name, "after"), told)
    if task.after or task.finalize:
        for key in sorted(task.model_fields_set & set(_OF_ROOT)):
            yield Problem(
                ("tasks", name, key),
                "only the root has this key",
                "Write it at the task without after.",
            )


def _parents(name: str, task: TaskConfig, tasks: Tasks) -> Iterator[Problem]:
    for parent in task.after:
        if parent not in tasks:
            yield _unknown(("tasks", name, "after"), parent, "task", tasks)
        elif tasks[parent].finalize:
            told = f"{parent} is a finalizer, and nothing comes after one"
            yield Problem(("tasks", name, "after"), told)
    for parent, times in Counter(task.after).items():
        if times > 1:
            yield Problem(("tasks", name, "after"), f"{parent} is named twice")
    if len(task.after) > PARENTS_MAX:
        told = f"it has {len(task.after)} parents, and {PARENTS_MAX} is the most"
        yield Problem(("tasks", name, "after"), told)


def _shape(tasks: Tasks) -> Iterator[Problem]:
    """Find what is wrong with the graph as a whole, given that all names are known."""
    named = {parent for task in tasks.values() for parent in task.after}
    if not named <= tasks.keys():
        return
    roots = [
        name for name, task in tasks.items() if not task.after and not task.finalize
    ]
    yield from _roots(tasks, roots)
    yield from _finalizers(tasks, roots)
    children = Counter(parent for task in tasks.values() for parent in task.after)
    for parent, count in children.items():
        if count > CHILDREN_MAX:
            told = f"{count} tasks come after it, and {CHILDREN_MAX} is the most"
            yield Problem(("tasks", parent), told)
    ordered = set(in_order(tasks))
    circle = [
        name
        for name, task in tasks.items()
        if name not in ordered and not task.finalize
    ]
    if circle:
        way = _circle(tasks, set(circle))
        told = f"these tasks wait for one another: {' -> '.join(way)}"
        yield Problem(("tasks", way[0], "after"), told, "Leave one after out.")


def _roots(tasks: Tasks, roots: Sequence[str]) -> Iterator[Problem]:
    if len(roots) > 1:
        yield Problem(
            ("tasks", roots[1]),
            f"both {roots[0]} and {roots[1]} have no after, and a graph has one root",
            f"Write after: {roots[0]}.",
        )
    if not roots and tasks and any(not task.after for task in tasks.values()):
        yield Problem(("tasks",), "there is no root: a task without after")


def _finalizers(tasks: Tasks, roots: Sequence[str]) -> Iterator[Problem]:
    found = [name for name, task in tasks.items() if task.finalize]
    for name in found:
        root = tasks[name].finalize
        if root in tasks and roots and root not in roots:
            told = f"{root} is not the root: {roots[0]} is"
            yield Problem(("tasks", name, "finalize"), told)
    if len(found) > 1:
        told = f"{found[0]} is the finalizer already, and a root has one"
        yield Problem(("tasks", found[1], "finalize"), told)


def _circle(tasks: Tasks, left: set[str]) -> list[str]:
    """Return the way along a cycle; each of `left` has a parent among them."""
    way = [min(left)]
    while True:
        parent = next(each for each in tasks[way[-1]].after if each in left)
        if parent in way:
            return [*way[way.index(parent) :], parent][::-1]
        way.append(parent)


def _surroundings(
    name: str, task: TaskConfig, around: Surroundings
) -> Iterator[Problem]:
    yield from _streams(name, task, around)
    if task.refresh is not None and task.refresh.pipe is not None:
        pipe = task.refresh.pipe
        if pipe not in around.pipes:
            yield _unknown(("tasks", name, "refresh"), pipe, "pipe", around.pipes)
    if task.sql is not None:
        yield from _file(("tasks", name, "sql"), task.sql.file, around.root)
    if task.python is not None:
        path = task.python.function.partition(":")[0].replace(".", "/")
        if not (around.root / path / "__init__.py").is_file():
            yield from _file(("tasks", name, "python"), f"{path}.py", around.root)


def _streams(name: str, task: TaskConfig, around: Surroundings) -> Iterator[Problem]:
    at = ("tasks", name, "when")
    for stream in streams_in(parse_condition(task.when)) if task.when else ():
        if stream.count(".") not in (0, 1, 3):
            told = f"'{stream}' is neither a bronze table nor a stream"
            yield Problem(at, told, "See: snowmelt streams")
        elif "." not in stream and stream not in around.tables:
            yield _unknown(at, stream, "bronze table", around.tables)


def _file(at: tuple[str, ...], name: str, root: Path) -> Iterator[Problem]:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        yield Problem(at, f"{name} is not below the project's folder")
    elif not path.is_file():
        yield Problem(at, f"the file {name} is missing")


def _unknown(
    at: tuple[str, ...], name: str, kind: str, known: Sequence[str] | Tasks
) -> Problem:
    near = get_close_matches(name, list(known), n=1)
    remedy = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
    return Problem(at, f"there is no {kind} '{name}'", remedy)
