"""What a target took of credits: by pipe, by warehouse, by model."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from snowmelt.deploy.harvest.attributing import Hour
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
        shares = _shares(session, hours)
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
        "models": [_model(each) for each in shares if each["node"]],
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
    """Return what the warehouse was billed for, hour by hour."""
    rows = session.rows(
        """
        with ran as (
            select warehouse_name, hour, sum(seconds) as seconds
            from account.uses where hour >= $1 - interval 1 hour group by all
        ),

        sizes as (
            select warehouse_name, arg_max(warehouse_size, started_at) as size
            from account.queries where started_at >= $1 group by all
        )

        select
            metering.warehouse_name, start_time, credits_used,
            coalesce(sizes.size, $2), coalesce(ran.seconds, 0)
        from account.metering as metering
        left join ran
            on ran.warehouse_name = metering.warehouse_name
            and ran.hour = metering.start_time
        left join sizes on sizes.warehouse_name = metering.warehouse_name
        where end_time > $1
        order by start_time
        """,
        [since, ""],
    )
    return [Hour(*row) for row in rows]


_SHARE_COLUMNS = (
    *("warehouse_name", "node", "credits_used", "seconds", "statements"),
    "bytes_scanned",
)


def _shares(session: Session, hours: Sequence[Hour]) -> list[dict[str, Any]]:
    """Return what each node took of the hours, the dearest first."""
    rates = [
        {"name": each.warehouse, "at": each.start.isoformat(), "rate": each.rate}
        for each in hours
    ]
    rows = session.rows(
        """
        with told as (select unnest($1::json[]) as each),

        rates as (
            select
                each ->> 'name' as warehouse_name,
                (each ->> 'at')::timestamptz as hour,
                (each ->> 'rate')::double as rate
            from told
        )

        select
            warehouse_name, node, sum(seconds * rate), sum(seconds),
            sum(statements)::bigint, sum(bytes_scanned)::bigint
        from account.uses join rates using (warehouse_name, hour)
        group by all order by 3 desc, 2
        """,
        [rates],
    )
    return [dict(zip(_SHARE_COLUMNS, row, strict=True)) for row in rows]


def _model(share: dict[str, Any]) -> Document:
    kind, _, rest = str(share["node"]).partition(".")
    return {
        "node": share["node"],
        "name": rest.split(".")[1] if rest.count(".") else rest,
        "resource_type": kind,
        "credits_used": _rounded(share["credits_used"]),
        "seconds": round(share["seconds"], 3),
        "statements": share["statements"],
        "bytes_scanned": share["bytes_scanned"],
    }


def _warehouses(
    hours: Sequence[Hour], shares: Sequence[dict[str, Any]]
) -> list[Document]:
    """Return what a warehouse was billed for, and what of it nobody's statement ran."""
    found = []
    for name in sorted({hour.warehouse for hour in hours}):
        own = [hour for hour in hours if hour.warehouse == name]
        of = [each for each in shares if each["warehouse_name"] == name]
        models = sum(each["credits_used"] for each in of if each["node"])
        others = sum(each["credits_used"] for each in of if not each["node"])
        found.append(
            {
                "warehouse_name": name,
                "credits_used": _rounded(sum(hour.credits for hour in own)),
                "credits_models": _rounded(models),
                "credits_others": _rounded(others),
                "credits_idle": _rounded(sum(hour.idle for hour in own)),
            }
        )
    return found


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
