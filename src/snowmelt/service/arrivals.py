"""What has arrived: notifications say where to look, a listing decides.

Files that were found are offered to the pending files; those that have rested are
looked at once more, and are whole if they did not change.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from snowmelt.errors import UnreachableError
from snowmelt.events import FilesFound
from snowmelt.landing.settle import Noticed
from snowmelt.landing.stage import Notifications, StagedFile
from snowmelt.pipe.history import settled_files, settled_rows
from snowmelt.pipe.scope import Scope, offered
from snowmelt.service.parts import Parts

log = logging.getLogger("snowmelt")


class Arrivals:
    """Finds the files of a stage and tells the pending files of them.

    `scope`: which files listings offer; a command may want fewer than all. `problem`:
    why the stage cannot be reached, if it cannot.
    """

    def __init__(self, parts: Parts) -> None:
        self.scope = Scope()
        self.problem: str | None = None
        self._parts = parts
        self._list_at: datetime | None = None
        self._unreached: set[str] = set()

    @property
    def to_list(self) -> bool:
        """Is a listing due at once?"""
        return self._list_at is None

    def next_listing(self, now: datetime) -> datetime:
        """Return when the stage is listed next."""
        return self._list_at or now

    def list_at_once(self) -> None:
        """List the stage in the next turn."""
        self._list_at = None

    def list_by(self, instant: datetime) -> None:
        """List the stage at an instant, if not before."""
        if self._list_at is not None:
            self._list_at = min(self._list_at, instant)

    def find_again(self, names: Iterable[str]) -> None:
        """Let a listing find these files before anything of them counts as done."""
        self._unreached |= set(names)

    def is_open(self, name: str) -> bool:
        """Is anything still to be done about a file that was noticed?"""
        return name in self._unreached or self._parts.pending.has(name)

    def take_notifications(self, now: datetime) -> None:
        """Look where something was noticed; if that fails a listing finds it."""
        hints = self._parts.stage.notified()
        if hints.lost:
            self.list_at_once()
        try:
            self._follow(hints, now)
        except Exception:
            self.find_again(hints.placed | hints.finished | hints.seen)
            self.list_at_once()
            raise

    def _follow(self, hints: Notifications, now: datetime) -> None:
        for names, noticed in (
            (hints.placed, Noticed.PLACED),
            (hints.finished, Noticed.CLOSED),
            (hints.seen, Noticed.FOUND),
        ):
            found = self._look_at(sorted(names)) if names else {}
            for name in [name for name, file in found.items() if file is None]:
                self._parts.pending.forget(name)
            files = [file for file in found.values() if file is not None]
            if files:
                self._offer(files, now, noticed, "notification")

    def _look_at(self, names: Sequence[str]) -> Mapping[str, StagedFile | None]:
        """Look at files; those that cannot be reached now are found by a listing."""
        try:
            return self._parts.stage.looks(names)
        except UnreachableError as error:
            self.find_again(names)
            self._cannot_reach(error)
            return {}

    def _cannot_reach(self, error: UnreachableError) -> None:
        if self.problem is None:
            log.warning("%s", error)
        self.problem = str(error)
        load = self._parts.project.settings.load
        self.list_by(self._parts.clock.now() + load.retry_after)

    def list_if_due(self, now: datetime) -> bool:
        """List the stage: what no notification told of is found here.

        A clock that was put back does not put the listing off. Returns whether the
        stage was listed.
        """
        next_at = now + self._parts.project.settings.landing.refresh_every
        if self._list_at is not None and now < self._list_at <= next_at:
            return False
        try:
            files = self._parts.stage.refresh(self._dealt_with)
        except UnreachableError as error:
            self._list_at = next_at
            self._cannot_reach(error)
            return False
        self.problem = None
        self._parts.pending.keep_only({file.name for file in files})
        pipes = self._parts.project.pipes
        found = offered(files, pipes, self.scope, now)
        self._offer(found, now, self._whole, "listing")
        self._unreached.clear()
        self._list_at = next_at
        return True

    def _dealt_with(self, names: Collection[str]) -> Mapping[str, tuple[int, int, int]]:
        """Return the states in which files need no offer: they are left out."""
        with self._parts.warehouse.session() as session:
            return self._parts.pending.dealt_with(settled_rows(session, names))

    @property
    def _whole(self) -> Noticed:
        """Return how a file is noticed that is only seen to lie there."""
        return Noticed.PLACED if self._parts.stage.places_whole else Noticed.FOUND

    def offer(self, files: Sequence[StagedFile]) -> None:
        """Take files that a person named, whatever listings say of them."""
        self._offer(files, self._parts.clock.now(), self._whole, "request")

    def _offer(
        self, files: Sequence[StagedFile], now: datetime, noticed: Noticed, way: str
    ) -> None:
        parts = self._parts
        if not files:
            return
        with parts.warehouse.session() as session:
            settled = settled_files(session, [file.name for file in files])
        before = parts.pending.count
        parts.attempts.end(parts.pending.offer(files, settled, now, noticed))
        found = parts.pending.count - before
        if found > 0:
            parts.events.emit(FilesFound(found, way, now))

    def promote(self, now: datetime) -> None:
        """Files that rested and did not change are whole."""
        rested = self._parts.pending.rested(now)
        if not rested:
            return
        there: Mapping[str, StagedFile | None] = {file.name: file for file in rested}
        if not self._parts.stage.places_whole:
            there = self._look_at([file.name for file in rested])
        for file in (file for file in rested if file.name in there):
            again = there[file.name]
            if again == file:
                self._parts.pending.promote(file, now)
            elif again is None:
                self._parts.pending.forget(file.name)
            else:
                self._offer([again], now, Noticed.FOUND, "listing")
