"""Asking for what Dagster wants materialized, once, and waiting until it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from snowmelt.clock import SystemClock
from snowmelt.remote import (
    Document,
    Question,
    Remote,
    ServiceError,
    ask_errand,
    cancel_errand,
    find_errand,
)

LOOK_SECONDS = 1.0
KEY = "dagster/"
"""What keys of errands begin with that Dagster asked for."""


@dataclass(frozen=True)
class Asked:
    """What a step of a Dagster run asks for. `retry`: which try of the step it is.

    `since`: when the run began; a file that the service loaded since belongs to it.
    """

    key: str
    retry: int
    tables: list[str]
    models: list[str]
    since: str | None

    def wish(self, remote: Remote) -> Document:
        """Return the errand: of one table a refresh; else a run, which builds all."""
        if len(self.tables) == 1 and not self.models:
            pipe = _pipe_of(remote, self.tables[0])
            return {"what": "refresh", "pipe": pipe, "since": self.since}
        return {"what": "run", "select": self.models or None, "since": self.since}


def key_of(run_id: str, step: str) -> str:
    """Return the key of what a step asks for: the same in each of its tries."""
    return f"{KEY}{run_id}/{step}"


def step_of(key: str | None) -> tuple[str, str] | None:
    """Return the run and the step that a key is of; None if it is none of Dagster's."""
    if not (key or "").startswith(KEY):
        return None
    run_id, _, step = str(key).removeprefix(KEY).partition("/")
    return run_id, step.partition("#")[0]


def _pipe_of(remote: Remote, table: str) -> str:
    """Return the pipe that loads a table. Raises ServiceError when there is none."""
    pipes = remote.ask(Question("GET", "/api/v1/pipes"))["pipes"]
    tables = {each["table_name"].lower(): str(each["pipe_name"]) for each in pipes}
    if table.lower() not in tables:
        raise ServiceError(
            0,
            table,
            "no pipe loads this table",
            f"Known: {', '.join(sorted(tables))}. Is the manifest that of the service?",
        )
    return tables[table.lower()]


def ask_and_wait(remote: Remote, asked: Asked, tell: Callable[[str], None]) -> Document:
    """Ask, wait until the errand has ended, and return it.

    A step that is tried again waits for the errand that it asked for before, unless
    that failed. When the wait is broken off the errand is cancelled.
    """
    wish = asked.wish(remote) | {"cause": f"Dagster: {asked.key}"}
    answer = remote.ask(ask_errand(wish | {"key": asked.key}))
    if asked.retry and answer["errand"]["state"] in ("FAILED", "CANCELLED"):
        answer = remote.ask(ask_errand(wish | {"key": f"{asked.key}#{asked.retry}"}))
    found: Document = answer["errand"]
    tell(f"errand {found['errand']}: {found['what']}")
    clock, never = SystemClock(), threading.Event()
    try:
        while not found["has_ended"]:
            clock.wait(never, LOOK_SECONDS)
            found = remote.ask(find_errand(found["errand"]))["errand"]
    except BaseException:
        remote.ask(cancel_errand(found["errand"], "its Dagster run was ended"))
        raise
    return found
