"""Makes a pipe, or makes it anew, so that no file is lost and none comes twice.

The way is the documented one: pause, wait until nothing is under way, replace, pause,
look, go on. A pipe that is made anew has forgotten what it loaded, so a plain REFRESH
would double everything; and what was announced while it was paused is gone with it. So
the stage is compared with bronze and history, and exactly what is missing is loaded.
It is listed once the pipe is there: what a task's refresh does not look at, since it is
older than the pipe (`refreshing.py`), has to be in that list.

That a pipe has yet to catch up stands in its comment, written by the statement that
makes it. Stopped anywhere, the next plan sees by that where to go on.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from snowmelt.clock import Clock
from snowmelt.deploy.resource import Mark
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.catch_up import Refresh, Staged, catch_up
from snowmelt.deploy.snowflake.pipe import CATCHING_UP, Pipe
from snowmelt.deploy.snowflake.session import Session
from snowmelt.errors import UnreachableError

PAUSE_MAX_SECONDS = 600.0
_LOOK_EVERY_SECONDS = 2.0
MOVED = ("snowmelt", "migrated_loads")
"""The table of what the machine that was migrated from had loaded."""


@dataclass(frozen=True)
class PipeChange:
    """One pipe, made or changed over a session."""

    session: Session
    clock: Clock
    pipe: Pipe
    location: str
    """Where the stage is: `s3://bucket/raw/`."""

    def make(self, mark: Mark) -> None:
        """Make it, and let it load what is there already."""
        statement = self.pipe.create(mark)[0]
        self.session.rows(statement)
        self.settle(mark)

    def replace(self, mark: Mark, *, is_broken: bool = False) -> None:
        """Make it anew with another statement, and let it load what it missed.

        One that is broken copies nothing any more, and cannot be paused.
        """
        if not is_broken:
            self._pause()
        comment = f"{mark}{CATCHING_UP}"
        self.session.rows(self.pipe.statement("CREATE OR REPLACE PIPE", comment))
        self._pause()
        self.session.rows(self.pipe.pause(False))
        self.settle(mark)

    def settle(self, mark: Mark) -> None:
        """Let it run, load what it missed, and say that it did."""
        if self._status().get("executionState") == "PAUSED":
            self.session.rows(self.pipe.pause(False))
        for way in catch_up(
            self._staged(), self._known(), self.pipe.copy.pattern, self.clock.now()
        ):
            if isinstance(way, Refresh):
                self.session.rows(self.pipe.refresh(way.prefix, way.since))
            else:
                self.session.rows(self.pipe.copy.over(way.paths))
        for statement in self.pipe.settled(mark):
            self.session.rows(statement)

    def _pause(self) -> None:
        """Pause it, and wait until it is: what it has begun is finished then."""
        self.session.rows(self.pipe.pause(True))
        give_up_at = self.clock.monotonic() + PAUSE_MAX_SECONDS
        while self._status().get("executionState") != "PAUSED":
            if self.clock.monotonic() >= give_up_at:
                raise UnreachableError(
                    self.pipe.name,
                    f"the pipe is not paused after {PAUSE_MAX_SECONDS:.0f} seconds",
                    f"Look at it: {self.pipe.status}",
                )
            self.clock.wait(threading.Event(), _LOOK_EVERY_SECONDS)

    def _status(self) -> dict[str, Any]:
        [row] = self.session.rows(self.pipe.status)
        told: dict[str, Any] = json.loads(row["status"])
        return told

    def _staged(self) -> list[Staged]:
        """List the stage: paths below it, and when they were written."""
        rows = self.session.rows(self.pipe.listing)
        return [
            Staged(_moment(row["last_modified"]), path)
            for row in rows
            if (path := str(row["name"]).removeprefix(self.location))
        ]

    def _known(self) -> set[str]:
        """Return the paths that bronze has rows of, and those that history knows.

        History forgets after 14 days and bronze after a purge: either is enough. What
        is being loaded is known; what failed is tried again, as it may fit now. So is
        what was loaded before the project came here, with rows or, as a duplicate,
        without.
        """
        table, file = self.pipe.copy.table, self.pipe.copy.metadata[0][0]
        loaded = self.session.rows(f"SELECT DISTINCT {file} AS FILE_NAME FROM {table}")
        database = table.split(".")[0]
        told = self.session.rows(
            f"SELECT FILE_NAME FROM TABLE("
            f"{database}.INFORMATION_SCHEMA.COPY_HISTORY("
            f"TABLE_NAME => {sql.text(table)}, "
            "START_TIME => DATEADD(DAY, -14, CURRENT_TIMESTAMP()))) "
            f"WHERE STATUS <> {sql.text('Load failed')}"
        )
        inside = table.replace('"', "").partition(".")[2]
        moved = self.session.rows(
            f"SELECT DISTINCT FILE_NAME FROM {database}.{sql.path(*MOVED)} "
            f"WHERE TABLE_NAME = {sql.text(inside)} "
            f"AND STATUS <> {sql.text('Load failed')}"
        )
        folder = self.location.removeprefix("s3://").partition("/")[2]
        found = (str(row["file_name"]) for row in (*loaded, *told, *moved))
        return set(_paths(found, folder))


def _paths(names: Iterable[str], folder: str) -> Iterable[str]:
    """Return names below the stage; some are told with the bucket's folder."""
    for name in names:
        yield name
        yield name.removeprefix(folder)


def _moment(told: Any) -> datetime:
    """Read a time as LIST tells it: `Thu, 14 May 2026 09:30:00 GMT`."""
    if isinstance(told, datetime):
        return told if told.tzinfo else told.replace(tzinfo=UTC)
    return parsedate_to_datetime(str(told))
