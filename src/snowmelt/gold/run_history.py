"""The record of runs: what each read, built, tested, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from snowmelt.pipe.external import gone_file
from snowmelt.transform.building import Built
from snowmelt.transform.node_result import CHECKS
from snowmelt.transform.trigger import Changes
from snowmelt.warehouse.port import Session

_NEWS = """
    select
        table_name,
        bool_or(load_seq > $1),
        bool_or(load_seq <= $1 or replay_of is not null)
    from snowmelt.load_history
    where (load_seq > $1 or superseded_by > $1) and row_count > 0
    group by table_name
"""


class RunState(StrEnum):
    """How a run stands. The words are those of Snowflake's TASK_HISTORY."""

    EXECUTING = "EXECUTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


@dataclass(frozen=True)
class RunStart:
    """What is known of a run before it does anything."""

    run_id: str
    reason: str
    started_at: datetime
    project_digest: str


def open_run(session: Session, start: RunStart) -> None:
    """Record that a run begins, in a commit of its own."""
    session.insert(
        "snowmelt.run_history",
        {
            "run_id": [start.run_id],
            "state": [RunState.EXECUTING.value],
            "reason": [start.reason],
            "started_at": [start.started_at],
            "full_refresh": [""],
            "project_digest": [start.project_digest],
        },
    )


@dataclass(frozen=True)
class RunEnd:
    """How a run ended. `read_through` is the last load that it read."""

    state: RunState
    ended_at: datetime
    read_through: int
    error: str | None = None


def close_run(session: Session, run_id: str, end: RunEnd, built: Built) -> None:
    """Record how a run ended; of a published one, in its own transaction."""
    nodes = built.nodes
    session.execute(
        "update snowmelt.run_history set state = $2, ended_at = $3, read_through = $4, "
        "error = $5, models = $6, tests = $7, full_refresh = $8, "
        "way = $9, fallback_reason = $10 where run_id = $1",
        [
            run_id,
            end.state.value,
            end.ended_at,
            end.read_through,
            end.error,
            sum(node.resource_type not in CHECKS for node in nodes),
            sum(node.resource_type == "test" for node in nodes),
            ", ".join(built.full_refresh),
            built.way.value,
            built.fallback_reason,
        ],
    )
    session.insert(
        "snowmelt.node_history",
        {
            "run_id": [run_id] * len(nodes),
            "node": [node.node for node in nodes],
            "resource_type": [node.resource_type for node in nodes],
            "status": [node.status for node in nodes],
            "seconds": [node.seconds for node in nodes],
            "failures": [node.failures for node in nodes],
            "message": [node.message for node in nodes],
            "form": [node.form for node in nodes],
        },
    )


def is_executing(session: Session, run_id: str) -> bool:
    """Has a run begun, and not ended yet?"""
    state = session.value(
        "select state from snowmelt.run_history where run_id = $1", [run_id]
    )
    return bool(state == RunState.EXECUTING.value)


def published_run(session: Session) -> str | None:
    """Return the run that a reader of this session sees; None before the first."""
    run_id: str | None = session.value(
        "select run_id from snowmelt.run_history where state = 'SUCCEEDED' "
        "order by started_at desc limit 1"
    )
    return run_id


def published_digest(session: Session) -> str | None:
    """Return the digest of the project that the published run was made by."""
    digest: str | None = session.value(
        "select project_digest from snowmelt.run_history where run_id = $1",
        [published_run(session)],
    )
    return digest


def close_interrupted(session: Session, now: datetime) -> int:
    """Close runs whose process ended before they did; return how many."""
    count = session.value(
        "select count(*) from snowmelt.run_history where state = 'EXECUTING'"
    )
    session.execute(
        "update snowmelt.run_history set state = 'FAILED', ended_at = $1, "
        "error = 'the process ended before the run did; nothing of it was published' "
        "where state = 'EXECUTING'",
        [now],
    )
    return int(count)


def find_changes(
    session: Session, project_digest: str, *, rebuild: bool = False
) -> tuple[Changes, int]:
    """Return what changed since the last published run, and the last load there is.

    Read on the session of the publication, so that what is found is what is built.
    """
    last = session.rows(
        "select read_through, project_digest from snowmelt.run_history "
        "where state = 'SUCCEEDED' "
        "order by read_through desc, started_at desc limit 1"
    )
    upper = session.value("select max(load_seq) from snowmelt.load_history") or 0
    if not last:
        return Changes(first=True, rebuild=rebuild), upper
    offset, digest = last[0]
    found = [] if upper == offset else session.rows(_NEWS, [offset])
    return (
        Changes(
            loaded=frozenset(table for table, came, _ in found if came),
            corrected=frozenset(table for table, _, corrected in found if corrected),
            project_changed=digest != project_digest,
            rebuild=rebuild,
            gone=None if upper == offset else gone_file(session, offset),
        ),
        upper,
    )
