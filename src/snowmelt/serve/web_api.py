"""`/api/v1` on the pages' port: the same verbs, as far as strangers may ask them.

What reads a path of this machine, or writes one, is left out: whoever may do that
has the socket.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.api import GETS, POSTS, read_argument
from snowmelt.serve.downloads import told_of
from snowmelt.serve.guard import csrf_problem, identity_of, refusal
from snowmelt.serve.pages.acting import require_inside
from snowmelt.serve.pages.site import Site
from snowmelt.serve.understanding import UNDERSTANDING_REQUIRED

OWNERS = ("validate", "shares")
"""What only the socket answers: who may open it may do everything."""
READS = {verb: names for verb, names in GETS.items() if verb not in OWNERS}
_NOT_HERE = ("edit", "config")
"""What is for the socket alone: a path, and what is not one text."""
ACTS: dict[str, dict[str, type]] = {
    verb: {name: kind for name, kind in POSTS[verb].items() if name not in _NOT_HERE}
    for verb in (
        *("run", "refresh", "reload", "replay", "pause", "resume", "hold"),
        *("release", "approve", "reject", "rebuild", "audit"),
        *("task_run", "task_retry", "task_suspend", "task_resume"),
        *("mute_alerts", "test_alerts"),
    )
}
REQUIRED = {
    "why": ("target",),
    "dashboard": ("name",),
    "board": ("name",),
    "file": ("load",),
    "run_detail": ("run",),
    "reload": ("files",),
    "pause": ("pipe",),
    "resume": ("pipe",),
    "hold": ("file",),
    "release": ("file",),
    "reject": ("file",),
    "graph_run": ("group",),
    "task_detail": ("task",),
    "alert": ("alert",),
    "deliveries": ("sink",),
    "task_suspend": ("name",),
    "task_resume": ("name",),
    "mute_alerts": ("target", "duration"),
    **UNDERSTANDING_REQUIRED,
}
LIMIT, LIMIT_MAX = 100, 1000
TEXT_LENGTH_MAX = 500
ON_ERROR = ("continue", "skip_file", "abort_statement")


def api_routes(site: Site) -> list[Route]:
    """Return a route for each verb."""
    return [
        Route(f"/api/v1/{verb}", _reading(site, verb, names), methods=["GET"])
        for verb, names in READS.items()
        if verb not in ACTS
    ] + [
        Route(f"/api/v1/{verb}", _acting(site, verb, names), methods=["POST"])
        for verb, names in ACTS.items()
    ]


def _reading(site: Site, verb: str, names: dict[str, type]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        try:
            arguments = _from_query(verb, names, request)
            if arguments.get("fresh") and not identity_of(request).is_operator:
                return refusal(403, "viewers see what was found last")
            return JSONResponse(await site.ask(verb, **arguments))
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, told_of(error))

    return answer


def _acting(site: Site, verb: str, names: dict[str, type]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        refused = csrf_problem(request, request.headers.get("x-csrf-token"))
        if refused is not None:
            return refused
        try:
            given = json.loads(await request.body() or b"{}")
        except ValueError:
            return refusal(400, "this is no JSON")
        commands = site.acting(request, "api")
        try:
            arguments = _from_json(verb, names, given)
            call = partial(getattr(commands, verb), **arguments)
            return JSONResponse(await run_in_threadpool(call))
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, told_of(error))
        finally:
            site.asked.forget()

    return answer


def _from_query(verb: str, names: dict[str, type], request: Request) -> dict[str, Any]:
    """Read arguments of an address. Raises UsageError for what is none."""
    given = request.query_params
    for name in given:
        if name not in names:
            raise UsageError(name, "there is no such parameter", _known(names))
        if len(given.getlist(name)) > 1:
            raise UsageError(name, "it is there twice")
    arguments = {
        name: _read(name, given.get(name), kind) for name, kind in names.items()
    }
    if "limit" in names and arguments["limit"] is None:
        arguments["limit"] = LIMIT
    return _required(verb, arguments)


def _from_json(verb: str, names: dict[str, type], given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise UsageError("body", "write one JSON object")
    for name in given:
        if name not in names:
            raise UsageError(str(name)[:80], "there is no such argument", _known(names))
    for name, value in given.items():
        if value is not None and not isinstance(value, names[name]):
            raise UsageError(name, f"it is no {names[name].__name__}")
    return _required(verb, {name: given.get(name) for name in names})


def _known(names: dict[str, type]) -> str:
    return f"Known: {', '.join(names)}." if names else "It takes none."


def _read(name: str, given: str | None, kind: type) -> object:
    if given is None:
        return None
    if kind is int:
        if not given.isascii() or not given.isdigit() or len(given) > 18:
            raise UsageError(name, f"'{given[:40]}' is no number")
        if name == "limit" and not 1 <= int(given) <= LIMIT_MAX:
            raise UsageError(name, f"it is between 1 and {LIMIT_MAX}")
    return read_argument(name, given, kind)


def _required(verb: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return arguments that a verb can take, each of a sensible form."""
    for name in REQUIRED.get(verb, ()):
        if not arguments[name]:
            raise UsageError(name, "it is missing")
    if verb == "approve" and not (arguments["file"] or arguments["pipe"]):
        raise UsageError("approve", "it needs a file or a pipe")
    if arguments.get("on_error") not in (None, *ON_ERROR):
        raise UsageError("on_error", f"write one of {', '.join(ON_ERROR)}")
    _require_sensible(arguments)
    return arguments


def _require_sensible(arguments: dict[str, Any]) -> None:
    """Raise UsageError for texts that are none, and names that leave the stage."""
    files = arguments.get("files") or []
    texts = [*files, *(arguments[name] for name in arguments if name != "files")]
    if not all(isinstance(file, str) and file for file in files):
        raise UsageError("files", "write names of files")
    for text in texts:
        if isinstance(text, str) and (len(text) > TEXT_LENGTH_MAX or "\0" in text):
            raise UsageError("argument", "it is too long, or has a NUL in it")
    for file in (*files, arguments.get("file"), arguments.get("target")):
        if file is not None:
            require_inside(file)
