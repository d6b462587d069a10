"""Statements and runs, as an account tells them, as records of runs here. Pure.

https://docs.snowflake.com/en/sql-reference/functions/query_history

Which model a statement was for stands in the comment that dbt puts at its end, which
has `node_id` (https://docs.getdbt.com/reference/project-configs/query-comment), or in
its QUERY_TAG, a JSON object with `node`, where our materializations set it: statements
inside a block of Snowflake Scripting have no comment.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from snowmelt.deploy.harvest.reading import moment, number, seconds, text, whole
from snowmelt.deploy.snowflake.session import Row

_COMMENT = re.compile(r"/\*\s*(\{.*?\})\s*\*/", re.DOTALL)
_NODE = re.compile(r'"node_id"\s*:\s*"([^"\\]+)"')
TEXT_MAX = 20_000
"""How much of a statement's text is kept."""
CHECKS = ("test", "unit_test")


@dataclass(frozen=True)
class QueryFacts:
    """A statement that a warehouse carried out."""

    query_id: str
    node: str | None
    query_text: str
    query_type: str
    query_tag: str
    user_name: str
    warehouse_name: str
    warehouse_size: str
    started_at: datetime
    ended_at: datetime | None
    seconds: float
    execution_seconds: float
    queued_seconds: float
    rows_produced: int | None
    bytes_scanned: int
    credits_cloud_services: float
    status: str
    error: str | None


def query_of(row: Row) -> QueryFacts:
    """Return a row of QUERY_HISTORY_BY_WAREHOUSE."""
    started_at = moment(row["start_time"])
    assert started_at is not None, "every statement has a time at which it began"
    told = str(row.get("query_text") or "")
    status = str(row["execution_status"])
    # a statement that goes on is told with an end of 1970
    ended_at = moment(row.get("end_time"))
    if ended_at is not None and ended_at < started_at:
        ended_at = None
    queued = ("queued_provisioning_time", "queued_repair_time", "queued_overload_time")
    return QueryFacts(
        query_id=str(row["query_id"]),
        node=node_of(text(row.get("query_tag")), told),
        query_text=told[:TEXT_MAX],
        query_type=str(row.get("query_type") or ""),
        query_tag=str(row.get("query_tag") or ""),
        user_name=str(row.get("user_name") or ""),
        warehouse_name=str(row.get("warehouse_name") or ""),
        warehouse_size=str(row.get("warehouse_size") or ""),
        started_at=started_at,
        ended_at=ended_at,
        seconds=seconds(row.get("total_elapsed_time")),
        execution_seconds=seconds(row.get("execution_time")),
        queued_seconds=sum(seconds(row.get(name)) for name in queued),
        rows_produced=whole(row.get("rows_produced")),
        bytes_scanned=whole(row.get("bytes_scanned")) or 0,
        credits_cloud_services=number(row.get("credits_used_cloud_services")) or 0.0,
        status=status,
        error=text(row.get("error_message")),
    )


def node_of(tag: str | None, statement: str) -> str | None:
    """Return the dbt node that a statement was for: `model.shop.orders`.

    The comment comes first: a session may still bear the tag of a model that failed.
    """
    for comment in _COMMENT.finditer(statement):
        if '"dbt"' in comment[1] and (found := _NODE.search(comment[1])):
            return found[1]
    return _node_in(tag) if tag and tag.lstrip().startswith("{") else None


def _node_in(tag: str) -> str | None:
    try:
        told: Any = json.loads(tag)
    except ValueError:
        return None
    if not isinstance(told, dict):
        return None
    node = told.get("node") or told.get("node_id")
    return node if isinstance(node, str) and node else None


@dataclass(frozen=True)
class RunFacts:
    """A run that our log in the account has; names are those of `run_history`."""

    run_id: str
    state: str
    reason: str
    started_at: datetime
    ended_at: datetime | None
    error: str | None


def runs_of(rows: Sequence[Row]) -> list[RunFacts]:
    """Return the runs among steps of our log there."""
    found = [_run(row) for row in rows if row["step"] == "run"]
    return list({run.run_id: run for run in found}.values())


def _run(row: Row) -> RunFacts:
    started_at = moment(row["started_at"])
    assert started_at is not None, "every step of the log has a beginning"
    return RunFacts(
        run_id_of(row),
        "SUCCEEDED" if str(row["status"]) in ("ok", "success") else "FAILED",
        str(row["object"]),
        started_at,
        moment(row["ended_at"]),
        text(row["error"]),
    )


def run_id_of(row: Row) -> str:
    """Name a run: a UUIDv7 of when it began, the same each time that it is told.

    Runs are listed by their names, so the names that dbt gives, which have no order,
    are only part of it.
    """
    at = moment(row["started_at"])
    assert at is not None, "every step of the log has a beginning"
    key = f"{at.isoformat()}|{row.get('run_id') or row['object']}"
    digest = hashlib.sha256(key.encode()).digest()
    value = (int(at.timestamp() * 1000) << 80) | int.from_bytes(digest[:10])
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return str(uuid.UUID(int=value))


@dataclass(frozen=True)
class NodeFacts:
    """What a run did for one node; names are those of `node_history`."""

    node: str
    resource_type: str
    status: str
    seconds: float
    message: str | None
    rows_out: int | None
    started_at: datetime


def nodes_of(queries: Sequence[QueryFacts], run: RunFacts) -> list[NodeFacts]:
    """Return what statements of one run were for, node by node.

    How a test ended is not told by its statement: in a run that succeeded none failed.
    """
    by_node: dict[str, list[QueryFacts]] = {}
    for each in queries:
        if each.node is not None and is_within(each, run):
            by_node.setdefault(each.node, []).append(each)
    return [_node(name, told, run) for name, told in sorted(by_node.items())]


def is_within(query: QueryFacts, run: RunFacts) -> bool:
    """Was a statement carried out while a run went on?"""
    end = run.ended_at
    return query.started_at >= run.started_at and (
        end is None or query.started_at <= end
    )


def _node(name: str, queries: list[QueryFacts], run: RunFacts) -> NodeFacts:
    kind = name.partition(".")[0]
    error = next((each.error for each in queries if each.error), None)
    if error is not None:
        status = "error"
    elif kind not in CHECKS:
        status = "success"
    else:
        status = "pass" if run.state == "SUCCEEDED" else "not told"
    written = [
        each.rows_produced for each in queries if each.query_type not in _READING
    ]
    return NodeFacts(
        name.rpartition(".")[2] if kind not in CHECKS else name.split(".")[2],
        kind,
        status,
        sum(each.seconds for each in queries),
        error,
        next((rows for rows in reversed(written) if rows is not None), None),
        min(each.started_at for each in queries),
    )


_READING = frozenset({"SELECT", "SHOW", "DESCRIBE", "USE", "ALTER_SESSION"})
