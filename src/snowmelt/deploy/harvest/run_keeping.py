"""Writes runs, and the statements and nodes that they are made of."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from snowmelt.deploy.harvest.ledger import insert_rows, replace_rows
from snowmelt.deploy.harvest.query_mapping import (
    CHECKS,
    QueryFacts,
    RunFacts,
    nodes_of,
    overlapping,
    query_of,
    run_id_of,
    runs_of,
)
from snowmelt.deploy.harvest.reading import moment, text, whole
from snowmelt.deploy.snowflake.session import Row
from snowmelt.warehouse.port import Session

_RUN_COLUMNS = (
    *("run_id", "state", "reason", "started_at", "ended_at", "error"),
    *("full_refresh", "project_digest", "models", "tests", "way"),
)
_LOG_COLUMNS = (
    *("run_id", "step", "object", "started_at", "ended_at", "status", "rows_in"),
    *("rows_out", "rows_rejected", "bytes", "error", "details"),
)
_QUERY_COLUMNS = (
    *("query_id", "run_id", "node", "query_text", "started_at", "seconds"),
    *("rows_produced", "status", "error"),
)
_COST_COLUMNS = (
    *("query_id", "node", "query_type", "query_tag", "user_name", "warehouse_name"),
    *("warehouse_size", "started_at", "ended_at", "execution_seconds"),
    *("queued_seconds", "bytes_scanned", "credits_cloud_services"),
)
_NODE_COLUMNS = (
    *("run_id", "node", "resource_type", "status", "seconds", "message", "form"),
    *("rows_out", "started_at"),
)
_LATE = timedelta(hours=2)
"""How long after a run statements of it may still be told."""


def keep_log(session: Session, rows: list[Row]) -> Collection[datetime]:
    """Write steps of our log there, and the runs among them."""
    runs = runs_of(rows)
    replace_rows(
        session,
        "snowmelt.run_history",
        "run_id",
        _RUN_COLUMNS,
        [
            [
                *(run.run_id, run.state, run.reason, run.started_at, run.ended_at),
                *(run.error, "", "", 0, 0, "dbt"),
            ]
            for run in runs
        ],
    )
    names = {
        text(row.get("run_id")): run_id_of(row) for row in rows if row["step"] == "run"
    }
    steps = [_step(row, names) for row in rows]
    if steps:
        session.execute(
            "delete from snowmelt.pipeline_log where started_at between $1 and $2",
            [min(each[3] for each in steps), max(each[3] for each in steps)],
        )
    insert_rows(session, "snowmelt.pipeline_log", _LOG_COLUMNS, steps)
    return ()


def _step(row: Row, names: Mapping[str | None, str]) -> list[Any]:
    """Return a step of the log, with the name that its run has here."""
    told = text(row.get("run_id"))
    run_id = names.get(told) or told
    if row["step"] == "run":
        run_id = run_id_of(row)
    return [
        run_id,
        str(row["step"]),
        str(row["object"]),
        moment(row["started_at"]),
        moment(row["ended_at"]),
        str(row["status"]),
        *(whole(row.get(n)) for n in ("rows_in", "rows_out", "rows_rejected", "bytes")),
        text(row["error"]),
        _details(text(row.get("details"))),
    ]


def _details(told: str | None) -> str | None:
    """Return details as an object, as the log here has them; of a list, its tables."""
    if told is None:
        return None
    try:
        found = json.loads(told)
    except ValueError:
        found = told
    if not isinstance(found, dict):
        found = {"tables" if isinstance(found, list) else "told": found}
    return json.dumps(found, ensure_ascii=False)


def keep_queries(session: Session, rows: list[Row]) -> Collection[datetime]:
    """Write statements, each with the run that it is of."""
    found = list({each.query_id: each for each in map(query_of, rows)}.values())
    if not found:
        return ()
    oldest = min(each.started_at for each in found)
    runs = _runs_since(session, oldest)
    replace_rows(
        session,
        "snowmelt.query_history",
        "query_id",
        _QUERY_COLUMNS,
        [_query(each, runs) for each in found],
    )
    replace_rows(
        session,
        "account.queries",
        "query_id",
        _COST_COLUMNS,
        [[getattr(each, name) for name in _COST_COLUMNS] for each in found],
    )
    _sum_up(session, found)
    return [each.started_at for each in found if each.ended_at is None]


def _sum_up(session: Session, queries: Sequence[QueryFacts]) -> None:
    """Sum up anew the hours in which these statements ran.

    A statement is taken to have run at its end, for as long as it did: before, it
    waited for the warehouse, or was compiled.
    """
    ends = [each.ended_at or each.started_at for each in queries]
    begins = [
        end - timedelta(seconds=each.execution_seconds)
        for end, each in zip(ends, queries, strict=True)
    ]
    given = [min(begins), max(ends)]
    session.execute(
        "delete from account.uses where hour between "
        "date_trunc('hour', $1::timestamptz) and date_trunc('hour', $2::timestamptz)",
        given,
    )
    session.execute(_SUMMED_UP, given)


_SUMMED_UP = """
    insert into account.uses
    with ran as (
        select
            warehouse_name, node, bytes_scanned,
            coalesce(ended_at, started_at) as ended,
            ended - to_milliseconds((execution_seconds * 1000)::bigint) as began
        from account.queries
        where coalesce(ended_at, started_at) >= date_trunc('hour', $1::timestamptz)
    ),

    parts as (
        select *, unnest(generate_series(
            date_trunc('hour', began), date_trunc('hour', ended), interval 1 hour
        )) as hour
        from ran where began <= date_trunc('hour', $2::timestamptz) + interval 1 hour
    )

    select
        warehouse_name, node, hour,
        sum(greatest(0, epoch(least(ended, hour + interval 1 hour))
            - epoch(greatest(began, hour)))),
        count(*) filter (date_trunc('hour', ended) = hour),
        coalesce(sum(bytes_scanned) filter (date_trunc('hour', ended) = hour), 0)
    from parts
    where hour between
        date_trunc('hour', $1::timestamptz) and date_trunc('hour', $2::timestamptz)
    group by all
"""


def _query(query: QueryFacts, runs: Sequence[RunFacts]) -> list[Any]:
    node = query.node.rpartition(".")[2] if query.node else None
    run_id = overlapping(runs, query) if query.node else None
    failed = query.error is not None
    return [
        *(query.query_id, run_id, node, query.query_text, query.started_at),
        *(query.seconds, query.rows_produced, "failed" if failed else "ok"),
        query.error,
    ]


def _runs_since(session: Session, oldest: datetime) -> list[RunFacts]:
    rows = session.rows(
        "select run_id, state, reason, started_at, ended_at, error "
        "from snowmelt.run_history where coalesce(ended_at, started_at) >= $1",
        [oldest],
    )
    return [RunFacts(*row) for row in rows]


def keep_nodes(session: Session) -> None:
    """Write anew what the newest runs did, node by node, by their statements."""
    newest = session.value("select max(started_at) from account.queries")
    if newest is None:
        return
    runs = _runs_since(session, newest - _LATE)
    if not runs:
        return
    rows = session.rows(
        "select queries.query_id, queries.node, '', query_type, query_tag, user_name, "
        "warehouse_name, warehouse_size, queries.started_at, ended_at, "
        "history.seconds, execution_seconds, queued_seconds, history.rows_produced, "
        "bytes_scanned, credits_cloud_services, history.status, history.error "
        "from account.queries as queries "
        "join snowmelt.query_history as history using (query_id) "
        "where queries.node is not null and queries.started_at >= $1",
        [min(run.started_at for run in runs)],
    )
    queries = [QueryFacts(*row) for row in rows]
    for run in runs:
        _keep_nodes_of(session, run, queries)


def _keep_nodes_of(
    session: Session, run: RunFacts, queries: Sequence[QueryFacts]
) -> None:
    nodes = nodes_of(queries, run)
    session.execute("delete from snowmelt.node_history where run_id = $1", [run.run_id])
    insert_rows(
        session,
        "snowmelt.node_history",
        _NODE_COLUMNS,
        [
            [
                *(run.run_id, each.node, each.resource_type, each.status),
                *(each.seconds, each.message, "dbt", each.rows_out, each.started_at),
            ]
            for each in nodes
        ],
    )
    session.execute(
        "update snowmelt.run_history set models = $2, tests = $3 where run_id = $1",
        [
            run.run_id,
            sum(each.resource_type not in CHECKS for each in nodes),
            sum(each.resource_type in CHECKS for each in nodes),
        ],
    )
