"""What needs a person beside files and runs: tasks, and what people's rules find."""

from __future__ import annotations

from snowmelt.serve.commands import Document
from snowmelt.service.loop import Loop
from snowmelt.warehouse.port import Session

NAMED = 5
_LAST = """
    select state, first_error_task_name, first_error_message
    from snowmelt.task_graph_runs where state <> 'SKIPPED'
    order by started_at desc, attempt_number desc limit 1
"""


def tasks_attention(loop: Loop, session: Session) -> list[Document]:
    """Return that the last run of the graph failed, and what tasks are suspended."""
    tasks = loop.tasks.tasks
    if tasks is None:
        return []
    told = []
    for state, name, message in session.rows(_LAST):
        if state == "FAILED":
            what = f"The last run of {tasks.graph.root} failed: {name}: {message}"
            told.append(_told("bad", "task", name, what, "snowmelt tasks retry"))
    for name, each in tasks.standings.items():
        if not each.suspended or len(told) > NAMED:
            continue
        by_failures = each.by == "failures"
        what = f"Task {name} is suspended"
        what += " because it failed too often" if by_failures else ""
        what += f" ({each.reason})" if each.reason and not by_failures else ""
        level = "bad" if by_failures else "warn"
        told.append(_told(level, "task", name, what, f"snowmelt tasks resume {name}"))
    return told


def alerts_attention(loop: Loop, session: Session) -> list[Document]:
    """Return what queries of the user's found; what is built in is told as it is."""
    rules = loop.parts.project.settings.alerts.rules
    own = [name for name, rule in rules.items() if rule.sql is not None]
    if not own:
        return []
    rows = session.rows(
        "select alert_id, rule, severity, message from snowmelt.alerts "
        "where resolved_at is null and rule in (select unnest($1::json::varchar[])) "
        f"order by opened_at desc limit {NAMED}",
        [own],
    )
    return [
        _told(
            "bad" if severity == "critical" else "warn",
            "alert",
            alert_id,
            f"{rule}: {message}",
            "snowmelt alerts",
        )
        for alert_id, rule, severity, message in rows
    ]


def _told(level: str, kind: str, name: str | None, told: str, command: str) -> Document:
    return {
        "level": level,
        "kind": kind,
        "name": name or "",
        "told": told,
        "command": command,
    }
