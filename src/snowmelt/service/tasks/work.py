"""A piece of work: what a task is told, how it is stopped, what it comes to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from snowmelt.transform.tasks.config import TaskConfig

RETURN_BYTES_MAX = 10_000
"""A longer return value fails its task, as Snowflake's SYSTEM$SET_RETURN_VALUE."""
OUTPUT_BYTES_MAX = 16_384
"""So much of a program's output is kept, from its end."""
ERROR_CHARS_MAX = 2_000


class TaskError(Exception):
    """A task failed; the message says why, `run_id` in which publication."""

    run_id: str | None = None


@dataclass(frozen=True)
class Order:
    """What a task is told: about its graph run, and of the tasks before it."""

    name: str
    task: TaskConfig
    root: str
    group_id: str
    attempt: int
    scheduled_time: datetime
    config: Mapping[str, Any]
    return_values: Mapping[str, str | None] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        return {
            "task": self.name,
            "root_task": self.root,
            "graph_run_group_id": self.group_id,
            "attempt_number": self.attempt,
            "scheduled_time": self.scheduled_time.isoformat(),
            "config": dict(self.config),
            "return_values": dict(self.return_values),
            "states": dict(self.states),
        }


@dataclass(frozen=True)
class Done:
    """What a task that did not fail came to.

    `run_id`: the publication that it is part of; then it has succeeded only with it.
    """

    return_value: str | None = None
    output: str | None = None
    run_id: str | None = None


class Stop:
    """Asks a piece of work to end; what it takes for that, the work says itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ways: list[Callable[[], None]] = []
        self.cause: str | None = None
        self.asked = threading.Event()

    def ask(self, cause: str) -> None:
        """Ask for it, once; from any thread."""
        with self._lock:
            if self.cause is not None:
                return
            self.cause = cause
            ways = list(self._ways)
            self.asked.set()
        for way in ways:
            way()

    def by(self, way: Callable[[], None]) -> None:
        """Say what ends the work; done at once if it was asked for already."""
        with self._lock:
            self._ways.append(way)
            at_once = self.asked.is_set()
        if at_once:
            way()

    def over(self) -> None:
        """Say that there is nothing to be ended any more."""
        with self._lock:
            self._ways.clear()


Work = Callable[[Order, Stop], Done]


def checked_return(value: str | None) -> str | None:
    """Return a return value. Raises TaskError for one that is too long to keep."""
    if value is not None and len(value.encode()) > RETURN_BYTES_MAX:
        raise TaskError(
            f"the return value has {len(value.encode())} bytes, and "
            f"{RETURN_BYTES_MAX} is the most"
        )
    return value
