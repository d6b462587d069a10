"""How long the log, the record of runs and alerts are kept: one line a table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from snowmelt.warehouse.port import Session


@dataclass(frozen=True)
class Horizons:
    """The instants before which things are forgotten; None: they are not, now.

    Alerts are forgotten by who writes them, and at its own time.
    """

    steps: datetime | None = None
    queries: datetime | None = None
    history: datetime | None = None
    alerts: datetime | None = None


class Kept(Enum):
    """Which of the horizons a table goes by."""

    STEPS = "steps"
    QUERIES = "queries"
    HISTORY = "history"
    ALERTS = "alerts"


@dataclass(frozen=True)
class OfTime:
    """A table whose rows go by their own time; those of which `stays` is true stay."""

    table: str
    at: str
    kept: Kept
    stays: str = "false"


@dataclass(frozen=True)
class OfRun:
    """A table whose rows go with the age of their run."""

    table: str
    kept: Kept = Kept.STEPS
    stays: str = "false"


@dataclass(frozen=True)
class OfAlert:
    """A table whose rows go with the time at which their alert was resolved."""

    table: str
    kept: Kept = Kept.ALERTS
    stays: str = "false"


# In their order: what refers to runs before the runs.
TABLES: tuple[OfTime | OfRun | OfAlert, ...] = (
    OfTime("pipeline_log", "started_at", Kept.STEPS),
    OfTime("freshness_history", "judged_at", Kept.STEPS),
    OfTime("query_history", "started_at", Kept.QUERIES),
    OfTime("task_runs", "completed_time", Kept.STEPS),
    OfTime(
        "task_graph_runs",
        "ended_at",
        Kept.STEPS,
        # how far the last good run had read has to be known, however old it is
        stays="read_through >= coalesce((select max(read_through) "
        "from snowmelt.task_graph_runs where state = 'SUCCEEDED'), 0)",
    ),
    OfRun("node_history"),
    OfRun("test_failures"),
    OfRun(
        "reconciliation",
        stays="(model, run_id) in (select (model, max(run_id)) "
        "from snowmelt.reconciliation group by model)",
    ),
    OfTime(
        "run_history",
        "started_at",
        Kept.HISTORY,
        # what is published, what was read last, what is under way, what is named
        stays="state = 'EXECUTING' "
        "or run_id = (select run_id from snowmelt.run_history "
        "where state = 'SUCCEEDED' order by started_at desc limit 1) "
        "or run_id = (select run_id from snowmelt.run_history "
        "where state = 'SUCCEEDED' "
        "order by read_through desc, started_at desc limit 1) "
        "or run_id in (select run_id from snowmelt.reconciliation) "
        "or run_id in (select run_id from snowmelt.node_history)",
    ),
    OfTime("audit_history", "started_at", Kept.HISTORY),
    OfTime("after_load", "changed_at", Kept.HISTORY, stays="state <> 'done'"),
    OfTime(
        "pipe_events",
        "happened_at",
        Kept.HISTORY,
        stays="(pipe_name, event, happened_at) in (select (pipe_name, event, "
        "max(happened_at)) from snowmelt.pipe_events group by pipe_name, event)",
    ),
    OfAlert("alert_deliveries", stays="state = 'due'"),
    OfTime(
        "alerts",
        "resolved_at",
        Kept.ALERTS,
        stays="alert_id in (select alert_id from snowmelt.alert_deliveries)",
    ),
    OfTime("alert_mutes", "until", Kept.ALERTS),
)


def forget_before(session: Session, horizons: Horizons) -> None:
    """Delete what is older, in one transaction. What the log is about stays.

    So do the newest account of each model and the runs that something else names.
    """
    with session.transaction():
        for each in TABLES:
            before = getattr(horizons, each.kept.value)
            if before is not None:
                session.execute(_deletion(each), [before])


def _deletion(of: OfTime | OfRun | OfAlert) -> str:
    if isinstance(of, OfTime):
        old = f"{of.at} < $1"
    elif isinstance(of, OfAlert):
        old = (
            "alert_id in (select alert_id from snowmelt.alerts where resolved_at < $1)"
        )
    else:
        old = (
            "run_id in (select run_id from snowmelt.run_history where started_at < $1)"
        )
    return (
        f"delete from snowmelt.{of.table} where {old} "  # noqa: S608
        f"and not coalesce(({of.stays}), false)"
    )
