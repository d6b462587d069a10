"""What doctor says of alerts: are any open, and do messages arrive?"""

from __future__ import annotations

from typing import Any

from snowmelt.clock import SystemClock
from snowmelt.errors import SnowmeltError
from snowmelt.events import Events
from snowmelt.project.project import Project
from snowmelt.serve.client import connect_service
from snowmelt.serve.commands import Document
from snowmelt.service.alert_verbs import alerts_summary
from snowmelt.service.opening import opened


def alert_findings(project: Project) -> list[dict[str, Any]]:
    """Return one finding of a project with sinks or rules; none without.

    What keeps the warehouse from opening is another finding's.
    """
    config = project.settings.alerts
    if not config.sinks and not config.rules:
        return []
    try:
        summary = _summary(project)
    except SnowmeltError:
        return []
    failing = [each for each in summary["sinks"] if each["error"]]
    told = [f"{len(config.rules)} rules, {len(config.sinks)} sinks"]
    told += [f"{summary['open']} open"] if summary["open"] else []
    told += [f"{each['sink']} fails: {each['error']}" for each in failing]
    remedy = "See: snowmelt alerts"
    if failing:
        remedy = f"Try it: snowmelt alerts test {failing[0]['sink']}"
    return [
        {
            "check": "alerts",
            "ok": not failing,
            "found": "; ".join(told),
            "remedy": remedy,
        }
    ]


def _summary(project: Project) -> Document:
    with connect_service(project.socket) as client:
        if client is not None:
            summary: Document = client.status()["alerts"]
            return summary
    with (
        opened(project, SystemClock(), Events()) as parts,
        parts.warehouse.snapshot() as session,
    ):
        return alerts_summary(session)
