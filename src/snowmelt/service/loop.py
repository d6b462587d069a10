"""The loop: notifications, pending files, batches, publications.

A turn only dispatches and settles. Copies run in a load lane and publications in a
run lane, so that neither a large load nor a long build stops the other; what they
share is the warehouse, whose commits are serialised.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from snowmelt.events import CopyFinished
from snowmelt.gold.run_result import RunResult
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.held import HeldReason, hold_file, insert_held
from snowmelt.pipe.scope import widen
from snowmelt.service.after_loading import AfterLoading
from snowmelt.service.alerting import Alerting
from snowmelt.service.arrivals import Arrivals
from snowmelt.service.gathering import Gathering
from snowmelt.service.lane import Lane
from snowmelt.service.load_lanes import Loaded, LoadLanes
from snowmelt.service.parts import Parts
from snowmelt.service.run_timing import RunTiming
from snowmelt.service.tasks.assembly import make_tasks
from snowmelt.service.telling import tell_settled
from snowmelt.service.upkeep import Upkeep
from snowmelt.service.watching import Watching
from snowmelt.transform.project_digest import project_digest

log = logging.getLogger("snowmelt")
PROBLEMS_MAX = 20


@dataclass
class Loop:
    """Rounds of everything that is due. One thread turns it."""

    parts: Parts
    publishes: bool = True
    publishes_on_arrival: bool = True
    """Are runs this loop's to begin, or tasks', unless a person asks?"""
    publishes_once: bool = False
    """Does a run wait until every file is loaded, however long that takes?"""
    wake: threading.Event = field(default_factory=threading.Event)
    lock: threading.RLock = field(default_factory=threading.RLock)
    last_run: RunResult | None = None
    stopping: bool = False
    problems: list[str] = field(default_factory=list)
    problem_count: int = 0
    warnings: list[str] = field(default_factory=list)
    upkeep: Upkeep | None = None
    alerting: Alerting | None = None

    def __post_init__(self) -> None:
        parts = self.parts
        config = parts.project.settings.load
        make_lane = partial(parts.make_lane, wake=self.wake.set)
        self.load_lanes = LoadLanes(
            parts.copier, parts.loading, config, parts.trial, make_lane
        )
        self.arrivals = Arrivals(parts)
        self.run_lane: Lane[RunResult | None] = make_lane("run")
        self.after_loading = AfterLoading(
            parts.warehouse, parts.stage, parts.clock, parts.events, make_lane
        )
        self.log_lane: Lane[None] = make_lane("log")
        self.gathering = Gathering(
            parts.stage, parts.warehouse, parts.pending, parts.events
        )
        self.watching = Watching(
            parts.warehouse, parts.project.pipes, parts.events, parts.clock.now()
        )
        self.run_timing = RunTiming(
            parts.warehouse, parts.publication, parts.project.settings
        )
        self.tasks = make_tasks(self)
        self._run_asked = False
        self._unpublished_since: datetime | None = self.parts.clock.now()
        self._turned_at = parts.clock.now()
        self._digest = ""

    def turn(self) -> None:
        """Do one round of everything that is due. Safe to stop after any line."""
        with self.lock:
            now = self._now()
            self.parts.pipeline_log.turn += 1
            self.arrivals.take_notifications(now)
            self._list(now)
            self.arrivals.promote(now)
            for loaded in self.load_lanes.take():
                self._settle_load(loaded, now)
            self.load_lanes.dispatch(
                self.parts.project.pipes, self.gathering, now, self.parts.events
            )
            for problem in self.after_loading.turn():
                self.note(problem)
            self.watching.check(now)
            self.tasks.turn(now)
            self._settle_run()
            self._dispatch_run(now)
            self._write_log()
            self.parts.stage.acknowledge(self.arrivals.is_open)
            if self.alerting is not None:
                self.alerting.turn()

    def _now(self) -> datetime:
        """Return the time; after it was put back nothing waits for the old one."""
        now = self.parts.clock.now()
        if now < self._turned_at:
            self.arrivals.list_at_once()
            self.parts.pending.clock_went_back(now)
            if self._unpublished_since is not None:
                self._unpublished_since = min(self._unpublished_since, now)
                self.run_timing.changed()
        self._turned_at = now
        return now

    def _write_log(self) -> None:
        """Have the log written, best while nothing else is under way."""
        busy = not (self.load_lanes.idle and self.run_lane.idle)
        self.log_lane.take()
        pipeline_log = self.parts.pipeline_log
        if self.log_lane.idle and pipeline_log.is_due(busy=busy):
            self.log_lane.begin(partial(pipeline_log.keep_up, busy=busy))

    def look(self) -> None:
        """Find out what is pending now, and load nothing."""
        with self.lock:
            now = self.parts.clock.now()
            self.arrivals.list_at_once()
            self._list(now)
            self.arrivals.promote(now)

    def ask_refresh(self) -> None:
        """List the stage in the next turn."""
        with self.lock:
            self.arrivals.list_at_once()
            self.wake.set()

    def ask_run(self) -> None:
        """Publish, if anything is due, as soon as no file waits."""
        with self.lock:
            self._unpublished_since = self.parts.clock.now()
            self._run_asked = True
            self.tasks.rows_arrived()
            self.wake.set()

    def is_quiet(self, *, settling_too: bool = True) -> bool:
        """Is there nothing to load, to publish, or under way?

        Without `settling_too`, files that still change do not count.
        """
        with self.lock:
            published = self._unpublished_since is None or not self._publishing
            idle = self.load_lanes.idle and self.run_lane.idle
            idle = idle and self.after_loading.idle
            idle = idle and not self.arrivals.to_list
            return idle and published and self._left(settling_too=settling_too) == 0

    @property
    def _publishing(self) -> bool:
        return self.publishes and (self.publishes_on_arrival or self._run_asked)

    def has_loaded(self, pipe: str | None) -> bool:
        """Is the stage listed, and nothing of a pipe, or of any, left to load?"""
        with self.lock:
            if self.arrivals.to_list or not self.load_lanes.idle:
                return False
            states = self.parts.pending.states()
            own = [
                each
                for each in states
                if each["pipe_name"] == pipe and each["state"] != "held"
            ]
            return self._left() == 0 or (pipe is not None and not own)

    @property
    def is_loading(self) -> bool:
        """Are files being loaded, or whole and about to be?"""
        with self.lock:
            return self._left(settling_too=False) > 0 or not self.load_lanes.idle

    def _left(self, *, settling_too: bool = True) -> int:
        """Return how many files are to be loaded and do not wait for others."""
        pending = self.parts.pending
        known = pending.count if settling_too else pending.to_load
        return known - self.gathering.count

    def seconds_to_next(self) -> float:
        """Return how long nothing will be due unless something wakes the loop."""
        with self.lock:
            now = self.parts.clock.now()
            instants = [self.arrivals.next_listing(now)]
            rest = self.parts.pending.next_rest()
            if rest is not None:
                instants.append(rest)
            task_at = self.tasks.next_at()
            if task_at is not None:
                instants.append(task_at)
            to_publish = self._publishing and self.run_lane.idle
            to_publish = to_publish and not self.publishes_once
            if self._unpublished_since is not None and to_publish:
                longest = self.parts.project.settings.publish.wait_max
                due_at = self.run_due_at(now)
                instants.append(due_at or self._unpublished_since + longest)
            seconds = (min(instants) - now).total_seconds()
            return min(max(seconds, 0.005), 5.0)

    def close(self) -> None:
        """Let the lanes end what they are at; tasks are stopped."""
        with self.lock:
            self.tasks.close()
        self.load_lanes.close()
        self.run_lane.close()
        self.after_loading.close()
        self.log_lane.close()
        if self.alerting is not None:
            self.alerting.close()

    def _list(self, now: datetime) -> None:
        """List the stage, if that is due, and see whether the models changed."""
        if not self.arrivals.list_if_due(now):
            return
        if any(pipe.after_load for pipe in self.parts.project.pipes):
            self.after_loading.ask()
        digest = project_digest(self.parts.project.root)
        if digest != self._digest:
            self._digest = digest
            self._unpublished_since = self._unpublished_since or now

    def offer(self, files: list[StagedFile]) -> None:
        """Take files that a person named, whatever listings say of them."""
        with self.lock:
            self.arrivals.offer(files)
            self.wake.set()

    def _settle_load(self, loaded: Loaded, now: datetime) -> None:
        """Take note of what a batch came to."""
        self.run_timing.changed()
        self._end_load(loaded)
        self._tell_finished(loaded)
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
            self.arrivals.list_at_once()
            self.arrivals.scope = widen(
                self.parts.warehouse, self.arrivals.scope, superseding
            )
        for outcome in loaded.prepared.outcomes:
            record = outcome.record
            self.warnings += tell_settled(self.parts.events, outcome)
            if record.load_seq and (record.row_count or outcome.identity.supersedes):
                self._unpublished_since = self._unpublished_since or now
            if loaded.pipe.external and not record.load_seq:
                # a file was only touched: a run that found it otherwise may go on
                self._unpublished_since = self._unpublished_since or now
            if record.load_seq and record.status.has_rows:
                self.tasks.rows_arrived()
                self.watching.arrived(record.pipe_name, now)
        del self.warnings[:-PROBLEMS_MAX]
        if loaded.pipe.after_load:
            self.after_loading.ask()

    def _tell_finished(self, loaded: Loaded) -> None:
        ended_at = self.parts.clock.now()
        began = loaded.started_at or ended_at
        problem = loaded.problem if loaded.prepared is None else None
        first, files = loaded.batch[0].file.name, len(loaded.batch)
        self.parts.events.emit(
            CopyFinished(loaded.pipe.name, files, first, began, ended_at, problem)
        )

    def _end_load(self, loaded: Loaded) -> None:
        """Let a listing find the files with which a batch is not done."""
        again = {each.file.name for each in loaded.batch}
        if loaded.prepared is not None:
            again = set(loaded.prepared.again)
        overtaken = self.parts.pending.end(loaded.batch, again)
        self.arrivals.find_again(again | overtaken)
        if overtaken or (loaded.prepared and again):
            self.arrivals.list_at_once()

    def _settle_failure(self, loaded: Loaded, now: datetime) -> None:
        """A batch was not copied: its files are tried again, one by one if need be."""
        self.note(loaded.problem)
        if loaded.blameless:
            self.arrivals.list_by(now + self.parts.project.settings.load.retry_after)
            return
        if loaded.killed:
            self._settle_killed(loaded.batch[0], loaded.problem, now)
        else:
            self.parts.pending.suspect(loaded.batch)
        if len(loaded.batch) > 1 or loaded.killed:
            self.arrivals.list_at_once()  # they go on, one by one

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

    def _dispatch_run(self, now: datetime) -> None:
        """Publish when no file waits, or when loads have waited long enough."""
        if not self.run_lane.idle:
            return
        if self._unpublished_since is None or not self._publishing:
            self._keep_up(now)
            return
        busy = self.arrivals.to_list or self._left() > 0 or not self.load_lanes.idle
        due_at = self.run_due_at(now)
        if due_at is not None and now < due_at:
            return
        waited = now - self._unpublished_since
        waits = self.publishes_once or (due_at is None and waited < self._linger())
        if busy and waits:
            return
        if self.upkeep and (work := self.upkeep.overdue(now)):
            self.run_lane.begin(work)
            return
        self._unpublished_since = None
        self._run_asked = self._run_asked and busy
        self.run_lane.begin(self._publish)

    def run_due_at(self, now: datetime) -> datetime | None:
        """Return when a run has to begin by the goals of the models that wait for it.

        None when it is as soon as possible: nobody has a goal, or a person asked.
        """
        if self._run_asked or self.publishes_once or self._unpublished_since is None:
            return None
        return self.run_timing.due_at(self._digest, self._unpublished_since, now)

    def _linger(self) -> timedelta:
        """Return how long loaded rows wait for files that are about to be loaded.

        As long as a run takes, going by the last one: so a burst of files costs few
        runs of dbt, and a file among many waits for no more than one fast run.
        """
        longest = self.parts.project.settings.publish.wait_max
        if self.last_run is None:
            return longest
        return min(longest, timedelta(seconds=self.last_run.seconds))

    def _keep_up(self, now: datetime) -> None:
        """Do what is for the runs to come, while nothing waits or is at work."""
        if self.upkeep is None or not self.is_quiet() or self.tasks.busy:
            return
        work = self.upkeep.choose(now, self._digest)
        if work is not None:
            self.run_lane.begin(work)

    def _publish(self) -> RunResult | None:
        return self.parts.publication.publish(project_digest(self.parts.project.root))

    def _settle_run(self) -> None:
        work = self.run_lane.take()
        if work is None:
            return
        self.run_timing.changed()
        try:
            self.last_run = work.result() or self.last_run
            self.tasks.rows_arrived()
        except Exception as error:
            log.exception("a run could not be carried out")
            self.note(f"the run could not be carried out: {error}")

    @property
    def stage_problem(self) -> str | None:
        """Return why the stage cannot be reached, if it cannot."""
        return self.arrivals.problem

    def note(self, problem: str) -> None:
        """Keep the newest problems, numbered, to be shown."""
        self.problem_count += 1
        self.problems.append(problem)
        del self.problems[:-PROBLEMS_MAX]
