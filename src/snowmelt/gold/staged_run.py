"""One run, in one open transaction: built at once, or stage by stage.

Nothing of it is visible before `commit`. What fails in any stage ends it: the failing
rows are read, everything is rolled back, and a second transaction writes the evidence.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from snowmelt.clock import Clock, uuid7
from snowmelt.errors import RunError, SnowmeltError
from snowmelt.events import Events, NodeFinished, RunStarted, concerning
from snowmelt.gold.publish_config import PublishConfig
from snowmelt.gold.reconciliation import read_offsets, reconcile, write_accounts
from snowmelt.gold.run_history import (
    RunEnd,
    RunStart,
    RunState,
    close_run,
    find_changes,
    is_executing,
    open_run,
)
from snowmelt.gold.run_result import (
    RunResult,
    read_evidence,
    warned_anew,
    write_evidence,
)
from snowmelt.gold.stage_session import StageSession
from snowmelt.gold.volume import unusual_loads
from snowmelt.transform.build import Builder
from snowmelt.transform.building import Building, Built
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.statements import ToldSession
from snowmelt.warehouse.port import Session

log = logging.getLogger("snowmelt")
_INTERRUPT_EVERY = 0.05
Stage = Callable[[Building], None]


@dataclass(frozen=True)
class Means:
    """What a run works with."""

    builder: Builder
    config: PublishConfig
    clock: Clock
    events: Events


@dataclass(frozen=True)
class Order:
    """What a run is to build: which state of the project, and why.

    `reason` is a person's or a task's; without one it is what changed.
    """

    digest: str
    reason: str = ""
    rebuild: bool = False

    def because(self, changed: str) -> str:
        """Say why the run is, with what changed."""
        return f"{self.reason}: {changed}" if self.reason else changed


class _Refused(Exception):
    """A model or a test failed: roll back."""


class StagedRun:
    """A run that is under way. Its caller commits or abandons it.

    As long as it is open no other run and no audit begins; loads go on, and what they
    bring is news for the next run. Stages may be asked for on several threads, one
    after the other; `abandon` on any thread, at any time.
    """

    def __init__(
        self, means: Means, session: Session, order: Order, changed: str
    ) -> None:
        """Record that a run begins, and why: `changed`, as far as that is known."""
        self._means = means
        self._raw = session
        self._order = order
        self.held = ExitStack()
        """What is let go of when the run ends."""
        self._began, started_at = means.clock.monotonic(), means.clock.now()
        reason = order.because(changed)
        self.result = RunResult(uuid7(started_at), RunState.FAILED, reason, started_at)
        self._transaction = ExitStack()
        self._building: Building | None = None
        self._offsets: dict[str, int] = {}
        self._done: list[Stage] = []
        self._known: dict[int, NodeResult] = {}
        """What came of the stages before, by identity: kept, so that none is reused."""
        self._given_up: str | None = None
        self._one_at_a_time = threading.RLock()
        self._breaking = threading.Lock()
        self._may_be_broken = False
        self.is_open = True
        self._session = StageSession(
            session, self.run_id, means.clock, means.events, lambda: None
        )
        means.events.emit(RunStarted(self.run_id, reason, started_at))
        open_run(session, RunStart(self.run_id, reason, started_at, order.digest))

    @property
    def run_id(self) -> str:
        return self.result.run_id

    @property
    def session(self) -> StageSession:
        """The run's session: SQL on it sees all that was built so far.

        It may write, too: that is published with the rest. It cannot end the
        transaction. Raises RunError if the run has ended.
        """
        if self._building is None:
            self._carry_out(lambda building: None)
        return self._session

    def build(self, select: Sequence[str]) -> list[NodeResult]:
        """Build and test what is due of a selection in dbt's syntax.

        What it reads and is due as well is built first. Tests wait for the stage after
        which all that they look at is built. Returns what this stage made and tested.
        Raises RunError if any of it failed: then the run has ended.
        """
        return self._carry_out(lambda building: building.make(tuple(select)))

    def test(self, select: Sequence[str]) -> list[NodeResult]:
        """Run the tests of a selection over whole tables, whatever changed.

        Otherwise as `build`, which is done with the selection first.
        """
        return self._carry_out(lambda building: building.test(tuple(select)))

    def commit(self) -> RunResult:
        """Build what is due and no stage built, reconcile, and publish.

        A run that failed has ended, and its result says how.
        """
        with self._working():
            if self.is_open:
                self._attempt(self._publish)
                self._end()
            return self.result

    def abandon(self, reason: str) -> RunResult:
        """Roll back, and record the run as failed for this reason.

        A statement that runs on another thread is broken off. A run that has ended
        stays what it is.
        """
        self._given_up = self._given_up or reason
        while not self._one_at_a_time.acquire(timeout=_INTERRUPT_EVERY):
            with self._breaking:
                if self._may_be_broken:
                    self._raw.interrupt()
        try:
            with self._working():
                if self.is_open:
                    self._roll_back()
                    self._fail(self._given_up)
                    self._end()
                return self.result
        finally:
            self._one_at_a_time.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Abandon a run that nobody committed."""
        if self.is_open:
            why = str(error) if error else ""
            self.abandon(why or "the run was left without being committed")

    # ---- one stage ----

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Work alone. What cannot even be recorded ends the run all the same."""
        with self._one_at_a_time, concerning(run_id=self.run_id):
            try:
                yield
            except BaseException:
                if self.is_open:
                    self._let_go()
                raise

    def _carry_out(self, stage: Stage) -> list[NodeResult]:
        """Carry out a stage; what fails in it ends the run."""
        with self._working():
            if not self.is_open:
                told = self.result.error or "it is published"
                raise RunError(f"run {self.run_id}", f"it has ended: {told}")
            if not self._attempt(stage):
                self._end()
                raise RunError(f"run {self.run_id}", str(self.result.error))
            self._done.append(stage)
            return [node for node in self.result.nodes if id(node) not in self._known]

    def _attempt(self, stage: Stage) -> bool:
        """Do a stage in the open transaction; else roll back and keep the evidence.

        That what dbt sent before cannot be sent again is for dbt to judge: it is asked
        at once, in a transaction of its own, for this stage and all before it.
        """
        if self._try([stage]):
            return True
        if self.result.built.broke_in_replay and self._given_up is None:
            log.warning("a recording is given up: %s", self.result.first_error)
            self._means.builder.forget()
            if self._session.has_written:
                self.result.error = (
                    f"{self.result.error}. dbt was not asked at once, because this "
                    "run's tasks had written already: the next run asks it"
                )
            else:
                self.result.built, self.result.error = Built(), None
                if self._try([*self._done, stage]):
                    return True
        if self.result.state is not RunState.SUCCEEDED:
            self._fail(self._given_up or self.result.error)
        return False

    def _try(self, stages: Sequence[Stage]) -> bool:
        """Do stages in the open transaction, or roll it back and say why."""
        result = self.result
        try:
            self._may_be_broken = True
            self._session.require_alive()
            building = self._building or self._begin()
            for stage in stages:
                self._known = {id(node): node for node in building.built.nodes}
                stage(building)
                self._require_success(building)
        except _Refused:
            result.error = result.first_error
        except SnowmeltError as error:
            result.error = str(error)
        except Exception as error:
            log.exception("a run could not be carried out")
            result.error = f"the run could not be carried out: {error}"
        except BaseException:
            self._shield()
            self._roll_back()
            self._fail(None)
            raise
        else:
            return True
        finally:
            self._shield()
        self._roll_back()
        return False

    def _begin(self) -> Building:
        """Open the transaction and find out what is due.

        What changed is asked again on the transaction's own snapshot: what is read is
        what is recorded as read.
        """
        session, result, means = self._raw, self.result, self._means
        self._transaction.enter_context(session.transaction())
        changes, result.read_through = find_changes(
            session, self._order.digest, rebuild=self._order.rebuild
        )
        result.reason = self._order.because(changes.reason)
        self._offsets = read_offsets(session)

        def done(node: str, status: str, finished: int, total: int) -> None:
            means.events.emit(NodeFinished(self.run_id, node, status, finished, total))

        told = ToldSession(
            session, self.run_id, means.clock, means.events, means.builder.node_at
        )
        building = means.builder.begin(told, self._order.digest, done, result.built)
        building.begin(changes)
        self._building = building
        return building

    def _require_success(self, building: Building) -> None:
        """Raise _Refused when a model or a test failed, once the rows are read."""
        if building.built.failed:
            rows_max = self._means.config.failing_rows_max
            self.result.evidence = read_evidence(
                self._raw, building.built.nodes, rows_max
            )
            raise _Refused

    def _shield(self) -> None:
        """Let nobody break off what comes now."""
        with self._breaking:
            self._may_be_broken = False

    # ---- the end ----

    def _publish(self, building: Building) -> None:
        """Build what is left, add everything up, and commit."""
        session, result = self._raw, self.result
        building.make_rest()
        self._require_success(building)
        self._keep_warnings(building)
        building.end()
        self._add_up(building)
        self._require_success(building)
        result.ended_at = self._means.clock.now()
        end = RunEnd(RunState.SUCCEEDED, result.ended_at, result.read_through)
        close_run(session, self.run_id, end, result.built)
        self._shield()
        self._transaction.close()
        result.state = RunState.SUCCEEDED
        self._means.builder.keep()

    def _keep_warnings(self, building: Building) -> None:
        """Keep the rows that tests warn of: as part of what is published."""
        session, rows_max = self._raw, self._means.config.failing_rows_max
        warned = warned_anew(session, building.built.nodes)
        rows = read_evidence(session, warned, rows_max) if rows_max else []
        if rows:
            write_evidence(session, self.run_id, rows)

    def _add_up(self, building: Building) -> None:
        """Account for every row, and tell of loads of odd sizes."""
        session, result, config = self._raw, self.result, self._means.config
        result.reconciliation, broken = reconcile(
            session, building.graph, building.built.nodes, self._offsets
        )
        building.built.nodes += broken
        building.built.nodes += unusual_loads(
            session, factor=config.anomaly_factor, loads_min=config.anomaly_loads_min
        )
        write_accounts(session, self.run_id, result.reconciliation)

    def _roll_back(self) -> None:
        """Undo all that is not committed; nothing being open is as good."""
        self._building = None
        refused = _Refused()
        self._transaction.__exit__(_Refused, refused, refused.__traceback__)

    def _fail(self, error: str | None) -> None:
        """Write how the run failed, in a transaction of its own.

        A run that was interrupted right after its commit is published all the same.
        """
        session, result = self._raw, self.result
        result.error = error or "the run was interrupted"
        with session.transaction():
            if not is_executing(session, self.run_id):
                result.state, result.error = RunState.SUCCEEDED, None
                return
            result.ended_at = self._means.clock.now()
            end = RunEnd(
                RunState.FAILED, result.ended_at, result.read_through, result.error
            )
            close_run(session, self.run_id, end, result.built)
            write_evidence(session, self.run_id, result.evidence)

    def _end(self) -> None:
        """Tell how the run ended, and let others begin."""
        result = self.result
        result.seconds = self._means.clock.monotonic() - self._began
        self._means.events.emit(result.event())
        self._means.builder.tell_artifacts(self.run_id, result.built)
        self._let_go()

    def _let_go(self) -> None:
        self.is_open, self._building = False, None
        self.held.close()
