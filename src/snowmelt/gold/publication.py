"""Write, audit, publish: a whole run, tests included, is one transaction.

Models, tests, and the record of what was read commit together. When a test fails its
failing rows are read out first, then everything is rolled back: readers keep the
run before, and a second transaction writes the evidence.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError, UnreachableError
from snowmelt.events import (
    Events,
    NodeFinished,
    NodeOutcome,
    RunFinished,
    RunStarted,
    concerning,
)
from snowmelt.gold.audit import Audit, AuditResult
from snowmelt.gold.reconciliation import (
    Account,
    read_offsets,
    reconcile,
    write_accounts,
)
from snowmelt.gold.run_history import (
    RunEnd,
    RunStart,
    RunState,
    close_run,
    find_changes,
    is_executing,
    open_run,
)
from snowmelt.gold.volume import unusual_loads
from snowmelt.landing.config import Duration, duration_field
from snowmelt.transform.build import Builder, Built
from snowmelt.transform.node_result import NodeResult
from snowmelt.transform.statements import ToldSession
from snowmelt.transform.trigger import Changes
from snowmelt.warehouse.port import Session, Warehouse

log = logging.getLogger("snowmelt")


class PublishConfig(BaseModel):
    """The limits of a publication."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    failing_rows_max: int = Field(
        20, ge=0, description="Failing rows kept of each test that failed."
    )
    wait_max: Duration = duration_field(
        "10s", "How long loaded rows wait for more files before a run."
    )
    anomaly_factor: float = Field(
        3,
        ge=0,
        description="A load with so many times more or fewer rows than its pipe's "
        "recent loads is told of; 0 asks for nothing.",
    )
    anomaly_loads_min: int = Field(
        8, ge=2, description="Loads of a pipe that have to be known for that."
    )


@dataclass(frozen=True)
class FailingRow:
    """One row that a test found, as JSON."""

    test: str
    ordinal: int
    failing_row: str


@dataclass
class RunResult:
    """What a publication came to."""

    run_id: str
    state: RunState
    reason: str
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float = 0.0
    built: Built = field(default_factory=Built)
    evidence: list[FailingRow] = field(default_factory=list)
    reconciliation: list[Account] = field(default_factory=list)
    error: str | None = None

    @property
    def nodes(self) -> list[NodeResult]:
        return self.built.nodes

    @property
    def full_refresh(self) -> tuple[str, ...]:
        return self.built.full_refresh


class _Refused(Exception):
    """A model or a test failed: roll back."""


class Publication:
    """Publishes runs of one project, one at a time."""

    def __init__(
        self,
        warehouse: Warehouse,
        builder: Builder,
        audit: Audit,
        config: PublishConfig,
        clock: Clock,
        events: Events,
    ) -> None:
        self.warehouse = warehouse
        self._builder = builder
        self._audit = audit
        self._config = config
        self._clock = clock
        self._events = events
        self._one_at_a_time = threading.Lock()
        self._closed = False

    def publish(self, digest: str, *, rebuild: bool = False) -> RunResult | None:
        """Build, test and publish what changed; None when nothing did.

        Waits for a run that is under way: a run that began before it ended would
        build on what that run is about to replace.
        """
        with self.exclusively():
            return self._publish(digest, rebuild)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Let no run begin or be under way while the block lasts."""
        with self._one_at_a_time:
            if self._closed:
                raise UnreachableError("the service", "it is stopping")
            yield

    def audit(self, digest: str, reason: str) -> AuditResult:
        """Rebuild everything, compare it with what is published, and roll back."""
        with self.exclusively():
            return self._audit.run(_uuid7(self._clock.now()), digest, reason)

    def lacks_recordings(self, digest: str) -> bool:
        """Would a run ask dbt for want of recordings alone?"""
        return self._builder.lacks_recordings(digest)

    def rehearse(self, digest: str) -> bool:
        """Record what dbt sends, in a transaction that is rolled back.

        Only where what is published was built of this state of the project. Returns
        whether anything was recorded.
        """
        with (
            self.exclusively(),
            self.warehouse.session() as session,
            session.rolled_back(),
        ):
            changes, _ = find_changes(session, digest)
            return not changes.any and self._builder.rehearse(session, digest)

    def close(self) -> None:
        """Let a run that is under way end, and begin no other."""
        with self._one_at_a_time:
            self._closed = True

    def _publish(self, digest: str, rebuild: bool) -> RunResult | None:
        with self.warehouse.session() as session:
            changes, _ = find_changes(session, digest, rebuild=rebuild)
            if not changes.any:
                return None
            began, started_at = self._clock.monotonic(), self._clock.now()
            run_id = _uuid7(started_at)
            result = RunResult(run_id, RunState.FAILED, changes.reason, started_at)
            self._events.emit(RunStarted(run_id, changes.reason, started_at))
            open_run(session, RunStart(run_id, changes.reason, started_at, digest))
            with concerning(run_id=run_id):
                self._attempt(session, result, digest, rebuild)
        result.seconds = self._clock.monotonic() - began
        self._events.emit(_finished(result))
        self._builder.tell_artifacts(run_id, result.built)
        return result

    def _attempt(
        self, session: Session, result: RunResult, digest: str, rebuild: bool
    ) -> None:
        """Publish in one transaction, or roll back and keep the evidence.

        That what dbt sent before cannot be sent again is for dbt to judge: it is asked
        at once, in a transaction of its own.
        """
        read_through = self._try(session, result, digest, rebuild)
        if result.state is RunState.FAILED and result.built.broke_in_replay:
            log.warning("a recording is given up: %s", _first_error(result.nodes))
            self._builder.forget()
            result.built, result.error = Built(), None
            read_through = self._try(session, result, digest, rebuild)
        if result.state is not RunState.SUCCEEDED:
            self._keep_evidence(session, result, read_through)

    def _try(
        self, session: Session, result: RunResult, digest: str, rebuild: bool
    ) -> int:
        """Publish in one transaction, or roll back; return the last load it read.

        What changed is asked again on the transaction's own snapshot: what is read is
        what is recorded as read.
        """
        read_through = 0
        try:
            with session.transaction():
                changes, read_through = find_changes(session, digest, rebuild=rebuild)
                result.reason = changes.reason
                self._build(session, changes, digest, result)
                result.ended_at = self._clock.now()
                end = RunEnd(RunState.SUCCEEDED, result.ended_at, read_through)
                close_run(session, result.run_id, end, result.built)
            result.state = RunState.SUCCEEDED
            self._builder.keep()
        except _Refused:
            result.error = _first_error(result.nodes)
        except SnowmeltError as error:
            result.error = str(error)
        except Exception as error:
            log.exception("a run could not be carried out")
            result.error = f"the run could not be carried out: {error}"
        except BaseException:
            self._keep_evidence(session, result, read_through)
            raise
        return read_through

    def _build(
        self, session: Session, changes: Changes, digest: str, result: RunResult
    ) -> None:
        """Build what changed. Raises _Refused when a model or a test failed."""

        def done(node: str, status: str, finished: int, total: int) -> None:
            self._events.emit(
                NodeFinished(result.run_id, node, status, finished, total)
            )

        run_id, clock, events = result.run_id, self._clock, self._events
        told = ToldSession(session, run_id, clock, events, self._builder.node_at)
        built, offsets = result.built, read_offsets(session)
        self._builder.build(told, changes, digest, done, built)
        if not built.failed:
            result.reconciliation, broken = reconcile(
                session, self._builder.graph, built.nodes, offsets
            )
            built.nodes += broken
            built.nodes += unusual_loads(
                session,
                factor=self._config.anomaly_factor,
                loads_min=self._config.anomaly_loads_min,
            )
            write_accounts(session, run_id, result.reconciliation)
        if built.failed:
            result.evidence = self._read_evidence(session, result.nodes)
            raise _Refused

    def _read_evidence(
        self, session: Session, nodes: Sequence[NodeResult]
    ) -> list[FailingRow]:
        """Read failing rows while they are still there.

        After a statement that failed, nothing can be read any more: then its message
        is all the evidence.
        """
        if any(node.status == "error" for node in nodes):
            return []
        evidence = []
        for node in nodes:
            if node.status in ("fail", "warn") and node.compiled_code:
                table = session.table(
                    node.compiled_code, limit=self._config.failing_rows_max
                )
                for ordinal, row in enumerate(table.rows, start=1):
                    text = json.dumps(
                        dict(zip(table.columns, row, strict=True)),
                        default=str,
                        ensure_ascii=False,
                    )
                    evidence.append(FailingRow(node.node, ordinal, text))
        return evidence

    def _keep_evidence(
        self, session: Session, result: RunResult, read_through: int
    ) -> None:
        """Write how a run failed, in a transaction of its own.

        A run that was interrupted right after its commit is published all the same.
        """
        result.error = result.error or "the run was interrupted"
        with session.transaction():
            if not is_executing(session, result.run_id):
                return
            result.ended_at = self._clock.now()
            end = RunEnd(RunState.FAILED, result.ended_at, read_through, result.error)
            close_run(session, result.run_id, end, result.built)
            session.insert(
                "snowmelt.test_failures",
                {
                    "run_id": [result.run_id] * len(result.evidence),
                    "test": [row.test for row in result.evidence],
                    "ordinal": [row.ordinal for row in result.evidence],
                    "failing_row": [row.failing_row for row in result.evidence],
                },
            )


def _finished(result: RunResult) -> RunFinished:
    """Return the event that tells of a run as it ended."""
    nodes = [
        NodeOutcome(
            node.node,
            node.resource_type,
            node.status,
            node.seconds,
            node.failures,
            node.message,
            node.failed,
        )
        for node in result.nodes
    ]
    return RunFinished(
        result.run_id,
        result.state.value,
        result.seconds,
        result.error,
        result.reason,
        result.started_at,
        result.ended_at or result.started_at,
        tuple(nodes),
        result.built.way.value,
    )


def _first_error(nodes: Sequence[NodeResult]) -> str:
    failed = [node for node in nodes if node.failed]
    first = failed[0]
    more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
    return f"{first.resource_type} {first.node}: {first.message}{more}"


def _uuid7(now: datetime) -> str:
    """Return a UUID that sorts by time (RFC 9562, section 5.7)."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    text = f"{value:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
