"""Writes statements, and what runs did by them, node by node."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from snowmelt.deploy.harvest.ledger import insert_rows, replace_rows
from snowmelt.deploy.harvest.query_mapping import (
    CHECKS,
    NodeFacts,
    QueryFacts,
    RunFacts,
    nodes_of,
    query_of,
)
from snowmelt.deploy.snowflake.session import Row
from snowmelt.warehouse.port import Session

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
_RUNS_AT_ONCE = 100


def keep_queries(session: Session, rows: list[Row]) -> Collection[datetime]:
    """Write statements, each with the run that it is of."""
    found = list({each.query_id: each for each in map(query_of, rows)}.values())
    if not found:
        return ()
    replace_rows(
        session,
        "snowmelt.query_history",
        "query_id",
        _QUERY_COLUMNS,
        [_query(each) for each in found],
    )
    replace_rows(
        session,
        "account.queries",
        "query_id",
        _COST_COLUMNS,
        [[getattr(each, name) for name in _COST_COLUMNS] for each in found],
    )
    name_runs(session, min(each.started_at for each in found))
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


def _query(query: QueryFacts) -> list[Any]:
    node = query.node.rpartition(".")[2] if query.node else None
    failed = query.error is not None
    return [
        *(query.query_id, None, node, query.query_text, query.started_at),
        *(query.seconds, query.rows_produced, "failed" if failed else "ok"),
        query.error,
    ]


def name_runs(session: Session, since: datetime) -> None:
    """Say which run statements of models are of; the one that began last, of several.

    Statements are told before the run that they are of, which comes when it has ended.
    """
    session.execute(
        """
        with found as (
            select query.query_id, arg_max(run.run_id, run.started_at) as run_id
            from snowmelt.query_history as query
            join snowmelt.run_history as run
                on query.started_at between run.started_at and run.ended_at
            where query.node is not null
                and query.started_at >= $1 and run.ended_at >= $1
            group by all
        )

        update snowmelt.query_history as query
        set run_id = found.run_id
        from found
        where found.query_id = query.query_id
            and found.run_id is distinct from query.run_id
        """,
        [since],
    )


def _runs_since(session: Session, oldest: datetime) -> list[RunFacts]:
    rows = session.rows(
        "select run_id, state, reason, started_at, ended_at, error "
        "from snowmelt.run_history where coalesce(ended_at, started_at) >= $1 "
        "order by started_at",
        [oldest],
    )
    return [RunFacts(*row) for row in rows]


def keep_nodes(session: Session, since: datetime) -> None:
    """Write anew what runs did that had not ended before a moment, node by node."""
    runs = _runs_since(session, since)
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        _keep_nodes_of(session, runs[start : start + _RUNS_AT_ONCE])


def _keep_nodes_of(session: Session, runs: Sequence[RunFacts]) -> None:
    queries = _queries_within(session, runs)
    begins = [each.started_at for each in queries]
    known: dict[str, int] = dict(
        session.rows(
            "select run_id, count(*) from snowmelt.node_history "
            "where run_id in (select unnest($1::json::varchar[])) group by run_id",
            [[run.run_id for run in runs]],
        )
    )
    for run in runs:
        until = bisect_right(begins, run.ended_at) if run.ended_at else None
        own = queries[bisect_left(begins, run.started_at) : until]
        nodes = nodes_of(own, run)
        # of an old run, statements may be forgotten here by now
        if nodes and len(nodes) >= known.get(run.run_id, 0):
            _write_nodes(session, run, nodes)


def _queries_within(session: Session, runs: Sequence[RunFacts]) -> list[QueryFacts]:
    """Return statements of models from the first of these runs on, as they began."""
    ends = [run.ended_at for run in runs]
    rows = session.rows(
        "select queries.query_id, queries.node, '', query_type, query_tag, user_name, "
        "warehouse_name, warehouse_size, queries.started_at, ended_at, "
        "history.seconds, execution_seconds, queued_seconds, history.rows_produced, "
        "bytes_scanned, credits_cloud_services, history.status, history.error "
        "from account.queries as queries "
        "join snowmelt.query_history as history using (query_id) "
        "where queries.node is not null and queries.started_at >= $1 "
        "and ($2 is null or queries.started_at <= $2) order by queries.started_at",
        [
            min(run.started_at for run in runs),
            None if None in ends else max(filter(None, ends)),
        ],
    )
    return [QueryFacts(*row) for row in rows]


def _write_nodes(session: Session, run: RunFacts, nodes: Sequence[NodeFacts]) -> None:
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
