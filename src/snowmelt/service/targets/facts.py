"""What is known of a target beside the tables that every file has."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snowmelt.deploy.harvest.ledger import GAP_COLUMNS
from snowmelt.deploy.harvest.stream_mapping import (
    STREAM_COLUMNS,
    consumer_of,
    source_of,
)
from snowmelt.deploy.harvest.tables import get
from snowmelt.deploy.harvest.task_keeping import TASK_COLUMNS
from snowmelt.serve.commands import Document
from snowmelt.service.documents import as_documents, plain
from snowmelt.service.targets.files import FilesThere
from snowmelt.service.targets.observing import Observing
from snowmelt.warehouse.port import Session

_PROBLEM_COLUMNS = ("source", "object", "statement", "problem", "remedy")
_BY_HAND = """
    select max(ended_at) from snowmelt.pipeline_log as steps
    where
        step = 'publish' and status = 'ok'
        and not exists (
            from snowmelt.run_history as runs
            where
                runs.run_id = steps.run_id
                or (state = 'SUCCEEDED' and runs.started_at > steps.started_at)
        )
"""
"""`dbt build` publishes, too, and writes no run."""
SKEW_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class Facts:
    """One look at what was read of an account."""

    target: Document
    statuses: dict[str, Document]
    streams: list[Document]
    tasks: list[Document]
    by_hand: datetime | None = None
    """When gold was published by no run that is known, and after all that are."""
    files: FilesThere | None = None

    @property
    def pending(self) -> int:
        """How many files wait for the account's pipes."""
        return sum(int(e.get("pendingFileCount", 0)) for e in self.statuses.values())


def facts_of(observing: Observing) -> Facts:
    """Return what was read of a target's account."""
    files = observing.parts.files
    with observing.parts.warehouse.snapshot() as session:
        return Facts(
            _target(observing, session),
            _statuses(session),
            _streams(session),
            _tasks(session),
            session.value(_BY_HAND),
            files if isinstance(files, FilesThere) else None,
        )


def _target(observing: Observing, session: Session) -> Document:
    names = observing.project.names
    problems = session.rows(
        f"select {', '.join(_PROBLEM_COLUMNS)} from account.problems "  # noqa: S608
        "order by source, object"
    )
    gaps = session.rows(
        f"select {', '.join(GAP_COLUMNS)} from account.gaps "  # noqa: S608
        "order by lost_until desc limit 20"
    )
    return {
        "name": names.owner.target,
        "account": names.target.account,
        "database": names.database,
        "warehouse": names.warehouse,
        "role": names.target.role,
        "read_at": get(session, "harvested_at"),
        "skew_seconds": float(get(session, "skew_seconds") or 0),
        "unreachable": observing.problem or None,
        "problems": as_documents(_PROBLEM_COLUMNS, problems),
        "gaps": as_documents(GAP_COLUMNS, gaps),
    }


def _statuses(session: Session) -> dict[str, Document]:
    rows = session.rows("select pipe_name, status from snowmelt.pipe_statuses")
    return {name: json.loads(status) for name, status in rows}


def _streams(session: Session) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(STREAM_COLUMNS)} from account.streams "  # noqa: S608
        "order by name"
    )
    return as_documents(STREAM_COLUMNS, rows)


def _tasks(session: Session) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(TASK_COLUMNS)} from account.tasks "  # noqa: S608
        "order by name"
    )
    return as_documents(TASK_COLUMNS, rows)


Told = tuple[str, str]
"""What is wrong, and what mends it."""


def problems_of(facts: Facts) -> list[Told]:
    """Return what is wrong with the account, or with what was read of it."""
    target = facts.target
    told = [(target["unreachable"], "")] if target["unreachable"] else []
    told += [
        (
            f"{each['source']} of {each['object']} cannot be read: {each['problem']}",
            each["remedy"],
        )
        for each in target["problems"]
    ]
    if abs(target["skew_seconds"]) > SKEW_SECONDS_MAX:
        skew = f"{target['skew_seconds']:.0f} s"
        told.append(
            (
                f"the account's clock is {skew} before this machine's: signing in by a "
                "key pair fails beyond a minute",
                "",
            )
        )
    told += [
        (
            f"pipe {name} is {status['executionState']}"
            + (f": {status['error']}" if status.get("error") else ""),
            "",
        )
        for name, status in sorted(facts.statuses.items())
        if status.get("executionState") not in ("RUNNING", "PAUSED")
    ]
    return told + (facts.files.problems() if facts.files is not None else [])


def stale_of(facts: Facts) -> list[Told]:
    """Return which streams are stale."""
    return [
        (
            f"stream {each['name']} is stale"
            + (f": {each['invalid_reason']}" if each["invalid_reason"] else ""),
            "",
        )
        for each in facts.streams
        if each["stale"]
    ]


def warnings_of(facts: Facts) -> list[Told]:
    """Return what was lost, as the account forgot it, and what is not known yet."""
    told = facts.files.warnings() if facts.files is not None else []
    return told + [
        (
            f"{each['source']} of {each['object']} between {each['lost_from'][:16]} "
            f"and {each['lost_until'][:16]} is not known: {each['reason']}",
            "",
        )
        for each in facts.target["gaps"]
    ]


def stream_documents(facts: Facts) -> list[Document]:
    """Return streams with the keys that they have here, as far as they are told."""
    unknown: dict[str, Any] = dict.fromkeys(
        ("position", "rows_inserted", "rows_deleted", "waiting_since", "moved_at")
    )
    return [
        unknown
        | {
            "consumer": consumer_of(each["name"]),
            "source": source_of(each["table_name"]),
            "name": each["name"],
            "mode": each["mode"],
            "has_data": each["has_data"],
            "stale": each["stale"],
            "stale_after": plain(each["stale_after"]),
            "invalid_reason": each["invalid_reason"],
            "loads_waiting": 0,
            "of_log": False,
        }
        for each in facts.streams
    ]
