"""Files of the project that are not any more what the service works with.

Settings and pipes are read when a service begins. That one of them was written since
is noticed within seconds, checked as a start would check it, and told: in the log, by
`status` and on the pages. A restart reads them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from snowmelt.clock import Clock
from snowmelt.errors import ConfigError, SnowmeltError
from snowmelt.project.config_files import (
    Stamps,
    changes_between,
    digests_of,
    stamps_of,
)
from snowmelt.project.project import Project, load_project
from snowmelt.serve.commands import Document
from snowmelt.service.lane import Lane

log = logging.getLogger("snowmelt")
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Noticed:
    """What differs from what a service works with, and what is wrong with that."""

    changes: dict[str, str] = field(default_factory=dict)
    problem: SnowmeltError | None = None

    def told(self) -> list[str]:
        """Return it as sentences."""
        if self.problem is not None:
            return [
                f"{self.problem} The service goes on with what it read before; it "
                "would not start again."
            ]
        return [
            f"{name} {_WAS[change]}; `snowmelt up` reads it after a restart"
            for name, change in self.changes.items()
        ]

    def documents(self) -> list[Document]:
        """Return each file, how it differs, and the problem of the one that has it."""
        where = self.problem.where if self.problem is not None else ""
        return [
            {
                "file": name,
                "change": change,
                "problem": str(self.problem)
                if self.problem is not None and _is_of(where, name, self.changes)
                else None,
            }
            for name, change in self.changes.items()
        ]


_WAS = {"changed": "changed", "added": "is new", "removed": "is gone"}


def _is_of(where: str, name: str, changes: dict[str, str]) -> bool:
    """Is a problem told of this file? One of none of these is told of the first."""
    if any(where.startswith(each) for each in changes):
        return where.startswith(name)
    return name == next(iter(changes))


class Noticing:
    """Looks at the files once a second, and reads them where one was written.

    To read a large project takes a moment: that is done beside the loop.
    """

    def __init__(
        self,
        project: Project,
        clock: Clock,
        lane: Lane[Noticed],
        changed: Callable[[], None],
    ) -> None:
        self._project = project
        self._clock = clock
        self._lane = lane
        self._changed = changed
        self._stamps: Stamps | None = None
        self._looked_at = float("-inf")
        self.noticed = Noticed()

    def turn(self) -> None:
        """Do what is due. Safe to call as often as wanted."""
        work = self._lane.take()
        if work is not None:
            self._settle(work.result())
        now = self._clock.monotonic()
        if now - self._looked_at < LOOK_SECONDS or not self._lane.idle:
            return
        self._looked_at = now
        stamps = stamps_of(self._project.root)
        if stamps != self._stamps:
            self._stamps = stamps
            self._lane.begin(partial(_read, self._project))

    def close(self) -> None:
        """Let what is being read be read."""
        self._lane.close()

    def _settle(self, noticed: Noticed) -> None:
        before, self.noticed = self.noticed, noticed
        if noticed.told() == before.told():
            return
        for told in noticed.told():
            log.warning("%s", told)
        if not noticed.changes:
            log.info("the project's files are again as the service read them")
        self._changed()


def _read(project: Project) -> Noticed:
    """Compare the files with what was read, and check what differs."""
    changes = changes_between(project.read_as, digests_of(project.root))
    if not changes:
        return Noticed()
    try:
        load_project(project.root)
    except SnowmeltError as error:
        return Noticed(changes, error)
    except Exception as error:  # noqa: BLE001 - a file may be cut off, or go meanwhile
        return Noticed(changes, ConfigError("the project", str(error)))
    return Noticed(changes)
