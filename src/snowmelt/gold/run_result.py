"""What a run came to, and the rows that failed it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from snowmelt.events import NodeOutcome, RunFinished
from snowmelt.gold.reconciliation import Account
from snowmelt.gold.run_history import RunState
from snowmelt.transform.building import Built
from snowmelt.transform.node_result import NodeResult
from snowmelt.warehouse.port import Session


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
    read_through: int = 0
    """The last load that it read; 0 as long as it has read nothing."""

    @property
    def nodes(self) -> list[NodeResult]:
        return self.built.nodes

    @property
    def full_refresh(self) -> tuple[str, ...]:
        return self.built.full_refresh

    @property
    def first_error(self) -> str:
        """Say which node failed first, and how many more did."""
        failed = [node for node in self.nodes if node.failed]
        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return f"{first.resource_type} {first.node}: {first.message}{more}"

    def event(self) -> RunFinished:
        """Return the event that tells of the run as it ended."""
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
            for node in self.nodes
        ]
        return RunFinished(
            self.run_id,
            self.state.value,
            self.seconds,
            self.error,
            self.reason,
            self.started_at,
            self.ended_at or self.started_at,
            tuple(nodes),
            self.built.way.value,
            self.read_through or None,
        )


_WARNED_BEFORE = """
    with runs as (
        select run_id from snowmelt.run_history order by started_at desc limit 20
    )

    select node, arg_max(failures, run_id)
    from snowmelt.node_history
    where run_id >= (select min(run_id) from runs)
        and node in (select unnest($1::json::varchar[]))
        and node in (
            select test from snowmelt.test_failures
            where run_id >= (select min(run_id) from runs)
        )
    group by node
"""


def read_evidence(
    session: Session, nodes: Sequence[NodeResult], rows_max: int
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
            table = session.table(node.compiled_code, limit=rows_max)
            for ordinal, row in enumerate(table.rows, start=1):
                text = json.dumps(
                    dict(zip(table.columns, row, strict=True)),
                    default=str,
                    ensure_ascii=False,
                )
                evidence.append(FailingRow(node.node, ordinal, text))
    return evidence


def warned_anew(session: Session, nodes: Sequence[NodeResult]) -> list[NodeResult]:
    """Return the tests that warn of other rows than those that are kept already.

    So a test that warns in every run does not keep the same rows with each of them.
    """
    warned = [each for each in nodes if each.status == "warn" and each.compiled_code]
    if not warned:
        return []
    names = [each.node for each in warned]
    known: dict[str, int | None] = dict(session.rows(_WARNED_BEFORE, [names]))
    return [each for each in warned if known.get(each.node) != each.failures]


def write_evidence(
    session: Session, run_id: str, evidence: Sequence[FailingRow]
) -> None:
    """Store the failing rows of a run."""
    session.insert(
        "snowmelt.test_failures",
        {
            "run_id": [run_id] * len(evidence),
            "test": [row.test for row in evidence],
            "ordinal": [row.ordinal for row in evidence],
            "failing_row": [row.failing_row for row in evidence],
        },
    )
