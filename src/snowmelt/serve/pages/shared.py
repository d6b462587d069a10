"""Answers that open pages share: made once, compressed once, handed to whoever asks.

A page that was told of a change asks for what may be otherwise in it. Fifty pages that
show the same get the same bytes. They are made for a role and for nobody in it: what
makes them sees no cookie, no name and no token, so that they have none to tell.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response

from snowmelt.clock import Clock
from snowmelt.serve.guard import WHO
from snowmelt.serve.live import ADDRESS_MAX, Broadcast, group_of
from snowmelt.serve.sessions import Identity

KEPT_MAX = 64
KEPT_SECONDS = 10.0
COMPRESSION = 3
KIND = "text/html; charset=utf-8"
Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Made:
    """An answer. `since`: the change up to which it has seen all, as pages say it."""

    compressed: bytes
    tag: str
    since: str


@dataclass(frozen=True)
class _Kept:
    changes: int
    began_at: float
    making: asyncio.Task[Made | None]


class SharedAnswers:
    """The answers that were made last, by role and address. Of one event loop."""

    def __init__(self, clock: Clock, broadcast: Broadcast) -> None:
        self._clock = clock
        self._broadcast = broadcast
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def of(self, answer: Answer) -> Answer:
        """Return what answers the same: open pages that ask again share an answer."""

        async def answering(request: Request) -> Response:
            request.scope["since"] = self._broadcast.since
            identity: Identity | None = request.scope.get("identity")
            if identity is None or "x-live" not in request.headers:
                return await answer(request)
            made = await self._made(answer, request, identity)
            return await answer(request) if made is None else _handed(made, request)

        return answering

    async def _made(
        self, answer: Answer, request: Request, identity: Identity
    ) -> Made | None:
        """Return an answer that has seen all it has to; None of what none can share."""
        address = _address(request)
        if len(address) > ADDRESS_MAX:
            return None
        group = group_of(identity, request.headers.get("host", ""), address)
        kept, now = self._kept.get(group), self._clock.monotonic()
        if kept is None or not self._is_good(kept, group, now):
            making = asyncio.create_task(self._make(answer, request, identity, group))
            kept = _Kept(self._broadcast.changes, now, making)
            self._kept[group] = kept
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(group)
        made: Made | None = None
        try:
            made = await asyncio.shield(kept.making)
        finally:
            if made is None and self._kept.get(group) is kept:
                del self._kept[group]  # what went wrong may be right the next time
        return made

    def _is_good(self, kept: _Kept, group: str, now: float) -> bool:
        is_seen = kept.changes >= self._broadcast.needed(group)
        return is_seen and now - kept.began_at < KEPT_SECONDS

    async def _make(
        self, answer: Answer, request: Request, identity: Identity, group: str
    ) -> Made | None:
        nobody = replace(identity, name="", way="shared", csrf="")
        since, began = self._broadcast.since, self._clock.monotonic()
        WHO.set(nobody)
        found = await answer(Request(_without_person(request, nobody, since)))
        body = bytes(found.body)
        if found.status_code != 200 or found.headers.get("content-type") != KIND:
            return None
        tag = hashlib.sha256(body).hexdigest()[:32]
        made = Made(gzip.compress(body, COMPRESSION, mtime=0), f'W/"{tag}"', since)
        self._broadcast.took(group, self._clock.monotonic() - began)
        return made


def _address(request: Request) -> str:
    """Return what was asked for, as the page that asks writes it."""
    path: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _without_person(
    request: Request, nobody: Identity, since: str
) -> dict[str, object]:
    """Return what is asked for, without a word of who asks."""
    kept = [each for each in request.scope["headers"] if each[0] == b"host"]
    changed = {"headers": kept, "identity": nobody, "since": since, "shared": True}
    return {**request.scope, **changed}


def _handed(made: Made, request: Request) -> Response:
    headers = {
        "ETag": made.tag,
        "Vary": "Accept-Encoding, Cookie, Authorization",
        "X-Since": made.since,
    }
    if request.headers.get("if-none-match") == made.tag:
        return Response(status_code=304, headers=headers)
    body = made.compressed
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        body = gzip.decompress(body)
    return Response(body, headers=headers, media_type="text/html")
