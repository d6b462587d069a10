"""Graph runs that are under way: started, collected, stopped in time, put on record.

What a task is to do begins when the row that says so is committed; so does what comes
after it when its end is. A process that dies leaves rows that tell how far it came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Event, Events
from snowmelt.service.tasks.live_run import AtWork, LiveRun
from snowmelt.service.tasks.rows import (
    finished_event,
    first_row,
    say_timeout,
    started_event,
)
from snowmelt.service.tasks.stages import Settled, SharedPublication
from snowmelt.service.tasks.work import ERROR_CHARS_MAX, Done, Stop, TaskError, Work
from snowmelt.transform.tasks.attempt import Publishing, Steps, TaskState
from snowmelt.transform.tasks.condition import holds
from snowmelt.transform.tasks.ledger import (
    GraphRun,
    write_graph_run,
    write_task_runs,
)
from snowmelt.transform.tasks.unread import Reader, has_unread
from snowmelt.warehouse.port import Session, Warehouse

CONDITION_FALSE = "the condition of WHEN is false"
_ROLLED_BACK = "rolled back"
CANCELLED = "cancelled"
_CANCELS = ("stopped", _ROLLED_BACK, CANCELLED)


@dataclass
class Means:
    """What tasks are run with."""

    warehouse: Warehouse
    clock: Clock
    events: Events
    publication: SharedPublication
    kinds: Mapping[str, Work]
    pool: Executor
    wake: Callable[[], None]
    bronze: str = "bronze"


@dataclass
class Runner:
    """Runs graphs. One thread turns it."""

    means: Means
    runs: list[LiveRun] = field(default_factory=list)
    _starting: list[tuple[LiveRun, str, bool]] = field(default_factory=list)
    _records: list[GraphRun] = field(default_factory=list)
    _ended: list[LiveRun] = field(default_factory=list)
    _told: list[Event] = field(default_factory=list)
    over: list[LiveRun] = field(default_factory=list)
    """Runs that no other attempt follows; `take_over` empties it."""

    @property
    def idle(self) -> bool:
        return not self.runs

    @property
    def at_work(self) -> int:
        """How many tasks execute now."""
        return sum(len(run.at_work) for run in self.runs)

    def begin(self, run: LiveRun) -> None:
        """Put an attempt among those under way."""
        self.runs.append(run)
        self._records.append(run.record)

    def take_over(self) -> list[LiveRun]:
        """Return the runs that are over and on record, once."""
        over, self.over = self.over, []
        return over

    def replace_record(self, run: LiveRun) -> None:
        """Take an attempt's record as it is now, before it is written."""
        self._records = [
            run.record
            if (each.graph_run_group_id == run.record.graph_run_group_id)
            else each
            for each in self._records
        ]

    def give_up(self, run: LiveRun, now: datetime) -> None:
        """End an attempt as it stands; one that is not through is cancelled."""
        self._conclude(run, now)
        if run.record.state is TaskState.SUCCEEDED:
            run.record = replace(run.record, state=TaskState.CANCELLED)
            self._records[-1] = run.record

    def next_deadline(self) -> datetime | None:
        """Return by when the next task must have ended."""
        deadlines = [
            work.deadline
            for run in self.runs
            for work in run.at_work.values()
            if not work.stop.asked.is_set()
        ]
        return min(deadlines, default=None)

    # ---- what came to an end ----

    def collect(self, now: datetime) -> None:
        """Take what tasks and publications came to, and stop what takes too long."""
        for run in self.runs:
            for name, work in list(run.at_work.items()):
                if work.work.done():
                    del run.at_work[name]
                    self._take(run, name, work, now)
                elif now >= work.deadline:
                    work.stop.ask("timeout")
            settled = self.means.publication.take(run.key)
            if settled is not None:
                self._settle(run, settled, now)

    def _take(self, run: LiveRun, name: str, work: AtWork, now: datetime) -> None:
        """Let a task stand as its work ended."""
        try:
            done = work.work.result()
        except Exception as error:  # noqa: BLE001 - whatever a task can fail of
            self._fail(run, name, work, error, now)
            return
        run.return_values[name] = done.return_value
        if done.run_id is not None:
            run.set_built(name, done.run_id)
            run.rows[name] = replace(
                run.rows[name], return_value=done.return_value, output=done.output
            )
            run.changed[name] = run.rows[name]
            return
        self.means.publication.release_unopened(run.key)
        values = {"return_value": done.return_value, "output": done.output}
        self._end(run, name, TaskState.SUCCEEDED, now, **values)

    def _fail(
        self, run: LiveRun, name: str, work: AtWork, error: Exception, now: datetime
    ) -> None:
        cause, told = "error", str(error) or type(error).__name__
        state = TaskState.FAILED
        if work.stop.cause == "timeout":
            cause = "timeout"
            told = say_timeout(work.limit, told)
        elif work.stop.cause in _CANCELS:
            cause, state = work.stop.cause, TaskState.CANCELLED
            told = f"cancelled: {cause}" if cause != CANCELLED else run.why_cancelled
        run_id = error.run_id if isinstance(error, TaskError) else None
        self._end(
            run,
            name,
            state,
            now,
            cause=cause,
            error_message=told[-ERROR_CHARS_MAX:],
            run_id=run_id,
        )
        publication = self.means.publication
        if publication.standing(run.key) is Publishing.FREE:
            publication.release_unopened(run.key)
            ended = "was cancelled" if state is TaskState.CANCELLED else "failed"
            self._roll_back(run, f"task {name} {ended}", now)

    def _settle(self, run: LiveRun, settled: Settled, now: datetime) -> None:
        """Let what was built stand as its publication ended."""
        if settled.error is None:
            for name in sorted(run.attempt.built):
                self._end(run, name, TaskState.SUCCEEDED, now)
            return
        if run.attempt.cancelled:
            self._roll_back(run, "the graph run was cancelled", now)
            return
        first = run.first_error
        if first is None:  # the publication was refused: its last task stands for that
            last = max(run.attempt.built, key=run.graph.order.index)
            told = f"the publication was refused: {settled.error}"
            self._end(
                run, last, TaskState.FAILED, now, cause="error", error_message=told
            )
            first = run.rows[last]
        self._roll_back(run, f"task {first.name} failed", now)

    def _roll_back(self, run: LiveRun, why: str, now: datetime) -> None:
        told = f"rolled back, because {why}: nothing of this graph run was published"
        for name in sorted(run.attempt.built):
            self._end(
                run,
                name,
                TaskState.CANCELLED,
                now,
                cause=_ROLLED_BACK,
                error_message=told,
            )

    def _end(
        self,
        run: LiveRun,
        name: str,
        state: TaskState,
        now: datetime,
        **changes: object,
    ) -> None:
        row = run.set_state(name, state, completed_time=now, **changes)
        self._told.append(finished_event(row))

    # ---- what comes next ----

    def advance(self, run: LiveRun, now: datetime) -> bool:
        """Bring a run as far as it comes now; say whether it has ended."""
        while True:
            standing = self.means.publication.standing(run.key)
            unmet = self._ask_conditions(run, now)
            room = run.graph.root_task.lanes_max - self.at_work - len(self._starting)
            steps = run.attempt.advance(unmet, room, standing)
            for name in steps.skip:
                self._skip(run, name, now)
            for name in steps.start:
                self._start(run, name, name in steps.inside, now)
            self._judge(run, steps)
            if not steps.skip:
                break
        if steps.ended:
            self._conclude(run, now)
        return steps.ended

    def _judge(self, run: LiveRun, steps: Steps) -> None:
        for name in steps.cancel:
            if name in run.at_work:
                run.at_work[name].stop.ask(_ROLLED_BACK)
        if steps.verdict is not None:
            first = run.first_error
            reason = f"task {first.name} failed: {first.error_message}" if first else ""
            reason = run.why_cancelled if run.attempt.cancelled else reason
            self.means.publication.settle(steps.verdict, reason)

    def _ask_conditions(self, run: LiveRun, now: datetime) -> frozenset[str]:
        """Return the ready tasks whose condition is false; each is asked once.

        One that cannot be asked fails its task.
        """
        for name in run.attempt.ready:
            run.waits_since.setdefault(name, now)
            condition = run.graph.condition(name)
            if condition is None or name in run.met:
                continue
            reader = Reader(run.graph.root, run.graph.publishes, self.means.bronze)
            try:
                with self.means.warehouse.snapshot() as session:
                    asked = partial(has_unread, session, reader)
                    run.met[name] = holds(condition, asked)
            except SnowmeltError as error:
                self._row(run, name, now)
                self._end(
                    run,
                    name,
                    TaskState.FAILED,
                    now,
                    cause="error",
                    error_message=str(error),
                )
        return frozenset(
            name for name in run.attempt.ready if not run.met.get(name, True)
        )

    def _skip(self, run: LiveRun, name: str, now: datetime) -> None:
        self._row(run, name, now)
        self._end(
            run,
            name,
            TaskState.SKIPPED,
            now,
            cause="condition",
            error_message=CONDITION_FALSE,
        )

    def _start(self, run: LiveRun, name: str, inside: bool, now: datetime) -> None:
        self._row(run, name, now)
        row = run.set_state(name, TaskState.EXECUTING, query_start_time=now)
        if inside:
            run.set_inside(name)
            self.means.publication.holder = run.key
        self._starting.append((run, name, inside))
        self._told.append(started_event(row))

    def _row(self, run: LiveRun, name: str, now: datetime) -> None:
        """Make the row of a task that has none in this attempt yet."""
        if name not in run.rows:
            run.rows[name] = first_row(run, name, now)

    def _conclude(self, run: LiveRun, now: datetime) -> None:
        state, first = run.attempt.state, run.first_error
        causes = {row.cause for row in run.rows.values() if row.cause}
        interrupted = bool(causes & {"interrupted", "stopped"})
        cause = "interrupted" if interrupted else first.cause if first else None
        told = first.error_message if first else None
        if run.cancelled and state is TaskState.CANCELLED:
            cause, told = CANCELLED, run.why_cancelled
        run.record = replace(
            run.record,
            state=state,
            ended_at=now,
            cause=cause,
            first_error_task_name=first.name if first else None,
            first_error_message=told,
        )
        self._records.append(run.record)
        self._ended.append(run)
        self.runs.remove(run)

    # ---- put on record ----

    def flush(self, also: Sequence[Callable[[Session], None]] = ()) -> None:
        """Commit what changed; then tell of it, and begin what was put down."""
        runs = [*self.runs, *self._ended]
        rows = [row for run in runs for row in run.changed.values()]
        known = [
            run.changed[name].task_run_id
            for run in runs
            for name in run.changed.keys() & run.written
        ]
        if rows or self._records or also:
            with self.means.warehouse.session() as session, session.transaction():
                for write in also:
                    write(session)
                write_task_runs(session, rows, known)
                for record in self._records:
                    write_graph_run(session, record)
        for run in runs:
            run.written |= run.changed.keys()
            run.changed.clear()
        told, self._told = self._told, []
        starting, self._starting = self._starting, []
        self._records.clear()
        self._ended.clear()
        for event in told:
            self.means.events.emit(event)
        for run, name, inside in starting:
            self._begin_work(run, name, inside)

    def _begin_work(self, run: LiveRun, name: str, inside: bool) -> None:
        stop, order = Stop(), run.order(name)
        now = self.means.clock.now()
        deadline, limit = run.deadline(name, now)
        if now >= deadline:
            stop.ask("timeout")
        if inside:
            work = self.means.publication.begin(order, stop, run.key)
        else:
            do = self.means.kinds[order.task.kinds[0]]
            work = self.means.pool.submit(do, order, stop)
            work.add_done_callback(lambda _: self.means.wake())
        run.at_work[name] = AtWork(work, stop, deadline, limit)

    def cancel(self, run: LiveRun, why: str) -> list[str]:
        """Have an attempt end; return the tasks that were at work.

        It is on record before anything is stopped, so that a process that takes over
        goes on with that, and not with the graph.
        """
        if not run.cancelled:  # of two who say so the first one's reason stays
            run.cancel(why)
            self._records.append(run.record)
            self.flush()
        for work in run.at_work.values():
            work.stop.ask(CANCELLED)
        return sorted(run.at_work)

    def stop_all(self, cause: str) -> list[Future[Done]]:
        """Ask everything to end; return what is to be waited for."""
        works = [work for run in self.runs for work in run.at_work.values()]
        for work in works:
            work.stop.ask(cause)
        return [work.work for work in works]
