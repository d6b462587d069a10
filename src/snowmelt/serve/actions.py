"""What people did: every verb that changes something is put on record.

Who, through which door, when, with which words, and what came of it, in
`snowmelt.action_log`. Whoever answers the verbs is asked as before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Protocol, cast

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError
from snowmelt.serve.commands import Commands, Document
from snowmelt.serve.publish.address import without_secrets

log = logging.getLogger("snowmelt")
ACTIONS = (
    *("run", "rebuild", "audit", "refresh", "reload", "replay", "pause", "resume"),
    *("hold", "release", "approve", "reject", "backup"),
    *("export_rejects", "export_quarantine", "vacuum", "test_alerts", "mute_alerts"),
    *("share", "unshare"),
    *("task_run", "task_retry", "task_cancel", "task_suspend", "task_resume"),
    "publish",
)
"""The verbs that change something, or write a file."""


@dataclass(frozen=True)
class Actor:
    """Who acts. `door`: pages, api, socket, or command without a service."""

    name: str
    door: str


@dataclass(frozen=True)
class Action:
    """One thing that was done, or refused. `result`: done, or what kind of error."""

    actor: Actor
    verb: str
    arguments: dict[str, Any]
    result: str
    problem: str | None
    started_at: datetime
    ended_at: datetime


class ActionLog(Protocol):
    """Where actions are put on record."""

    def record(self, action: Action) -> None:
        """Write one down."""
        ...


class _Recorded:
    """Commands that write down what they are asked to do."""

    def __init__(
        self, commands: Commands, actor: Actor, action_log: ActionLog, clock: Clock
    ) -> None:
        self._commands = commands
        self._actor = actor
        self._log = action_log
        self._clock = clock

    def __getattr__(self, verb: str) -> Any:
        call = getattr(self._commands, verb)
        return self._recording(verb, call) if verb in ACTIONS else call

    def _recording(self, verb: str, call: Callable[..., Document]) -> Any:
        @wraps(call)
        def recording(*given: Any, **named: Any) -> Document:
            names = call.__code__.co_varnames[1:] if hasattr(call, "__code__") else ()
            arguments = dict(zip(names, given, strict=False)) | named
            started_at = self._clock.now()
            result, problem = "failed", None
            try:
                answer = call(*given, **named)
                result = "done"
            except SnowmeltError as error:
                result, problem = type(error).__name__, str(error)
                raise
            finally:
                self._write(verb, arguments, (result, problem), started_at)
            return answer

        return recording

    def _write(
        self,
        verb: str,
        arguments: dict[str, Any],
        ended: tuple[str, str | None],
        started_at: datetime,
    ) -> None:
        kept = {name: value for name, value in arguments.items() if value is not None}
        kept = without_secrets(kept)
        now = self._clock.now()
        try:
            self._log.record(Action(self._actor, verb, kept, *ended, started_at, now))
        except Exception:
            log.exception("an action could not be put on record: %s", verb)


def recorded(
    commands: Commands, actor: Actor, action_log: ActionLog, clock: Clock
) -> Commands:
    """Return commands that put on record what `actor` does with them."""
    return cast("Commands", _Recorded(commands, actor, action_log, clock))
