"""Answers as documents, read from the warehouse."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from snowmelt.bronze.rejects import LISTED, OPEN, RejectFilter
from snowmelt.gold.audit import AuditResult
from snowmelt.gold.reconciliation import RECORDED
from snowmelt.gold.run_result import RunResult
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import COLUMNS
from snowmelt.serve.commands import Document
from snowmelt.transform.node_result import CHECKS
from snowmelt.transform.quarantine import count_refused, quarantines
from snowmelt.warehouse.plain import plain as plain
from snowmelt.warehouse.port import Row, Session

SCHEMA_VERSION = 1
HISTORY_COLUMNS = [name for name in COLUMNS if name != "header"]


def as_documents(columns: Sequence[str], rows: Sequence[Any]) -> list[Document]:
    """Return rows as documents."""
    return [dict(zip(columns, plain(row), strict=True)) for row in rows]


def history_document(
    session: Session, pipe: str | None, status: str | None, limit: int
) -> Document:
    """Return load records, newest first."""
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
        "where ($1 is null or pipe_name = $1) "
        "and ($2 is null or lower(status) = lower($2)) "
        "order by load_seq desc limit $3",
        [pipe, status, limit],
    )
    loads = as_documents(HISTORY_COLUMNS, rows)
    return {"schema_version": SCHEMA_VERSION, "loads": loads}


LOG_COLUMNS = (
    *("turn", "run_id", "step", "object", "started_at", "ended_at", "status"),
    *("rows_in", "rows_out", "rows_rejected", "bytes", "error", "details"),
)


def log_document(
    session: Session, run: str | None, step: str | None, object: str | None, limit: int
) -> Document:
    """Return steps of the pipeline that the log has, newest first."""
    rows = session.rows(
        f"select {', '.join(LOG_COLUMNS)} from snowmelt.pipeline_log "
        "where ($1 is null or run_id = $1) and ($2 is null or step = $2) "
        "and ($3 is null or object = $3) "
        "order by started_at desc, rowid desc limit $4",
        [run, step, object, limit],
    )
    steps = as_documents(LOG_COLUMNS, rows)
    for each in steps:
        each["details"] = json.loads(each["details"] or "{}")
    return {"schema_version": SCHEMA_VERSION, "steps": steps}


def loads_since(session: Session, load_seq: int) -> list[Document]:
    """Return every load record after a position, newest first."""
    rows = session.rows(
        f"select {', '.join(HISTORY_COLUMNS)} from snowmelt.load_history "
        "where load_seq > $1 order by load_seq desc",
        [load_seq],
    )
    return as_documents(HISTORY_COLUMNS, rows)


def rejects_document(session: Session, chosen: RejectFilter, limit: int) -> Document:
    """Return refused records that nothing has replaced, by file and ordinal.

    Of a failed file they are the first ones: `status` tells, and the file itself is
    what to correct.

    `rejected_record` is the raw text; bytes that are not UTF-8 stand in it as \\xNN,
    and then `rejected_record_base64` has them exactly.
    """
    columns = [
        *("file_name", "file_row", "line", "byte_offset", "column_name", "category"),
        *("error", "errors", "rejected_record", "load_seq", "pipe_name"),
    ]
    wanted = ", ".join(f"rejects.{name}" for name in columns) + ", history.status"
    columns.append("status")
    where, parameters = chosen.condition()
    total = session.value(f"select count(*) {LISTED} {where}", parameters)
    rows = session.rows(
        f"select {wanted} {LISTED} {where} "
        "order by rejects.load_seq, rejects.file_row limit ?",
        [*parameters, limit],
    )
    rejects = [reject_document(dict(zip(columns, row, strict=True))) for row in rows]
    return {"schema_version": SCHEMA_VERSION, "count": total, "rejects": rejects}


def reject_document(row: dict[str, Any]) -> Document:
    """Return one refused record: its raw text, and its bytes if they are no text."""
    raw = bytes(row["rejected_record"])
    row["rejected_record"] = raw.decode("utf-8", "backslashreplace")
    row["errors"] = json.loads(row["errors"])
    try:
        raw.decode()
    except UnicodeDecodeError:
        row["rejected_record_base64"] = base64.b64encode(raw).decode()
    return row


PIPE_COLUMNS = (
    "pipe_name",
    "table_name",
    "last_load_time",
    "files_loaded",
    "files_failed",
    "files_skipped",
    "row_count",
    "open_rejects",
)


def pipe_sums(session: Session) -> list[Row]:
    """Return what load history says of each pipe, with PIPE_COLUMNS: of live loads."""
    return session.rows(
        f"""
        with open_rejects as (
            select rejects.pipe_name, count(*) as open_rejects {OPEN} group by all
        ),

        loads as (
            select
                pipe_name,
                any_value(table_name),
                max(last_load_time) filter (row_count > 0),
                count(*) filter (status in ('Loaded', 'Partially loaded')
                    and replay_of is null),
                count(*) filter (status = 'Load failed'),
                count(*) filter (status = 'Load skipped'),
                sum(row_count)::bigint
            from snowmelt.load_history
            where superseded_by is null
            group by pipe_name
        )

        select loads.*, coalesce(open_rejects, 0)
        from loads left join open_rejects using (pipe_name)
        """
    )


def pipe_documents(sums: Sequence[Row], pipes: Sequence[Pipe]) -> list[Document]:
    """Return what load history says of each pipe; `sums`: of `pipe_sums`."""
    known = {each["pipe_name"]: each for each in as_documents(PIPE_COLUMNS, sums)}
    empty = {"last_load_time": None} | dict.fromkeys(PIPE_COLUMNS[3:], 0)
    return [
        {"pipe_name": pipe.name, "table_name": pipe.table_name}
        | known.get(pipe.name, empty)
        for pipe in pipes
    ]


def reconciliation_documents(session: Session) -> list[Document]:
    """Return each model's newest account: where the rows of bronze are in silver.

    `quarantined_open` leaves out rows that were corrected and replayed.
    """
    rows = session.rows(
        f"select {', '.join(RECORDED)} from snowmelt.reconciliation "
        "qualify row_number() over (partition by model order by run_id desc) = 1 "
        "order by model"
    )
    accounts = as_documents(RECORDED, rows)
    known = {each.model: each for each in quarantines(session)}
    for account in accounts:
        of_model = known.get(account["model"])
        refused = account["quarantined_rows"] and of_model
        counts = count_refused(session, [of_model]) if refused and of_model else {}
        account["quarantined_open"] = counts.get("open", 0)
    return accounts


RUN_COLUMNS = (
    *("run_id", "state", "reason", "started_at", "ended_at", "read_through"),
    *("full_refresh", "models", "tests", "error"),
)


def last_run_document(session: Session) -> Document | None:
    """Return the newest run's record and, if it failed, what failed."""
    rows = session.rows(
        f"select {', '.join(RUN_COLUMNS)} from snowmelt.run_history "
        "order by started_at desc, run_id desc limit 1"
    )
    if not rows:
        return None
    (run,) = as_documents(RUN_COLUMNS, rows)
    return run | {"failures": failure_documents(session, run["run_id"])}


def failure_documents(session: Session, run_id: str) -> list[Document]:
    """Return a run's failed and warning nodes, with the failing rows kept."""
    nodes = session.rows(
        "select node, resource_type, status, failures, message "
        "from snowmelt.node_history where run_id = $1 "
        "and status in ('error', 'fail', 'runtime error', 'warn') order by node",
        [run_id],
    )
    rows = session.rows(
        "select test, failing_row from snowmelt.test_failures "
        "where run_id = $1 order by test, ordinal",
        [run_id],
    )
    names = ("node", "resource_type", "status", "failures", "message")
    return [
        document
        | {"rows": [json.loads(row) for test, row in rows if test == document["node"]]}
        for document in as_documents(names, nodes)
    ]


def audit_document(result: AuditResult) -> Document:
    """Return an audit that just ended, as a document."""
    return {
        "audit_id": result.audit_id,
        "state": result.state.value,
        "reason": result.reason,
        "seconds": round(result.seconds, 3),
        "tables_compared": result.compared,
        "sampled": result.sampled,
        "differing": [vars(difference) for difference in result.differing],
        "error": result.error,
    }


def run_document(result: RunResult | None) -> Document | None:
    """Return a run that just ended, as a document."""
    if result is None:
        return None
    tests = [node for node in result.nodes if node.resource_type == "test"]
    return {
        "run_id": result.run_id,
        "state": result.state.value,
        "reason": result.reason,
        "full_refresh": list(result.full_refresh),
        "way": result.built.way.value,
        "fallback_reason": result.built.fallback_reason,
        "seconds": round(result.seconds, 3),
        "models": sum(n.resource_type not in CHECKS for n in result.nodes),
        "tests": len(tests),
        "tests_passed": sum(node.status == "pass" for node in tests),
        "tests_warned": sum(node.status == "warn" for node in tests),
        "failures": [
            {
                "node": node.node,
                "resource_type": node.resource_type,
                "status": node.status,
                "failures": node.failures,
                "message": node.message,
                "rows": [
                    json.loads(row.failing_row)
                    for row in result.evidence
                    if row.test == node.node
                ],
            }
            for node in result.nodes
            if node.failed
        ],
        "warnings": [
            {"node": node.node, "failures": node.failures, "message": node.message}
            for node in result.nodes
            if node.status == "warn"
        ],
        "reconciliation": [asdict(account) for account in result.reconciliation],
        "error": result.error,
    }
