"""Carrying out what is due after loads: files are archived, tagged, purged.

It runs in a lane of its own: a bucket may be slow, and loading goes on meanwhile.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from snowmelt.clock import Clock
from snowmelt.errors import ChangedError, SnowmeltError, UnreachableError
from snowmelt.events import ActionEnded, Events
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.after_load import (
    DONE,
    FAILED,
    Action,
    Due,
    close_actions,
    due_actions,
)
from snowmelt.pipe.history import settled_files
from snowmelt.service.lane import Lane
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")
ANOTHER = "another version of it lies there by now: it was left alone"


@dataclass
class Carried:
    """What one round came to. `more`: there may be more to do."""

    problems: list[str] = field(default_factory=list)
    more: bool = False


class AfterLoading:
    """Does what is due, once it was asked to look; asked at the start."""

    def __init__(
        self,
        warehouse: Warehouse,
        stage: Stage,
        clock: Clock,
        events: Events,
        make_lane: Callable[[str], Lane[Carried]],
    ) -> None:
        self._warehouse = warehouse
        self._stage = stage
        self._clock = clock
        self._events = events
        self._lane = make_lane("after")
        self._asked = True

    @property
    def idle(self) -> bool:
        """Is nothing due, and nothing under way?"""
        return self._lane.idle and not self._asked

    def ask(self) -> None:
        """Look for what is due in the next turn."""
        self._asked = True

    def turn(self) -> list[str]:
        """Begin what was asked for; return the problems of what ended."""
        problems: list[str] = []
        work = self._lane.take()
        if work is not None:
            try:
                carried = work.result()
            except Exception as error:
                log.exception("what is due after loads could not be looked up")
                carried = Carried([f"what is due after loads: {error}"])
            problems = carried.problems
            self._asked = self._asked or carried.more
        if self._asked and self._lane.idle:
            self._asked = False
            self._lane.begin(self._carry_out)
        return problems

    def close(self) -> None:
        """Let what is under way end."""
        self._lane.close()

    def _carry_out(self) -> Carried:
        carried = Carried()
        began: list[datetime] = []
        ended: list[tuple[Due, str | None, str]] = []
        with self._warehouse.session() as session:
            all_due = due_actions(session)
            for due in all_due:
                began.append(self._clock.now())
                try:
                    ended.append((due, self._do(session, due), DONE))
                except UnreachableError as error:
                    carried.problems.append(f"{due.file_name}: {error}")
                    break
                except (SnowmeltError, OSError) as error:
                    told = f"{due.action} failed: {error}"
                    carried.problems.append(f"{due.file_name}: {told}")
                    ended.append((due, told, FAILED))
            else:
                carried.more = bool(all_due)
            if ended:
                now = self._clock.now()
                with session.transaction():
                    close_actions(session, ended, now)
                for started_at, each in zip(began, ended, strict=False):
                    self._tell(*each, (started_at, now))
        return carried

    def _tell(
        self, due: Due, told: str | None, state: str, at: tuple[datetime, datetime]
    ) -> None:
        file = (due.pipe_name, due.file_name, due.load_seq)
        self._events.emit(ActionEnded(*file, due.action.value, state, told, *at))

    def _do(self, session: Session, due: Due) -> str | None:
        """Carry out one action; return why it was left, if it was."""
        staged = self._stage.look(due.file_name)
        if staged is None:
            return None
        try:
            if not self._is_loaded(session, staged, due):
                return ANOTHER
            if due.action is Action.ARCHIVE:
                self._stage.archive(staged, due.target or "")
            elif due.action is Action.TAG:
                self._stage.tag(staged, json.loads(due.target or "{}"))
            else:
                self._stage.remove(staged)
        except (ChangedError, FileNotFoundError):
            return ANOTHER
        return None

    def _is_loaded(self, session: Session, staged: StagedFile, due: Due) -> bool:
        """Is this the version that the load was of?

        A file of this machine is hashed once more. An object whose ETag, size and
        time are those that were loaded is known unread.
        """
        if self._stage.path(staged.name) is None:
            known = settled_files(session, [staged.name]).get(staged.name)
            if known and (known.size, known.mtime_ns, known.ctime_ns) == (
                staged.size,
                staged.mtime_ns,
                staged.ctime_ns,
            ):
                newest = session.value(
                    "select load_seq from snowmelt.staged_files where file_name = $1",
                    [staged.name],
                )
                if newest == due.load_seq:
                    return True
        digest = hashlib.sha256()
        for chunk in self._stage.chunks(staged):
            digest.update(chunk)
        return digest.hexdigest() == due.content_sha256
