"""`/api/v1` on a unix socket that only its owner can open."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Commands, Document
from snowmelt.serve.socket_path import reachable

# Verb → the arguments it takes, with their types. GET takes them from the query
# string and reads; POST takes a JSON object.
GETS: dict[str, dict[str, type]] = {
    "status": {},
    "history": {"pipe": str, "status": str, "limit": int},
    "log": {"run": str, "step": str, "object": str, "limit": int},
    "rejects": {"pipe": str, "file": str, "limit": int},
    "reject_groups": {"pipe": str, "file": str},
    "quarantine": {"model": str, "rule": str, "limit": int},
    "quarantine_groups": {"model": str, "rule": str},
    "streams": {},
    "advise": {},
    "alerts": {},
    "alert_history": {"limit": int},
    "tasks": {},
    "task_history": {"task": str, "state": str, "limit": int},
    "drift": {"pipe": str},
    "why": {"target": str},
    "dashboard": {"name": str},
    "validate": {},
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
    "task_run": {"name": str, "config": dict},
    "task_retry": {"target": str},
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
}


Metrics = Callable[[], tuple[str, bytes]]
"""Returns how everything stands in numbers: the content's type, and the content."""


def make_app(commands: Commands, metrics: Metrics) -> Starlette:
    """Return the application: one route for each verb of Commands, and `/metrics`."""
    routes = [
        Route(f"/api/v1/{verb}", _endpoint(commands, verb, names), methods=[method])
        for method, verbs in (("GET", GETS), ("POST", POSTS))
        for verb, names in verbs.items()
    ]
    routes.append(Route("/metrics", _numbers(metrics), methods=["GET"]))
    return Starlette(routes=routes)


def _numbers(metrics: Metrics) -> Callable[[Request], Any]:
    async def answer(_: Request) -> Response:
        kind, content = await run_in_threadpool(metrics)
        return Response(content, headers={"Content-Type": kind})

    return answer


def _endpoint(
    commands: Commands, verb: str, names: dict[str, type]
) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        given: Any = request.query_params
        if request.method == "POST":
            given = await request.json()
        call: Callable[..., Document] = getattr(commands, verb)
        try:
            arguments = {
                name: _read_argument(name, given.get(name), kind)
                for name, kind in names.items()
            }
            return JSONResponse(await run_in_threadpool(call, **arguments))
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, status_code=422)

    return answer


def _read_argument(name: str, given: object, kind: type) -> object:
    if given is None or isinstance(given, kind):
        return given
    try:
        return kind(given)
    except (TypeError, ValueError):
        raise UsageError(name, f"{given!r} is no {kind.__name__}") from None


class ApiServer:
    """Serves an application on a unix socket, in a thread of its own."""

    def __init__(self, commands: Commands, metrics: Metrics, path: Path) -> None:
        self._path = path
        config = uvicorn.Config(
            make_app(commands, metrics),
            log_config=None,
            access_log=False,
            lifespan="off",
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._thread = threading.Thread(target=self._serve, name="api", daemon=True)

    def start(self) -> None:
        """Bind, readable and writable for the owner alone, and answer."""
        self._path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            with reachable(self._path) as path:
                self._socket.bind(path)
        finally:
            os.umask(before)
        self._socket.listen(64)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """Answer what was asked, then stop."""
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()
        self._path.unlink(missing_ok=True)
