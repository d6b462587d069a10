"""The loop: notifications, pending files, batches, publications.

A turn only dispatches and settles. Copies run in a load lane and publications in a
run lane, so that neither a large load nor a long build stops the other; what they
share is the warehouse, whose commits are serialised.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from snowmelt.bronze.copy import Copier
from snowmelt.clock import Clock
from snowmelt.errors import UnreachableError
from snowmelt.events import Events, FilesFound
from snowmelt.gold.publication import Publication, RunResult
from snowmelt.landing.settle import Noticed
from snowmelt.landing.stage import Notifications, Stage, StagedFile
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.held import HeldReason, hold_file, insert_held
from snowmelt.pipe.history import settled_files
from snowmelt.pipe.pending import PendingFiles
from snowmelt.pipe.scope import Scope, offered, widen
from snowmelt.project.project import Project
from snowmelt.service.after_loading import AfterLoading
from snowmelt.service.gathering import Gathering
from snowmelt.service.lane import Lane, MakeLane
from snowmelt.service.load_lanes import Loaded, LoadLanes, PipeLocks, Trial
from snowmelt.service.telling import tell_settled
from snowmelt.service.watching import Watching
from snowmelt.transform.dbt import project_digest
from snowmelt.warehouse.port import Warehouse

log = logging.getLogger("snowmelt")
PROBLEMS_MAX = 20


@dataclass
class Parts:
    """What the loop works with."""

    project: Project
    warehouse: Warehouse
    stage: Stage
    pending: PendingFiles
    copier: Copier
    attempts: Attempts
    publication: Publication
    clock: Clock
    events: Events
    loading: PipeLocks
    """Held while load history is read and added to: by copies and by replays."""
    trial: Trial
    """Tries a file in a process of its own."""
    make_lane: MakeLane = Lane


@dataclass
class Loop:
    """Rounds of everything that is due. One thread turns it."""

    parts: Parts
    publishes: bool = True
    wake: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    last_run: RunResult | None = None
    stage_problem: str | None = None
    stopping: bool = False
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    warnings: list[str] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    """Which files listings offer; a command may want fewer than all."""

    def __post_init__(self) -> None:
        parts = self.parts
        config = parts.project.settings.load
        make_lane = partial(parts.make_lane, wake=self.wake.set)
        self.load_lanes = LoadLanes(
            parts.copier, parts.loading, config, parts.trial, make_lane
        )
        self.run_lane: Lane[RunResult | None] = make_lane("run")
        self.after_loading = AfterLoading(
            parts.warehouse, parts.stage, parts.clock, make_lane
        )
        self.gathering = Gathering(
            parts.stage, parts.warehouse, parts.pending, parts.events
        )
        self.watching = Watching(
            parts.warehouse, parts.project.pipes, parts.events, parts.clock.now()
        )
        self._refresh_at: datetime | None = None
        self._unpublished_since: datetime | None = self.parts.clock.now()
        self._turned_at = parts.clock.now()
        self._digest = ""
        self._unreached: set[str] = set()

    def turn(self) -> None:
        """Do one round of everything that is due. Safe to stop after any line."""
        with self.lock:
            now = self._now()
            self._take_notifications(now)
            self._refresh(now)
            self._promote(now)
            for loaded in self.load_lanes.take():
                self._settle_load(loaded, now)
            self.load_lanes.dispatch(
                self.parts.project.pipes, self.gathering, now, self.parts.events
            )
            for problem in self.after_loading.turn():
                self.note(problem)
            self.watching.check(now)
            self._settle_run()
            self._dispatch_run(now)
            self.parts.stage.acknowledge(self._is_open)

    def _now(self) -> datetime:
        """Return the time; after it was put back nothing waits for the old one."""
        now = self.parts.clock.now()
        if now < self._turned_at:
            self._refresh_at = None
            self.parts.pending.clock_went_back(now)
            if self._unpublished_since is not None:
                self._unpublished_since = min(self._unpublished_since, now)
        self._turned_at = now
        return now

    def _is_open(self, name: str) -> bool:
        """Is anything still to be done about a file that was noticed?"""
        return name in self._unreached or self.parts.pending.has(name)

    def look(self) -> None:
        """Find out what is pending now, and load nothing."""
        with self.lock:
            now = self.parts.clock.now()
            self._refresh_at = None
            self._refresh(now)
            self._promote(now)

    def ask_refresh(self) -> None:
        """List the stage in the next turn."""
        with self.lock:
            self._refresh_at = None
            self.wake.set()

    def ask_run(self) -> None:
        """Publish, if anything is due, as soon as no file waits."""
        with self.lock:
            self._unpublished_since = self.parts.clock.now()
            self.wake.set()

    def is_quiet(self, *, settling_too: bool = True) -> bool:
        """Is there nothing to load, to publish, or under way?

        Without `settling_too`, files that still change do not count.
        """
        with self.lock:
            published = self._unpublished_since is None or not self.publishes
            idle = self.load_lanes.idle and self.run_lane.idle
            idle = idle and self.after_loading.idle
            listed = self._refresh_at is not None
            pending = self.parts.pending
            left = pending.count if settling_too else pending.to_load
            left -= self.gathering.count
            return listed and idle and published and left == 0

    def seconds_to_next(self) -> float:
        """Return how long nothing will be due unless something wakes the loop."""
        with self.lock:
            now = self.parts.clock.now()
            instants = [self._refresh_at or now]
            rest = self.parts.pending.next_rest()
            if rest is not None:
                instants.append(rest)
            to_publish = self.publishes and self.run_lane.idle
            if self._unpublished_since is not None and to_publish:
                instants.append(
                    self._unpublished_since
                    + self.parts.project.settings.publish.wait_max
                )
            seconds = (min(instants) - now).total_seconds()
            return min(max(seconds, 0.005), 5.0)

    def close(self) -> None:
        """Let the lanes end what they are at."""
        self.load_lanes.close()
        self.run_lane.close()
        self.after_loading.close()

    def _take_notifications(self, now: datetime) -> None:
        """Look where something was noticed; if that fails a listing finds it."""
        hints = self.parts.stage.notified()
        if hints.lost:
            self._refresh_at = None
        try:
            self._follow(hints, now)
        except Exception:
            self._unreached |= hints.placed | hints.finished | hints.seen
            self._refresh_at = None
            raise

    def _follow(self, hints: Notifications, now: datetime) -> None:
        for names, noticed in (
            (hints.placed, Noticed.PLACED),
            (hints.finished, Noticed.CLOSED),
            (hints.seen, Noticed.FOUND),
        ):
            found = self._look_at(sorted(names))
            for name in [name for name, file in found.items() if file is None]:
                self.parts.pending.forget(name)
            files = [file for file in found.values() if file is not None]
            if files:
                self._offer(files, now, noticed)

    def _look_at(self, names: Sequence[str]) -> Mapping[str, StagedFile | None]:
        """Look at files; those that cannot be reached now are found by a listing."""
        try:
            return self.parts.stage.looks(names)
        except UnreachableError as error:
            self._unreached |= set(names)
            self._cannot_reach(error)
            return {}

    def _cannot_reach(self, error: UnreachableError) -> None:
        if self.stage_problem is None:
            log.warning("%s", error)
        self.stage_problem = str(error)
        load = self.parts.project.settings.load
        self._list_by(self.parts.clock.now() + load.retry_after)

    def _refresh(self, now: datetime) -> None:
        """List the stage: what no notification told of is found here.

        A clock that was put back does not put the listing off.
        """
        next_at = now + self.parts.project.settings.landing.refresh_every
        if self._refresh_at is not None and now < self._refresh_at <= next_at:
            return
        try:
            files = self.parts.stage.refresh()
        except UnreachableError as error:
            self._refresh_at = next_at
            self._cannot_reach(error)
            return
        self.stage_problem = None
        self.parts.pending.keep_only({file.name for file in files})
        whole = Noticed.PLACED if self.parts.stage.places_whole else Noticed.FOUND
        files = offered(files, self.parts.project.pipes, self.scope, now)
        self._offer(files, now, whole)
        self._unreached.clear()
        self._refresh_at = next_at
        if any(pipe.after_load for pipe in self.parts.project.pipes):
            self.after_loading.ask()
        digest = project_digest(self.parts.project.root)
        if digest != self._digest:
            self._digest = digest
            self._unpublished_since = self._unpublished_since or now

    def offer(self, files: list[StagedFile]) -> None:
        """Take files that a person named, whatever listings say of them."""
        with self.lock:
            whole = Noticed.PLACED if self.parts.stage.places_whole else Noticed.FOUND
            self._offer(files, self.parts.clock.now(), whole)
            self.wake.set()

    def _offer(self, files: list[StagedFile], now: datetime, noticed: Noticed) -> None:
        with self.parts.warehouse.session() as session:
            settled = settled_files(session, [file.name for file in files])
        before = self.parts.pending.count
        self.parts.attempts.end(self.parts.pending.offer(files, settled, now, noticed))
        found = self.parts.pending.count - before
        if found > 0:
            self.parts.events.emit(FilesFound(found))

    def _promote(self, now: datetime) -> None:
        """Files that rested and did not change are whole."""
        rested = self.parts.pending.rested(now)
        there: Mapping[str, StagedFile | None] = {file.name: file for file in rested}
        if not self.parts.stage.places_whole:
            there = self._look_at([file.name for file in rested])
        for file in (file for file in rested if file.name in there):
            again = there[file.name]
            if again == file:
                self.parts.pending.promote(file, now)
            elif again is None:
                self.parts.pending.forget(file.name)
            else:
                self._offer([again], now, Noticed.FOUND)

    def _settle_load(self, loaded: Loaded, now: datetime) -> None:
        """Take note of what a batch came to."""
        self._end_load(loaded)
        if loaded.prepared is None:
            self._settle_failure(loaded, now)
            return
        self.parts.pending.hold(loaded.prepared.held)
        superseding = [
            outcome.record.load_seq
            for outcome in loaded.prepared.outcomes
            if outcome.identity.supersedes
        ]
        if superseding:
            self._refresh_at = None
            self.scope = widen(self.parts.warehouse, self.scope, superseding)
        for outcome in loaded.prepared.outcomes:
            record = outcome.record
            self.warnings += tell_settled(self.parts.events, outcome)
            if record.load_seq and (record.row_count or outcome.identity.supersedes):
                self._unpublished_since = self._unpublished_since or now
            if record.load_seq and record.status.has_rows:
                self.watching.arrived(record.pipe_name, now)
        del self.warnings[:-PROBLEMS_MAX]
        if loaded.pipe.after_load:
            self.after_loading.ask()

    def _end_load(self, loaded: Loaded) -> None:
        """Let a listing find the files with which a batch is not done."""
        again = {each.file.name for each in loaded.batch}
        if loaded.prepared is not None:
            again = set(loaded.prepared.again)
        overtaken = self.parts.pending.end(loaded.batch, again)
        self._unreached |= again | overtaken
        if overtaken or (loaded.prepared and again):
            self._refresh_at = None

    def _settle_failure(self, loaded: Loaded, now: datetime) -> None:
        """A batch was not copied: its files are tried again, one by one if need be."""
        self.note(loaded.problem)
        if loaded.blameless:
            self._list_by(now + self.parts.project.settings.load.retry_after)
            return
        if loaded.killed:
            self._settle_killed(loaded.batch[0], loaded.problem, now)
        else:
            self.parts.pending.suspect(loaded.batch)
        if len(loaded.batch) > 1 or loaded.killed:
            self._refresh_at = None  # they go on, one by one

    def _settle_killed(self, each: Pending, problem: str, now: datetime) -> None:
        """A file killed its reader: it is tried again, or held for a person."""
        self.parts.pending.killed(each)
        tries = each.interrupted + 1
        if tries < self.parts.project.settings.load.tries_max:
            self.parts.attempts.begin([each.file.name])
            return
        detail = {"problem": problem, "tries": tries}
        reason = HeldReason.KILLED_READER
        held = hold_file(each.file, each.pipe_name, reason, detail, now)
        with self.parts.warehouse.session() as session, session.transaction():
            insert_held(session, [held])
        self.parts.attempts.end([each.file.name])
        self.parts.pending.hold([held])

    def _list_by(self, instant: datetime) -> None:
        """List the stage at an instant, if not before."""
        if self._refresh_at is not None:
            self._refresh_at = min(self._refresh_at, instant)

    def _dispatch_run(self, now: datetime) -> None:
        """Publish when no file waits, or when loads have waited long enough."""
        if not self.publishes or not self.run_lane.idle:
            return
        if self._unpublished_since is None:
            return
        to_list = self._refresh_at is None
        busy = (
            to_list
            or self.parts.pending.count > self.gathering.count
            or not self.load_lanes.idle
        )
        waited = now - self._unpublished_since
        if busy and waited < self.parts.project.settings.publish.wait_max:
            return
        self._unpublished_since = None
        self.run_lane.begin(self._publish)

    def _publish(self) -> RunResult | None:
        return self.parts.publication.publish(project_digest(self.parts.project.root))

    def _settle_run(self) -> None:
        work = self.run_lane.take()
        if work is None:
            return
        try:
            self.last_run = work.result() or self.last_run
        except Exception as error:
            log.exception("a run could not be carried out")
            self.note(f"the run could not be carried out: {error}")

    def note(self, problem: str) -> None:
        """Keep the newest problems, numbered, to be shown."""
        self.problem_count += 1
        self.problems.append(problem)
        del self.problems[:-PROBLEMS_MAX]
