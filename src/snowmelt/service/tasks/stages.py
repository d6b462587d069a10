"""The publication that the models of a graph run share, and what works inside it.

All of it happens on one thread, one piece at a time: a session is no place for two.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from snowmelt.gold.run_history import RunState
from snowmelt.gold.run_result import RunResult
from snowmelt.service.tasks.queries import Queries
from snowmelt.service.tasks.work import Done, Order, Stop, TaskError
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.tasks.attempt import Publishing, Verdict
from snowmelt.warehouse.port import Session

log = logging.getLogger("snowmelt")
NOTHING_DUE = "nothing is due"


class Staged(Protocol):
    """A publication in stages: one open transaction."""

    @property
    def run_id(self) -> str:
        """The run's id, as run_history has it."""
        ...

    @property
    def session(self) -> Session:
        """The session of its transaction."""
        ...

    def build(self, select: Sequence[str]) -> list[NodeResult]:
        """Build and test what is due of a selection."""
        ...

    def test(self, select: Sequence[str]) -> list[NodeResult]:
        """Test what a selection names."""
        ...

    def commit(self) -> RunResult:
        """Build what is left, test, publish; a result that FAILED if refused."""
        ...

    def abandon(self, reason: str) -> RunResult:
        """Roll everything back; the run is on record as FAILED.

        From any thread: what runs on another one is broken off.
        """
        ...


class Stages(Protocol):
    """Where publications in stages come from."""

    def stage(self, digest: str, reason: str) -> Staged | None:
        """Begin one; None when nothing is due."""
        ...


@dataclass(frozen=True)
class Settled:
    """What became of a publication; `error`: why it was not published."""

    run_id: str
    error: str | None


class SharedPublication:
    """One publication at a time, held by one attempt at a graph run."""

    def __init__(
        self,
        stages: Stages,
        queries: Queries,
        digest: Callable[[], str],
        wake: Callable[[], None],
    ) -> None:
        self._stages = stages
        self._queries = queries
        self._digest = digest
        self._wake = wake
        self._lane = ThreadPoolExecutor(1, "task publication")
        self._staged: Staged | None = None
        self._settling: Future[Settled] | None = None
        self._working: Future[Done] | None = None
        self.holder: str | None = None

    def standing(self, key: str) -> Publishing:
        """Return how it stands, seen from an attempt."""
        if self.holder is None:
            return Publishing.FREE
        if self.holder != key:
            return Publishing.TAKEN
        if self._settling is not None:
            return Publishing.SETTLING
        return Publishing.OPEN if self._staged is not None else Publishing.FREE

    def begin(self, order: Order, stop: Stop, key: str) -> Future[Done]:
        """Do a task's work inside the publication, which is opened if need be."""
        self.holder = key
        work = self._working = self._lane.submit(self._work, order, stop)
        work.add_done_callback(lambda _: self._wake())
        return work

    def release_unopened(self, key: str) -> None:
        """Let others have it, if an attempt holds it and has nothing in it."""
        busy = self._working is not None and not self._working.done()
        empty = self._staged is None and self._settling is None
        if self.holder == key and empty and not busy:
            self.holder = None

    def settle(self, verdict: Verdict, reason: str) -> None:
        """Commit it or roll it back; `take` says what came of it."""
        self._settling = self._lane.submit(self._settle, verdict, reason)
        self._settling.add_done_callback(lambda _: self._wake())

    def take(self, key: str) -> Settled | None:
        """Return what became of an attempt's publication, once; it is free then."""
        if self.holder != key or self._settling is None or not self._settling.done():
            return None
        settled, self._settling = self._settling.result(), None
        self.holder = None
        return settled

    def close(self, reason: str) -> None:
        """Roll back what is open, and end."""
        if self._staged is not None and self._settling is None:
            self.settle(Verdict.ROLL_BACK, reason)
        self._lane.shutdown(wait=True)

    def _work(self, order: Order, stop: Stop) -> Done:
        if stop.asked.is_set():
            raise TaskError("it was stopped before it began")
        staged = self._staged or self._open(order)
        if staged is None:
            return Done(return_value=NOTHING_DUE)
        stop.by(lambda: _give_up(staged, order, stop))
        try:
            if order.task.dbt is not None:
                return self._build(staged, order)
            done = self._queries.inside(order, stop, staged.session)
            return Done(done.return_value, done.output, staged.run_id)
        except TaskError as error:
            error.run_id = staged.run_id
            raise
        finally:
            stop.over()

    def _open(self, order: Order) -> Staged | None:
        reason = f"task {order.name} of graph run {order.group_id}"
        self._staged = self._stages.stage(self._digest(), reason)
        return self._staged

    def _build(self, staged: Staged, order: Order) -> Done:
        """Build or test. A publication that a failed node has ended is gone."""
        dbt = order.task.dbt
        assert dbt is not None
        try:
            nodes = staged.test(dbt.test) if dbt.test else staged.build(dbt.select)
        except Exception as error:
            self._staged = None
            raise TaskError(str(error)) from error
        made = sum(node.resource_type != "test" for node in nodes)
        told = f"{made} models, {len(nodes) - made} tests"
        return Done(return_value=told, run_id=staged.run_id)

    def _settle(self, verdict: Verdict, reason: str) -> Settled:
        staged = self._staged
        assert staged is not None, "nothing is open"
        try:
            if verdict is Verdict.COMMIT:
                result = staged.commit()
            else:
                result = staged.abandon(reason)
            published = result.state is RunState.SUCCEEDED
            error = None if published else result.error or reason
        except Exception as failure:
            log.exception("a publication could not be ended")
            error = str(failure)
        finally:
            self._staged = None
        return Settled(staged.run_id, error)


def _give_up(staged: Staged, order: Order, stop: Stop) -> None:
    """Break off what a task does inside a publication, and the publication with it.

    On a thread of its own: whoever asks does not wait for a statement to end.
    """
    reason = f"task {order.name} was stopped: {stop.cause}"
    threading.Thread(target=staged.abandon, args=(reason,), daemon=True).start()
