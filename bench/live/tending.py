"""What the pages of tasks, alerts and drift have to read: months of their record."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from snowmelt.service.commands import OwnCommands
from snowmelt.warehouse.port import Session

TASKS = 10
CONSUMERS = 300
_GRAPH_RUNS = """
    insert into snowmelt.task_graph_runs by name
    select
        printf('01931f00-%04x-7000-8000-%012x', n % 65536, n) as graph_run_group_id,
        1 as attempt_number, 'root' as root_name, 1 as graph_version,
        if(n % 50 = 0, 'FAILED', 'SUCCEEDED') as state,
        'SCHEDULE' as scheduled_from, moment as scheduled_time, moment as started_at,
        moment + interval 20 second as ended_at, '{{}}' as config, n as read_through,
        if(n % 50 = 0, 'task_3', null) as first_error_task_name,
        if(n % 50 = 0, 'it ended with exit code 1', null) as first_error_message
    from (
        select n, now() - to_minutes(({runs} - n)::bigint) as moment
        from range(1, {runs} + 1) as numbers(n)
    )
"""
_TASK_RUNS = """
    insert into snowmelt.task_runs by name
    select
        graph_run_group_id || '-' || m as task_run_id, graph_run_group_id,
        1 as attempt_number, if(m = 0, 'root', 'task_' || m) as name,
        'root' as root_name, 'shell' as kind, 'true' as query_text,
        if(m = 3, state, 'SUCCEEDED') as state, first_error_message as error_message,
        started_at as scheduled_time, started_at as query_start_time,
        ended_at as completed_time, 1 as graph_version,
        started_at as graph_scheduled_time, 'SCHEDULE' as scheduled_from,
        '{{"rows": 1}}' as return_value
    from snowmelt.task_graph_runs, range({tasks}) as tasks(m)
"""
_ALERTS = """
    insert into snowmelt.alerts by name
    select
        strftime(moment, '%Y%m%dT%H%M%S') || '-' || n as alert_id, 'rejected' as rule,
        'day=' || (n // 2000) || '/orders_' || n || '.csv' as cause,
        'warning' as severity, moment as opened_at,
        if(n > {alerts} - 20, null, moment) as resolved_at,
        moment as last_seen_at, 1 as seen,
        'orders_' || n || '.csv: 1 of 100 records refused' as message,
        '{{"pipe": "orders", "evidence": []}}' as details
    from (
        select n, now() - to_minutes(({alerts} - n)::bigint) as moment
        from range(1, {alerts} + 1) as numbers(n)
    )
"""
_DELIVERIES = """
    insert into snowmelt.alert_deliveries by name
    select
        row_number() over (order by opened_at, sink) as delivery_id, alert_id, sink,
        'opened' as kind, 'sent' as state, 1 as tries, opened_at as created_at,
        opened_at as next_try_at, opened_at as sent_at
    from snowmelt.alerts, (values ('ops'), ('chat')) as sinks(sink)
"""
_OFFSETS = """
    insert into snowmelt.stream_offsets
    select
        'silver.model_' || n,
        'bronze.' || ['orders', 'customers', 'products', 'sellers'][1 + n % 4],
        {files} - n % 10, now()
    from range({consumers}) as numbers(n)
"""


def add_tasks(root: Path) -> None:
    """Give a project a graph of tasks."""
    path = root / "snowmelt.yml"
    settings = yaml.safe_load(path.read_text())
    settings["tasks"] = {"root": {"every": "1m", "shell": "true"}} | {
        f"task_{n}": {"after": "root" if n < 3 else f"task_{n - 2}", "shell": "true"}
        for n in range(1, TASKS)
    }
    settings["alerts"] = {
        "sinks": {"ops": {"shell": "true"}, "chat": {"shell": "true"}},
        "rules": {"rejected": {"on": "rejected"}},
    }
    path.write_text(yaml.safe_dump(settings))


def fill_tending(session: Session, files: int) -> None:
    """Put graph runs, alerts and offsets on record: as many as such a history has."""
    session.execute(_GRAPH_RUNS.format(runs=max(files // 20, 10)))
    session.execute(_TASK_RUNS.format(tasks=TASKS))
    session.execute(_ALERTS.format(alerts=max(files // 50, 40)))
    session.execute(_DELIVERIES)
    session.execute(_OFFSETS.format(files=files, consumers=CONSUMERS))


def asked_tending(commands: OwnCommands) -> dict[str, Callable[[], Any]]:
    """Return each page's question."""
    alert = commands.alert_history(1)["alerts"][0]["alert_id"]
    middle = commands.task_board(None, "FAILED", None, 100)["next"]
    return {
        "tasks": lambda: commands.task_board(None, None, None, 25),
        "tasks, further back": lambda: commands.task_board(None, None, middle, 25),
        "tasks, that failed": lambda: commands.task_board("task_3", "FAILED", None, 25),
        "task": lambda: commands.task_detail("task_3", None, None, 25),
        "alerts": lambda: commands.alert_board(None, None, None, 25),
        "alert": lambda: commands.alert(alert),
        "deliveries": lambda: commands.deliveries("ops", None, None, 50),
        "drift": lambda: commands.drift_board(None, 100),
        "doctor": lambda: commands.doctor(fresh=False),
        "quarantine": lambda: commands.quarantine(None, None, 50, lines=False),
    }
