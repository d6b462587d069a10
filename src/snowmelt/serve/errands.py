"""Errands: what programs ask a service to do, and what happened meanwhile.

An errand is asked for once, by its key, however often that is said: whoever lost the
answer asks again and is told of the same one. It goes on without whoever asked.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from snowmelt.errors import SnowmeltError, UsageError
from snowmelt.serve.commands import Document
from snowmelt.serve.downloads import told_of
from snowmelt.serve.errand_state import ErrandState
from snowmelt.serve.guard import csrf_problem, identity_of, refusal

ERRANDS = "/api/v1/errands"
WHATS = ("run", "refresh", "rebuild", "audit", "tasks")
ASKED: dict[str, type] = {
    "pipe": str,
    "prefix": str,
    "select": list,
    "since": str,
    "task": str,
    "config": dict,
}
"""What an errand may say besides what it is, with its type."""
FITTING: dict[str, tuple[str, ...]] = {
    "run": ("select", "since"),
    "refresh": ("pipe", "prefix", "since"),
    "rebuild": (),
    "audit": (),
    "tasks": ("task", "config"),
}
STATES = tuple(each.value for each in ErrandState)
KINDS = ("loaded", "load_failed", "published", "run_failed")
LIMIT, LIMIT_MAX = 100, 1000
KEY_LENGTH_MAX = 500
TEXT_LENGTH_MAX = 1000
NUMBER_DIGITS_MAX = 15


class Errands(Protocol):
    """Who takes errands. Every answer is a document."""

    def ask(self, wish: dict[str, Any], who: str) -> Document:
        """Take an errand, or say which one it is already.

        Raises UsageError for one that cannot be, UnreachableError when too many wait.
        """
        ...

    def find(self, errand: int) -> Document | None:
        """Return how an errand stands."""
        ...

    def listed(
        self, states: list[str], what: str | None, before: int | None, limit: int
    ) -> Document:
        """Return errands, newest first."""
        ...

    def cancel(self, errand: int, reason: str | None, who: str) -> Document | None:
        """Have an errand end that has not; one that has ended stays what it is."""
        ...

    def happenings(
        self, after: str | None, kinds: list[str], pipe: str | None, limit: int
    ) -> Document:
        """Return what was loaded and published after a position, oldest first."""
        ...

    def arrived(self, pipe: str, name: str | None, since: str | None) -> Document:
        """Return what became of a pipe's files of some names."""
        ...


def errand_routes(errands: Errands) -> list[Route]:
    """Return what answers about errands."""
    answers: list[tuple[str, str, Callable[..., Awaitable[Response]]]] = [
        (ERRANDS, "POST", _ask),
        (ERRANDS, "GET", _list),
        (f"{ERRANDS}/{{errand:int}}", "GET", _find),
        (f"{ERRANDS}/{{errand:int}}/cancel", "POST", _cancel),
        ("/api/v1/happenings", "GET", _happenings),
        ("/api/v1/arrived", "GET", _arrived),
    ]
    return [
        Route(path, _told(partial(answer, errands)), methods=[method])
        for path, method, answer in answers
    ]


def _told(
    answer: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answering(request: Request) -> Response:
        try:
            return await answer(request)
        except SnowmeltError as error:
            return JSONResponse({"error": error.as_document()}, told_of(error))

    return answering


# Answers.


async def _ask(errands: Errands, request: Request) -> Response:
    if refused := _refused(request):
        return refused
    wish = read_wish(await _body(request))
    who = identity_of(request).name
    return JSONResponse(await run_in_threadpool(partial(errands.ask, wish, who)))


async def _find(errands: Errands, request: Request) -> Response:
    if refused := _refused(request, acts=False):
        return refused
    number = _number(request)
    found = await run_in_threadpool(partial(errands.find, number))
    return JSONResponse(found) if found else _missing(number)


async def _cancel(errands: Errands, request: Request) -> Response:
    if refused := _refused(request):
        return refused
    body = await _body(request)
    _require_known(body, {"reason": str})
    reason, who = body.get("reason"), identity_of(request).name
    number = _number(request)
    call = partial(errands.cancel, number, reason, who)
    found = await run_in_threadpool(call)
    return JSONResponse(found) if found else _missing(number)


async def _list(errands: Errands, request: Request) -> Response:
    if refused := _refused(request, acts=False):
        return refused
    given = _query(request, ("state", "what", "before", "limit"))
    states = _words(given.get("state"), STATES, "state")
    what = given.get("what")
    if what is not None and what not in WHATS:
        raise UsageError("what", f"there is no '{what[:40]}'", _one_of(WHATS))
    before = read_number("before", given["before"]) if "before" in given else None
    call = partial(errands.listed, states, what, before, _limit(given))
    return JSONResponse(await run_in_threadpool(call))


async def _happenings(errands: Errands, request: Request) -> Response:
    given = _query(request, ("after", "kinds", "pipe", "limit"))
    kinds = _words(given.get("kinds"), KINDS, "kinds")
    call = partial(
        errands.happenings,
        *(given.get("after"), kinds, given.get("pipe"), _limit(given)),
    )
    document = await run_in_threadpool(call)
    if not identity_of(request).sees_plain:
        for each in document["happenings"]:
            each.pop("problem", None)  # it may quote a value of a record
    return JSONResponse(document)


async def _arrived(errands: Errands, request: Request) -> Response:
    if refused := _refused(request, acts=False):
        return refused
    given = _query(request, ("pipe", "name", "since"))
    if not given.get("pipe"):
        raise UsageError("pipe", "it is missing")
    call = partial(
        errands.arrived, given["pipe"], given.get("name"), given.get("since")
    )
    return JSONResponse(await run_in_threadpool(call))


# What was asked.


def read_wish(given: Any) -> dict[str, Any]:
    """Return an errand that makes sense. Raises UsageError for what does not."""
    known = {"what": str, "key": str, "cause": str, **ASKED}
    _require_known(given, known)
    what = given.get("what")
    if what not in WHATS:
        raise UsageError("what", "say what is to be done", _one_of(WHATS))
    asked = {name: given[name] for name in ASKED if given.get(name) is not None}
    for name in asked:
        if name not in FITTING[what]:
            fitting = ", ".join(FITTING[what]) or "nothing besides"
            raise UsageError(name, f"'{what}' takes {fitting}")
    select = asked.get("select", [])
    if not all(isinstance(each, str) and each.strip() for each in select):
        raise UsageError("select", "write selectors of dbt's, such as fct_orders+")
    if len(given.get("key") or "") > KEY_LENGTH_MAX:
        raise UsageError("key", f"it has more than {KEY_LENGTH_MAX} characters")
    return {
        "what": what,
        "key": given.get("key") or None,
        "cause": given.get("cause"),
        "asked": asked,
    }


def _require_known(given: Any, known: dict[str, type]) -> None:
    if not isinstance(given, dict):
        raise UsageError("body", "write one JSON object")
    for name, value in given.items():
        if name not in known:
            told = f"Known: {', '.join(known)}."
            raise UsageError(str(name)[:80], "there is no such argument", told)
        if value is not None and not isinstance(value, known[name]):
            raise UsageError(name, f"it is no {known[name].__name__}")
        is_long = isinstance(value, str) and len(value) > TEXT_LENGTH_MAX
        if is_long or (isinstance(value, str) and "\0" in value):
            raise UsageError(name, "it is too long, or has a NUL in it")


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body() or b"{}")
    except ValueError:
        raise UsageError("body", "this is no JSON") from None


def _query(request: Request, known: tuple[str, ...]) -> dict[str, str]:
    given = request.query_params
    for name in given:
        if name not in known:
            told = f"Known: {', '.join(known)}."
            raise UsageError(name[:80], "there is no such parameter", told)
        if len(given.getlist(name)) > 1:
            raise UsageError(name, "it is there twice")
        if len(given[name]) > TEXT_LENGTH_MAX or "\0" in given[name]:
            raise UsageError(name, "it is too long, or has a NUL in it")
    return dict(given)


def _limit(given: dict[str, str]) -> int:
    limit = read_number("limit", given.get("limit", str(LIMIT)))
    if not 1 <= limit <= LIMIT_MAX:
        raise UsageError("limit", f"it is between 1 and {LIMIT_MAX}")
    return limit


def read_number(name: str, text: str) -> int:
    """Return a number that a request has. Raises UsageError for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= NUMBER_DIGITS_MAX):
        raise UsageError(name, f"'{text[:40]}' is no number")
    return int(text)


def _words(given: str | None, known: tuple[str, ...], name: str) -> list[str]:
    words = [each.strip() for each in given.split(",")] if given else []
    for word in words:
        if word not in known:
            raise UsageError(name, f"there is no '{word[:40]}'", _one_of(known))
    return words


def _one_of(known: tuple[str, ...]) -> str:
    return f"One of: {', '.join(known)}."


def _number(request: Request) -> int:
    return int(request.path_params["errand"])


def _missing(errand: int) -> Response:
    return refusal(404, f"there is no errand {errand}", f"See: GET {ERRANDS}")


def _refused(request: Request, *, acts: bool = True) -> Response | None:
    """Return what refuses whoever may not ask for errands, or see them."""
    if not acts:
        if identity_of(request).may_act:
            return None
        return refusal(403, "errands are for operators", "Use a token of one.")
    return csrf_problem(request, request.headers.get("x-csrf-token"))
