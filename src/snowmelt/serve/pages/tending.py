"""The addresses of tasks, alerts, drift and doctor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.serve.pages.alerts import show_alert, show_alerts, show_sink
from snowmelt.serve.pages.cost import show_cost
from snowmelt.serve.pages.doctor import show_doctor
from snowmelt.serve.pages.drift import show_drift
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.tasks import show_graph_run, show_task, show_tasks

TENDING_PAGES: dict[str, Callable[[Site, Request], Awaitable[Response]]] = {
    "/tasks": show_tasks,
    "/tasks/runs/{group}": show_graph_run,
    "/tasks/{task}": show_task,
    "/alerts": show_alerts,
    "/alerts/sinks/{sink}": show_sink,
    "/alerts/{alert}": show_alert,
    "/drift": show_drift,
    "/doctor": show_doctor,
    "/cost": show_cost,
}
"""Address → who answers it."""
