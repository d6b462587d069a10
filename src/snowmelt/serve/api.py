"""`/api/v1` on a unix socket that only its owner can open.

The pages' port has a part of the same routes: `serve/web_api.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Commands, Document
from snowmelt.serve.moving import MOVING_POSTS
from snowmelt.serve.understanding import UNDERSTANDING_GETS

TENDING_GETS: dict[str, dict[str, type]] = {
    "task_board": {"task": str, "state": str, "before": str, "limit": int},
    "graph_run": {"group": str},
    "task_detail": {"task": str, "state": str, "before": str, "limit": int},
    "alert_board": {"rule": str, "state": str, "before": str, "limit": int},
    "alert": {"alert": str},
    "deliveries": {"sink": str, "state": str, "before": int, "limit": int},
    "drift_board": {"pipe": str, "limit": int},
    "doctor": {"fresh": bool},
}

# Verb → the arguments it takes, with their types. GET takes them from the query
# string and reads; POST takes a JSON object.
GETS: dict[str, dict[str, type]] = {
    "status": {},
    "history": {"pipe": str, "status": str, "limit": int},
    "log": {"run": str, "step": str, "object": str, "limit": int},
    "rejects": {"pipe": str, "file": str, "limit": int},
    "reject_groups": {"pipe": str, "file": str},
    "quarantine": {"model": str, "rule": str, "limit": int, "lines": bool},
    "quarantine_groups": {"model": str, "rule": str},
    "streams": {},
    "advise": {},
    "alerts": {},
    "alert_history": {"limit": int},
    "tasks": {},
    "task_history": {"task": str, "state": str, "limit": int},
    "drift": {"pipe": str},
    "why": {"target": str},
    "dashboard": {"name": str, "filters": str},
    "validate": {},
    "health": {},
    "shell": {},
    "pipes": {},
    "files": {"pipe": str, "status": str, "name": str, "before": int, "limit": int},
    "file": {"load": int},
    "reject_samples": {
        **dict.fromkeys(("pipe", "category", "column", "reason"), str),
        "limit": int,
    },
    "runs": {"before": str, "limit": int},
    "run_detail": {"run": str},
    "dashboards": {},
    "board": {"name": str, "filters": str},
    "shares": {},
    "tables": {},
    **TENDING_GETS,
    "publications": {},
    "connections": {},
    "cost": {"days": int},
    **UNDERSTANDING_GETS,
}
POSTS: dict[str, dict[str, type]] = {
    "check": {"file": str, "pipe": str},
    "query": {"sql": str, "limit": int},
    "trace": {"model": str, "keys": list, "limit": int, "all_lines": bool},
    "trace_columns": {"model": str, "columns": list},
    "became": {"file": str, "load": int, "row": int, "limit": int},
    "run": {"on_error": str},
    "rebuild": {},
    "audit": {},
    "refresh": {"pipe": str, "prefix": str, "modified_after": str},
    "reload": {"files": list},
    "export_rejects": {"path": str, "file_format": str, "pipe": str, "file": str},
    "export_quarantine": {
        **dict.fromkeys(("path", "file_format", "model", "rule"), str)
    },
    "replay": {
        "edit": str,
        **dict.fromkeys(("pipe", "file", "reason", "category"), str),
        **dict.fromkeys(("since", "until"), str),
    },
    "test_alerts": {"sink": str},
    "mute_alerts": {"target": str, "duration": str},
    "task_run": {"name": str, "config": dict, "wait": bool},
    "task_retry": {"target": str, "wait": bool},
    "task_cancel": {"target": str, "reason": str},
    "task_suspend": {"name": str, "reason": str},
    "task_resume": {"name": str},
    "pause": {"pipe": str, "reason": str},
    "resume": {"pipe": str},
    "hold": {"file": str, "reason": str},
    "release": {"file": str},
    "approve": {"file": str, "pipe": str},
    "reject": {"file": str},
    "backup": {"folder": str},
    "vacuum": {"dry_run": bool},
    "share": {"dashboard": str, "days": int, "origins": list, "filters": str},
    "unshare": {"share": str},
    "publish": {"name": str, "to": dict, "whole": bool},
    **MOVING_POSTS,
}


Metrics = Callable[[], tuple[str, bytes]]
"""Returns how everything stands in numbers: the content's type, and the content."""


def make_app(
    commands: Commands, metrics: Metrics, make_link: Callable[[], Document]
) -> Starlette:
    """Return the application: one route for each verb of Commands, and `/metrics`.

    `make_link` makes links that open the pages: who may open the socket is the owner.
    """
    routes = [
        Route(f"/api/v1/{verb}", endpoint(commands, verb, names), methods=[method])
        for method, verbs in (("GET", GETS), ("POST", POSTS))
        for verb, names in verbs.items()
    ]

    async def start_link(_: Request) -> Response:
        try:
            return JSONResponse(make_link())
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, status_code=422)

    routes.append(Route("/api/v1/start_link", start_link, methods=["GET"]))
    routes.append(Route("/metrics", numbers(metrics), methods=["GET"]))
    return Starlette(routes=routes)


def numbers(metrics: Metrics) -> Callable[[Request], Any]:
    """Return what answers `/metrics`."""

    async def answer(_: Request) -> Response:
        kind, content = await run_in_threadpool(metrics)
        return Response(content, headers={"Content-Type": kind})

    return answer


def endpoint(
    commands: Commands, verb: str, names: dict[str, type]
) -> Callable[[Request], Any]:
    """Return what answers one verb."""

    async def answer(request: Request) -> Response:
        given: Any = request.query_params
        if request.method == "POST":
            given = await request.json()
        call: Callable[..., Document] = getattr(commands, verb)
        try:
            arguments = {
                name: read_argument(name, given.get(name), kind)
                for name, kind in names.items()
            }
            return JSONResponse(await run_in_threadpool(call, **arguments))
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, status_code=422)

    return answer


def read_argument(name: str, given: object, kind: type) -> object:
    """Return an argument as its verb takes it. Raises UsageError for another kind."""
    if given is None or isinstance(given, kind):
        return given
    if kind is bool:
        if given in ("true", "false"):
            return given == "true"
        raise UsageError(name, f"{given!r} is neither true nor false")
    try:
        return kind(given)
    except (TypeError, ValueError):
        raise UsageError(name, f"{given!r} is no {kind.__name__}") from None
