"""Who owns a project's warehouse: a word beside it, for whoever comes meanwhile.

The engine's lock decides, and tells the process; the word says what that is at. One
that a killed process left is of no process that holds the lock, and believed by nobody.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from snowmelt.clock import Clock
from snowmelt.errors import InUseError, UnreachableError
from snowmelt.project.project import Project

SERVICE = "snowmelt up"
WAIT_SECONDS_MAX = 10.0
_WORD = "owner.json"


@dataclass(frozen=True)
class Owner:
    """A process of ours that owns the warehouse, and the command it was started as."""

    pid: int
    command: str

    @property
    def serves(self) -> bool:
        """Is it a service, which does not end by itself?"""
        return self.command == SERVICE

    def __str__(self) -> str:
        return f"{self.command} (pid {self.pid})"


@contextmanager
def owning(state: Path, command: str) -> Iterator[None]:
    """Leave word beside the warehouse while this process owns it.

    It is a courtesy: on a disk that is full nobody learns of it, and all goes on.
    """
    word, arriving = state / _WORD, state / f".{_WORD}"
    with suppress(OSError):
        arriving.write_text(json.dumps({"pid": os.getpid(), "command": command}))
        arriving.replace(word)
    try:
        yield
    finally:
        with suppress(OSError):
            word.unlink()


def owner_of(state: Path, error: InUseError) -> Owner | None:
    """Return who holds the lock; None if it is no command of ours that says so."""
    try:
        told = json.loads((state / _WORD).read_text())
        owner = Owner(int(told["pid"]), str(told["command"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return owner if owner.pid == error.pid else None


def second_service(root: Path, pid: int) -> UnreachableError:
    """Return what a service is told that finds another one."""
    return UnreachableError(
        str(root),
        f"a service runs already (pid {pid})",
        "Use it as it is: every command finds it.",
    )


class Patience:
    """How long a service that starts waits for whoever owns its warehouse.

    A command of ours is waited for until it ends, since a first build may take minutes:
    `tell` is told of it once, `meanwhile` twice a second. Whoever else it is has ten
    seconds, a service too: it may be about to end.
    """

    def __init__(
        self,
        project: Project,
        clock: Clock,
        tell: Callable[[Owner], None],
        meanwhile: Callable[[Owner], None],
    ) -> None:
        self._project, self._clock = project, clock
        self._tell, self._meanwhile = tell, meanwhile
        self._told: Owner | None = None
        self._give_up_at = clock.monotonic() + WAIT_SECONDS_MAX

    def wait(self, error: InUseError) -> None:
        """Wait until it is worth to try again.

        Raises UnreachableError when the owner is a service that does not end, and the
        error when nobody knows the owner and it stays.
        """
        owner = owner_of(self._project.state, error)
        if owner is not None and not owner.serves:
            self._wait_for(owner)
        elif self._clock.monotonic() < self._give_up_at:
            self._clock.wait(threading.Event(), 0.1)
        elif owner is not None:
            raise second_service(self._project.root, owner.pid)
        else:
            raise error

    def _wait_for(self, owner: Owner) -> None:
        if owner != self._told:
            self._told = owner
            self._tell(owner)
        self._meanwhile(owner)
        self._clock.wait(threading.Event(), 0.5)
        self._give_up_at = self._clock.monotonic() + WAIT_SECONDS_MAX
