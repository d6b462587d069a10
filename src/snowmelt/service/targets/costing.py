"""What a target took of credits: by pipe, by warehouse, by model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from snowmelt.deploy.harvest.attributing import Hour, Share, Use, attribute
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.targets.facts import facts_of
from snowmelt.service.targets.observing import Observing
from snowmelt.warehouse.port import Session

DAYS_MAX = 180
SHARED = (
    "Of each hour that the warehouse was billed for, every model has the part that its "
    "statements ran; waiting for the next statement is idle. An estimate: an account "
    "bills hours, not statements."
)


def cost_document(observing: Observing, days: int) -> Document:
    """Return what the last days took, the dearest first."""
    now = observing.parts.clock.now()
    since = now - timedelta(days=max(1, min(days, DAYS_MAX)))
    with observing.parts.warehouse.snapshot() as session:
        pipes = _pipes(session, since)
        hours = _hours(session, since)
        shares = attribute(hours, _uses(session, since))
        by_day = _by_day(session, since)
    warehouse = sum(hour.credits for hour in hours)
    of_pipes = sum(each["credits_used"] for each in pipes)
    facts = facts_of(observing)
    return {
        "schema_version": SCHEMA_VERSION,
        "target": facts.target,
        "needs": "",
        "days": days,
        "since": plain(since),
        "credits": {
            "pipes": _rounded(of_pipes),
            "warehouse": _rounded(warehouse),
            "total": _rounded(of_pipes + warehouse),
        },
        "pipes": pipes,
        "warehouses": _warehouses(hours, shares),
        "models": [_model(each) for each in shares if each.node],
        "by_day": by_day,
        "note": SHARED,
    }


def _rounded(credits: float) -> float:
    return round(credits, 6)


_PIPE_COLUMNS = (
    *("pipe_name", "credits_used", "files_inserted", "bytes_inserted"),
    *("bytes_billed", "credits_per_1000_files"),
)


def _pipes(session: Session, since: datetime) -> list[Document]:
    rows = session.rows(
        """
        select
            pipe_name, sum(credits_used), sum(files_inserted)::bigint,
            sum(bytes_inserted)::bigint, sum(bytes_billed)::bigint,
            sum(credits_used) / nullif(sum(files_inserted), 0) * 1000
        from account.pipe_usage where end_time > $1
        group by pipe_name order by 2 desc, 1
        """,
        [since],
    )
    return [
        dict(zip(_PIPE_COLUMNS, row, strict=True)) | {"credits_used": _rounded(row[1])}
        for row in rows
    ]


def _hours(session: Session, since: datetime) -> list[Hour]:
    rows = session.rows(
        "select warehouse_name, start_time, end_time, credits_used, coalesce(("
        "select arg_max(warehouse_size, started_at) from account.queries "
        "where queries.warehouse_name = metering.warehouse_name), '') "
        "from account.metering as metering where end_time > $1 order by start_time",
        [since],
    )
    return [Hour(*row) for row in rows]


def _uses(session: Session, since: datetime) -> list[Use]:
    """Return how long models' statements ran, in each hour that they did.

    Summed up by the engine: one row for a model and an hour, however many statements.
    """
    rows = session.rows(
        """
        with parts as (
            select
                warehouse_name, node, execution_seconds, bytes_scanned,
                coalesce(ended_at, started_at) as ended,
                ended - to_milliseconds((execution_seconds * 1000)::bigint) as began,
                unnest(generate_series(
                    date_trunc('hour', began), date_trunc('hour', ended),
                    interval 1 hour
                )) as hour
            from account.queries
            where coalesce(ended_at, started_at) > $1
        )

        select
            warehouse_name, node, hour,
            sum(greatest(0, epoch(least(ended, hour + interval 1 hour))
                - epoch(greatest(began, hour)))),
            count(*) filter (date_trunc('hour', ended) = hour),
            sum(bytes_scanned) filter (date_trunc('hour', ended) = hour)
        from parts group by all
        """,
        [since],
    )
    return [
        Use(name, node, hour, float(seconds), int(count), int(scanned or 0))
        for name, node, hour, seconds, count, scanned in rows
    ]


def _model(share: Share) -> Document:
    kind, _, rest = str(share.node).partition(".")
    return {
        "node": str(share.node),
        "name": rest.split(".")[1] if rest.count(".") else rest,
        "resource_type": kind,
        "credits_used": _rounded(share.credits),
        "seconds": round(share.seconds, 3),
        "statements": share.statements,
        "bytes_scanned": share.bytes_scanned,
    }


@dataclass
class _Sum:
    credits: float = 0.0
    models: float = 0.0
    others: float = 0.0


def _warehouses(hours: Sequence[Hour], shares: Sequence[Share]) -> list[Document]:
    """Return what a warehouse was billed for, and what of it nobody's statement ran."""
    sums: dict[str, _Sum] = {}
    for hour in hours:
        sums.setdefault(hour.warehouse, _Sum()).credits += hour.credits
    for share in shares:
        found = sums[share.warehouse]
        if share.node:
            found.models += share.credits
        elif share.statements or share.seconds:
            found.others += share.credits
    return [
        {
            "warehouse_name": name,
            "credits_used": _rounded(each.credits),
            "credits_models": _rounded(each.models),
            "credits_others": _rounded(each.others),
            "credits_idle": _rounded(each.credits - each.models - each.others),
        }
        for name, each in sorted(sums.items())
    ]


def _by_day(session: Session, since: datetime) -> list[dict[str, Any]]:
    rows = session.rows(
        """
        with used as (
            select start_time::date as day, credits_used as pipes, 0.0 as warehouse
            from account.pipe_usage where end_time > $1
            union all
            select start_time::date, 0.0, credits_used
            from account.metering where end_time > $1
        )

        select day, sum(pipes), sum(warehouse) from used group by day order by day
        """,
        [since],
    )
    return [
        {
            "day": day.isoformat(),
            "pipes": _rounded(float(pipes)),
            "warehouse": _rounded(float(warehouse)),
        }
        for day, pipes, warehouse in rows
    ]
