"""Publishing beside the loop: after runs or on schedules, and again after failures.

Each place has a thread of its own, so that one that is away holds up no other, and no
load and no run in any case: they do not know of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta

from cronsim import CronSim

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.events import Event, RunFinished
from snowmelt.gold.publish_config import EMBEDDED, PublishTarget
from snowmelt.gold.run_history import RunState, published_run
from snowmelt.serve.publish.embedded import READER, running
from snowmelt.service.parts import Parts
from snowmelt.service.publishing.places import Place, Publishing
from snowmelt.service.publishing.record import read_record

log = logging.getLogger("snowmelt")
AGAIN_AFTER, AGAIN_AFTER_MAX = timedelta(seconds=2), timedelta(minutes=5)
LOOK_EVERY = 30.0


class Sharing:
    """Keeps the places of `publish: to:` up to date for as long as a service runs."""

    def __init__(self, parts: Parts, note: Callable[[str], None]) -> None:
        self._parts = parts
        self.publishing = Publishing(parts)
        self._threads = [
            _Keeper(parts, self.publishing, name, target, note)
            for name, target in parts.project.settings.publish.to.items()
        ]

    def __call__(self, event: Event) -> None:
        """Publish soon after a run that is visible; from any thread."""
        if isinstance(event, RunFinished) and event.state == RunState.SUCCEEDED.value:
            for each in self._threads:
                each.news.set()

    def start(self) -> None:
        """Begin; what a place lacks since before is published at once."""
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        """End what is under way: nothing of it is visible, and it is done again."""
        self.publishing.stopping.set()
        for each in self._threads:
            each.news.set()
        for each in self._threads:
            each.join()


class _Keeper(threading.Thread):
    """Keeps one place up to date."""

    def __init__(
        self,
        parts: Parts,
        publishing: Publishing,
        name: str,
        target: PublishTarget,
        note: Callable[[str], None],
    ) -> None:
        super().__init__(name=f"publish-{name}")
        self._parts = parts
        self._publishing = publishing
        self._target = target
        self._place = Place(name, target)
        self._note = note
        self._told = ""
        self._knows_place = False
        """Was it looked at since we began? It may have been lost meanwhile."""
        self.news = threading.Event()

    def run(self) -> None:
        """Work until the service stops."""
        with ExitStack() as stack:
            while not self._publishing.stopping.is_set():
                self.news.clear()
                try:
                    self._open(stack)
                    self._keep_up()
                    seconds = self._seconds_to_next()
                except Exception as error:  # noqa: BLE001 - told, and tried again
                    seconds = self._failed(error)
                    stack.close()  # a server that is ours is started again
                    self._knows_place = False
                    self._place = Place(self._place.name, self._target)
                    self._parts.clock.wait(self._publishing.stopping, seconds)
                    continue
                self._parts.clock.wait(self.news, seconds)

    def _open(self, stack: ExitStack) -> None:
        """Start the server that is ours to start."""
        target = self._target
        if target.postgres != EMBEDDED or self._place.dsn:
            return
        folder = self._publishing.folder(self._place.name)
        server = stack.enter_context(running(folder, self._parts.clock))
        readers = [*target.grant_to, READER]
        target = target.model_copy(update={"grant_to": readers})
        self._place = Place(self._place.name, target, server.dsn)

    def _keep_up(self) -> None:
        """Publish, if the place has another run than the warehouse, and it is time."""
        with self._parts.warehouse.snapshot() as session:
            run_id = published_run(session)
        has = self._knows_place and run_id is not None and self._has(run_id)
        if run_id is None or has or self._waits_for_schedule():
            return
        self._publishing.publish(self._place)
        self._told, self._knows_place = "", True

    def _has(self, run_id: str) -> bool:
        """Has the place got this run, for all that is known?"""
        known = read_record(self._publishing.folder(self._place.name))
        if known is None or known.problem is not None:
            return False
        return known.run_id == run_id and known.where == self._place.where

    def _waits_for_schedule(self) -> bool:
        if self._place.target.schedule is None:
            return False
        return self._due_at() > self._parts.clock.now()

    def _due_at(self) -> datetime:
        """Return when the schedule's next time is after the last publication."""
        known = read_record(self._publishing.folder(self._place.name))
        now = self._parts.clock.now()
        if known is None or known.published_at is None:
            return now
        due: datetime = next(
            CronSim(
                str(self._place.target.schedule),
                datetime.fromisoformat(known.published_at),
            )
        )
        return due

    def _seconds_to_next(self) -> float:
        if self._place.target.schedule is None:
            return LOOK_EVERY
        left = (self._due_at() - self._parts.clock.now()).total_seconds()
        return min(max(left, 0.05), LOOK_EVERY)

    def _failed(self, error: Exception) -> float:
        """Tell of a failure once, and return how long to wait."""
        known = read_record(self._publishing.folder(self._place.name))
        tries = min(known.tries if known else 1, 20)
        if isinstance(error, UsageError):
            return AGAIN_AFTER.total_seconds()
        if self._publishing.stopping.is_set():
            return 0.0
        told = str(error)
        if told != self._told:
            self._told = told
            log.warning("gold is not published to %s: %s", self._place.name, told)
            self._note(f"gold is not published to {self._place.name}: {told}")
        if not isinstance(error, SnowmeltError):
            log.error("publishing failed", exc_info=error)
        wait = AGAIN_AFTER.total_seconds() * 2.0 ** max(tries - 1, 0)
        return min(wait, AGAIN_AFTER_MAX.total_seconds())
