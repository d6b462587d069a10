"""Buttons: each is a verb of the command line, and says which."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.guard import csrf_problem, identity_of, read_form
from snowmelt.serve.pages.site import Site
from snowmelt.serve.pages.tending_acts import OPTIONS, TENDING, was_fine
from snowmelt.serve.pages.wording import plural

VERBS: dict[str, tuple[tuple[str, ...], str]] = {
    "run": ((), "snowmelt run"),
    "refresh": (("pipe",), "snowmelt refresh"),
    "reload": (("file",), "snowmelt reload"),
    "replay": (("pipe", "file", "reason", "category"), "snowmelt replay"),
    "pause": (("pipe",), "snowmelt pause"),
    "resume": (("pipe",), "snowmelt resume"),
    "hold": (("file",), "snowmelt hold"),
    "release": (("file",), "snowmelt release"),
    "approve": (("file", "pipe"), "snowmelt drift approve"),
    "reject": (("file",), "snowmelt drift reject"),
    **{verb: (each.names, each.command) for verb, each in TENDING.items()},
    "share": (("dashboard", "days", "origins", "filters"), "snowmelt link"),
}
"""Verb → what a form may send with it, and the command that does the same."""
_WITHOUT_OPTION = {
    "reload": "file",
    "pause": "pipe",
    "resume": "pipe",
    "hold": "file",
    "release": "file",
    "reject": "file",
    **{verb: each.bare for verb, each in TENDING.items() if each.bare},
}


async def act(site: Site, request: Request) -> Response:
    """Answer `/actions/VERB`: do it, and say what came of it."""
    form = await read_form(request)
    given = request.headers.get("x-csrf-token") or form.get("csrf")
    refused = csrf_problem(request, given)
    if refused is not None:
        return refused
    verb = request.path_params["verb"]
    if verb not in VERBS:
        raise UsageError(verb, "there is no such action")
    names, command = VERBS[verb]
    words = {name: form[name] for name in names if form.get(name)}
    commands, status = site.acting(request, "pages"), 200
    try:
        call = partial(getattr(commands, verb), **arguments_of(verb, words))
        document = await run_in_threadpool(call)
        told = say(verb, words, document)
        said = {"fine": was_fine(verb, document), "told": told, "remedy": ""}
        if "path" in document:
            host = request.headers["host"]
            said["opens"] = f"{request.url.scheme}://{host}{document['path']}"
    except SnowmeltError as error:
        told = f"{error.where}: {error.problem}" if error.where else error.problem
        said = {"fine": False, "told": told, "remedy": error.remedy}
        status = 422
    site.refresh()
    said["same_as"] = _same_as(command, verb, words)
    if request.headers.get("hx-request") == "true":
        return HTMLResponse(site.render("said.html", **said), status)
    answer = await site.page(
        request,
        "said_page.html",
        heading=verb.replace("_", " ").capitalize(),
        section="",
        shell=await site.ask("shell"),
        back=_back(request),
        identity=identity_of(request),
        **said,
    )
    answer.status_code = status
    return answer


def arguments_of(verb: str, words: dict[str, str]) -> dict[str, Any]:
    """Return a verb's arguments from what a form or a request gives.

    Raises UsageError for what is missing, and for a name that leads out of the stage.
    """
    file = words.get("file")
    if file is not None:
        require_inside(file)
    needed = _WITHOUT_OPTION.get(verb)
    if verb not in TENDING and needed and needed not in words:
        raise UsageError(verb, f"it needs a {needed}")
    return _READ.get(verb, dict)(words)


def _to_approve(words: dict[str, str]) -> dict[str, Any]:
    if not words:
        raise UsageError("approve", "it needs a file or a pipe")
    return {"file": words.get("file"), "pipe": words.get("pipe")}


def _to_refresh(words: dict[str, str]) -> dict[str, Any]:
    return {"pipe": words.get("pipe"), "prefix": None, "modified_after": None}


def _to_share(words: dict[str, str]) -> dict[str, Any]:
    """Return what a form says of a link. Raises UsageError for days that are none."""
    days = words.get("days", "30").strip()
    if not days.isascii() or not days.isdigit() or len(days) > 6:
        raise UsageError("days", f"'{days[:20]}' is no number")
    return {
        "dashboard": words.get("dashboard", ""),
        "days": int(days),
        "origins": words.get("origins", "").replace(",", " ").split(),
        "filters": words.get("filters"),
    }


_READ: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "run": lambda _: {"on_error": None},
    "refresh": _to_refresh,
    "reload": lambda words: {"files": [words["file"]]},
    "pause": lambda words: {**words, "reason": None},
    "hold": lambda words: {**words, "reason": None},
    "approve": _to_approve,
    "share": _to_share,
    **{verb: each.read for verb, each in TENDING.items()},
}
"""Verb → its arguments, from the words of a form; as they are for any other."""


def _options_of_share(words: dict[str, str]) -> list[tuple[str, str]]:
    """Return a form's words as the command's options."""
    found = _to_share(words)
    return [
        ("dashboard", found["dashboard"]),
        ("days", str(found["days"])),
        *(("origin", origin) for origin in found["origins"]),
        *(("filter", f"{k}={v}") for k, v in parse_qsl(found["filters"] or "")),
    ]


def require_inside(file: str) -> None:
    """Raise UsageError for a name that is no name of the stage."""
    path = PurePosixPath(file)
    if path.is_absolute() or ".." in path.parts or "\0" in file:
        raise UsageError(file, "write its name in the landing folder")


def _same_as(command: str, verb: str, words: dict[str, str]) -> str:
    bare = "file" if verb == "approve" else _WITHOUT_OPTION.get(verb)
    options = _options_of_share(words) if verb == "share" else list(words.items())
    told = [
        shlex.quote(value)
        if name == bare
        else f"--{OPTIONS.get(name, name)} {shlex.quote(value)}"
        for name, value in options
    ]
    return " ".join([command, *told])


def _back(request: Request) -> str:
    """Return the page that an action was asked for on; only of this site."""
    path = urlsplit(request.headers.get("referer", "")).path
    return path if path.startswith("/") and not path.startswith("//") else "/"


def say(verb: str, words: dict[str, str], document: Document) -> str:
    """Say in a sentence what came of an action."""
    if verb in TENDING:
        return TENDING[verb].say(words, document)
    if verb == "replay":
        tried = sum(each["tried"] for each in document["replayed"])
        loaded = sum(each["loaded"] for each in document["replayed"])
        if not tried:
            return "Nothing was tried: no record like that is open."
        records = plural(tried, "record")
        return f"{records} tried again, {loaded:,} loaded. {_of_run(document)}"
    if verb in ("run", "refresh", "reload"):
        loads = document.get("loads", [])
        rows = sum(each["row_count"] for each in loads)
        files, loaded = plural(len(loads), "file"), plural(rows, "row")
        return f"{files} settled, {loaded} loaded. {_of_run(document)}"
    if verb == "approve":
        return _approved(document)
    told: dict[str, str] = {
        "share": "A link was made. It shows {dashboard}, and nothing else, for {days} "
        f"days; take it back with: snowmelt link --revoke {document.get('id')}",
        "pause": "Pipe {pipe} is paused: its files wait.",
        "resume": "Pipe {pipe} goes on.",
        "hold": "{file} is held.",
        "release": "{file} goes on.",
        "reject": "{file} is refused.",
    }
    return told[verb].format(**words)


def _approved(document: Document) -> str:
    """Say what an approval changed, and loaded."""
    changed = []
    for each in document["approved"]:
        changed += [
            *(f"{new['column_name']} is a column now" for new in each["added"]),
            *(f"{name} is optional now" for name in each["made_optional"]),
            *(
                f"{new['column_name']} is {new['column_type']} now"
                for new in each["widened"]
            ),
        ]
    rows = sum(each["row_count"] for each in document["loads"])
    told = ", ".join(dict.fromkeys(changed)) or "nothing had to change"
    return f"Approved: {told}. {plural(rows, 'row')} loaded."


def _of_run(document: Document) -> str:
    run = document.get("run")
    if run is None:
        return "There was nothing to publish."
    if run["state"] == "FAILED":
        return f"The run was not published: {run['error']}"
    return f"Published in {run['seconds']:.1f} s."
