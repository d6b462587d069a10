"""Runs: what each built and tested, when, and what it found wrong."""

from __future__ import annotations

import json
from typing import Any

from snowmelt.errors import UsageError
from snowmelt.gold.reconciliation import RECORDED
from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    RUN_COLUMNS,
    SCHEMA_VERSION,
    as_documents,
    failure_documents,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.shell import shell_document
from snowmelt.warehouse.port import Session

LIMIT_MAX = 200
LISTED = (*RUN_COLUMNS, "way", "fallback_reason")
NODE_COLUMNS = (
    *("node", "resource_type", "status", "seconds", "failures", "message", "form"),
)
STEPS = ("model", "test", "seed", "snapshot")


def runs_document(loop: Loop, before: str | None, limit: int) -> Document:
    """Return runs before one, newest first; `next` is where the next page begins."""
    limit = max(1, min(limit, LIMIT_MAX))
    with loop.parts.warehouse.snapshot() as session:
        rows = session.rows(
            f"select {', '.join(LISTED)} from snowmelt.run_history "
            "where ($1 is null or run_id < $1) order by run_id desc limit $2",
            [before, limit + 1],
        )
        runs = as_documents(LISTED, rows[:limit])
        _add_outcomes(session, runs)
        shell = shell_document(loop, session)
    return {
        "schema_version": SCHEMA_VERSION,
        "shell": shell,
        "runs": runs,
        "next": runs[-1]["run_id"] if len(rows) > limit else None,
    }


def _add_outcomes(session: Session, runs: list[Document]) -> None:
    """Say of each run how many of its nodes failed and how many warned."""
    if not runs:
        return
    found = {
        row[0]: row[1:]
        for row in session.rows(
            "select run_id, "
            "count(*) filter (status in ('error', 'fail', 'runtime error')), "
            "count(*) filter (status = 'warn') from snowmelt.node_history "
            "where run_id between $1 and $2 group by run_id",
            [runs[-1]["run_id"], runs[0]["run_id"]],
        )
    }
    for run in runs:
        run["failed_nodes"], run["warned_nodes"] = found.get(run["run_id"], (0, 0))


def run_document(loop: Loop, run: str) -> Document:
    """Return everything about one run. Raises UsageError for an unknown one."""
    loop.parts.pipeline_log.write()
    with loop.parts.warehouse.snapshot() as session:
        shell = shell_document(loop, session)
        rows = session.rows(
            f"select {', '.join(LISTED)} from snowmelt.run_history where run_id = $1",
            [run],
        )
        if not rows:
            raise UsageError(run, "there is no such run", "See: snowmelt runs")
        (record,) = as_documents(LISTED, rows)
        return {
            "schema_version": SCHEMA_VERSION,
            "shell": shell,
            "run": record,
            "nodes": _nodes(session, run, record),
            "failures": failure_documents(session, run),
            "reconciliation": _accounts(session, run),
        }


def _nodes(session: Session, run: str, record: Document) -> list[Document]:
    """Return each node with when it began, as far as the log still knows."""
    nodes = as_documents(
        NODE_COLUMNS,
        session.rows(
            f"select {', '.join(NODE_COLUMNS)} from snowmelt.node_history "
            "where run_id = $1",
            [run],
        ),
    )
    steps = session.rows(
        "select object, started_at, ended_at, rows_out, details "
        "from snowmelt.pipeline_log "
        "where started_at >= $2::timestamptz - interval 1 minute "
        "and started_at <= $3::timestamptz + interval 1 minute and run_id = $1 "
        "and step in (select unnest($4::json::varchar[]))",
        [
            run,
            record["started_at"],
            record["ended_at"] or record["started_at"],
            list(STEPS),
        ],
    )
    began: dict[str, tuple[Any, ...]] = {}
    for name, started_at, ended_at, rows_out, details in steps:
        began.setdefault(
            name, (started_at, ended_at, rows_out, json.loads(details or "{}"))
        )
    for node in nodes:
        started_at, _, rows_out, _ = began.get(node["node"], (None, None, None, {}))
        node["started_at"] = started_at.isoformat() if started_at else None
        node["rows_out"] = rows_out
    nodes.sort(key=lambda each: (each["started_at"] or "~", each["node"]))
    return nodes


def _accounts(session: Session, run: str) -> list[Document]:
    rows = session.rows(
        f"select {', '.join(RECORDED)} from snowmelt.reconciliation "
        "where run_id = $1 order by model",
        [run],
    )
    return as_documents(RECORDED, rows)
