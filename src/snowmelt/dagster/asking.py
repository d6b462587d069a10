"""Asking for what Dagster wants materialized, once, and waiting until it is there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from snowmelt.clock import SystemClock
from snowmelt.remote import (
    Document,
    Remote,
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
    pipes: list[str]
    models: list[str]
    since: str | None

    def wish(self) -> Document:
        """Return the errand: of one pipe a refresh; else a run, which builds all."""
        if len(self.pipes) == 1 and not self.models:
            return {"what": "refresh", "pipe": self.pipes[0], "since": self.since}
        return {"what": "run", "select": self.models or None, "since": self.since}


def ask_and_wait(remote: Remote, asked: Asked, tell: Callable[[str], None]) -> Document:
    """Ask, wait until the errand has ended, and return it.

    A step that is tried again waits for the errand that it asked for before, unless
    that failed. When the wait is broken off the errand is cancelled.
    """
    wish = asked.wish() | {"cause": f"Dagster: {asked.key}"}
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
