"""The audit: dbt rebuilds everything, what it makes is compared, and rolled back.

A run replays what dbt sent and tests what changed. The audit is dbt's own build, from
nothing, with every test whole, in a transaction of its own: it judges the replay, the
streams and the tests of changes at once. Readers see nothing of it. Runs wait for it,
loads do not.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from cronsim import CronSim, CronSimError
from pydantic import BaseModel, ConfigDict, Field, field_validator

from snowmelt.clock import Clock
from snowmelt.errors import SnowmeltError
from snowmelt.events import AuditFinished, AuditStarted, Events
from snowmelt.gold.run_history import find_changes
from snowmelt.transform.build import Builder
from snowmelt.transform.building import Built
from snowmelt.transform.trigger import Changes
from snowmelt.warehouse.port import Session, Warehouse
from snowmelt.warehouse.sql import identifier

log = logging.getLogger("snowmelt")
_TOLERANCE = 1e-9
_ROOM = 2
"""So many times the warehouse must have room on the disk for a second copy of it."""


class AuditConfig(BaseModel):
    """When everything is rebuilt for comparison, and up to which size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schedule: str | None = Field(
        "0 3 * * *",
        description="Cron expression, UTC: when an idle service audits; null: never.",
    )
    rows_max: int = Field(
        50_000_000,
        ge=0,
        description="With more rows in silver and gold only a sample of keys is made "
        "again.",
    )
    sample_keys: int = Field(
        1_000, ge=1, description="How many keys of each model a sample has."
    )

    @field_validator("schedule")
    @classmethod
    def _is_a_schedule(cls, schedule: str | None) -> str | None:
        if schedule is not None:
            try:
                next(CronSim(schedule, datetime(2000, 1, 1, tzinfo=UTC)))
            except (CronSimError, StopIteration) as error:
                raise ValueError(f"no cron expression that fires: {error}") from None
        return schedule


class AuditState(StrEnum):
    """How an audit ended. SKIPPED: it was not carried out."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True)
class Difference:
    """A table that a rebuild would make otherwise."""

    table: str
    published_rows: int
    rebuilt_rows: int

    def __str__(self) -> str:
        if self.published_rows == self.rebuilt_rows:
            return f"{self.table}: other values in its {self.published_rows} rows"
        return (
            f"{self.table}: {self.published_rows} rows are published, "
            f"a rebuild makes {self.rebuilt_rows}"
        )


@dataclass
class AuditResult:
    """What an audit found."""

    audit_id: str
    reason: str
    started_at: datetime
    state: AuditState = AuditState.FAILED
    seconds: float = 0.0
    compared: int = 0
    sampled: bool = False
    differing: list[Difference] = field(default_factory=list)
    error: str | None = None


Digest = tuple[int, int | None, tuple[float | None, ...]]
Headroom = Callable[[], tuple[int, int]]
"""Free bytes on the warehouse's disk, and the bytes of the warehouse."""


@dataclass
class Audit:
    """Audits one project's published tables, while its caller lets no run begin."""

    warehouse: Warehouse
    builder: Builder
    config: AuditConfig
    clock: Clock
    events: Events
    headroom: Headroom

    def run(self, audit_id: str, digest: str, reason: str) -> AuditResult:
        """Rebuild, compare, roll back, and record what was found."""
        result = AuditResult(audit_id, reason, self.clock.now())
        began = self.clock.monotonic()
        self.events.emit(AuditStarted(audit_id, result.started_at))
        with self.warehouse.session() as session:
            try:
                with session.rolled_back():
                    self._compare(session, digest, result)
            except SnowmeltError as error:
                result.error = str(error)
            except Exception as error:
                log.exception("an audit could not be carried out")
                result.error = f"the audit could not be carried out: {error}"
            result.seconds = self.clock.monotonic() - began
            _record(session, result, self.clock.now())
        told = [str(difference) for difference in result.differing]
        if told:
            log.error("the audit found differences: %s", "; ".join(told))
        self.events.emit(
            AuditFinished(
                audit_id,
                result.state.value,
                result.seconds,
                result.compared,
                tuple(told),
                result.error,
            )
        )
        return result

    def _compare(self, session: Session, digest: str, result: AuditResult) -> None:
        """Compare in the open transaction; what is not published yet is built first."""
        changes, _ = find_changes(session, digest)
        if changes.everything:
            result.state = AuditState.SKIPPED
            result.error = f"nothing to compare with: {changes.reason}"
            return
        if changes.any and not self._built(session, changes, digest, result):
            return
        tables = self.builder.made_tables(session, digest)
        rows = sum(int(session.value(f"select count(*) from {t}")) for t in tables)  # noqa: S608
        if rows > self.config.rows_max:
            self._sample(session, digest, result)
            return
        free, size = self.headroom()
        if free < _ROOM * size:
            result.state = AuditState.SKIPPED
            result.error = (
                f"the disk has {free} bytes left, an audit may need {_ROOM * size}"
            )
            return
        before = {table: _digest(session, table) for table in tables}
        if not self._built(session, Changes(rebuild=True), digest, result):
            return
        after = {table: _digest(session, table) for table in tables}
        result.compared = len(tables)
        result.differing = [
            Difference(table, before[table][0], after[table][0])
            for table in tables
            if not _same(before[table], after[table])
        ]
        if result.differing:
            result.error = "; ".join(map(str, result.differing))
        else:
            result.state = AuditState.SUCCEEDED

    def _built(
        self, session: Session, changes: Changes, digest: str, result: AuditResult
    ) -> bool:
        """Build in the audit's transaction; False when a model or test failed."""
        built = Built()
        self.builder.build(session, changes, digest, built)
        failed = [node for node in built.nodes if node.failed]
        if failed:
            first = failed[0]
            result.error = f"{first.resource_type} {first.node}: {first.message}"
        return not failed

    def _sample(self, session: Session, digest: str, result: AuditResult) -> None:
        """Make some keys of each model again; none must come out otherwise."""
        result.sampled = True
        for table, differing in self.builder.remake_sample(
            session, digest, self.config.sample_keys
        ):
            result.compared += 1
            if differing:
                result.differing.append(Difference(table, differing, 0))
        if result.differing:
            names = ", ".join(each.table for each in result.differing)
            result.error = f"some keys come out otherwise when made again: {names}"
        else:
            result.state = AuditState.SUCCEEDED


def _digest(session: Session, table: str) -> Digest:
    """Return a table's rows, a sum over all values, and the sum of each float column.

    The order of rows does not count. Sums of floats depend on the order in which they
    were added, so they are compared with a tolerance.
    """
    described = session.rows(f"describe {table}")
    floats = [row[0] for row in described if str(row[1]) in ("DOUBLE", "FLOAT")]
    exact = [identifier(row[0]) for row in described if row[0] not in floats]
    hashed = f"sum(hash(row({', '.join(exact)})))" if exact else "0"
    sums = "".join(f", sum({identifier(name)})" for name in floats)
    row = session.rows(f"select count(*), {hashed}{sums} from {table}")[0]  # noqa: S608
    return int(row[0]), row[1], tuple(row[2:])


def _same(one: Digest, other: Digest) -> bool:
    if one[:2] != other[:2]:
        return False
    return all(
        a == b
        or (
            a is not None
            and b is not None
            and math.isclose(a, b, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
        )
        for a, b in zip(one[2], other[2], strict=True)
    )


def _record(session: Session, result: AuditResult, now: datetime) -> None:
    session.insert(
        "snowmelt.audit_history",
        {
            "audit_id": [result.audit_id],
            "state": [result.state.value],
            "reason": [result.reason],
            "started_at": [result.started_at],
            "ended_at": [now],
            "tables_compared": [result.compared],
            "tables_differing": [_names(result.differing)],
            "error": [result.error],
        },
    )


def _names(differing: Sequence[Difference]) -> str:
    return ", ".join(each.table for each in differing)
