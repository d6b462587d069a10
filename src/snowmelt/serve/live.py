"""What just happened, told to every page that is open, once a second or less.

A page is told which of its subjects changed and asks for itself anew. However much
happens, a page hears of it at once at first, then once a second, and more seldom where
many are open: all of them together ask for ten pages a second at most, so that screens
take little from a loader at full speed.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from snowmelt.events import (
    ActionEnded,
    AuditFinished,
    BatchIncomplete,
    CopyFinished,
    CopyStarted,
    Event,
    FileSettled,
    FilesFound,
    FreshnessChanged,
    RejectsReplayed,
    RunFinished,
    RunStarted,
    TaskFinished,
    TaskStarted,
)
from snowmelt.serve.guard import refusal

LISTENERS_MAX = 200
GATHER_SECONDS = 0.05
REST_SECONDS = 1.0
PAGES_A_SECOND_MAX = 10
BEAT_SECONDS = 15.0
TOPICS: dict[type[object], frozenset[str]] = {
    FilesFound: frozenset({"pending"}),
    CopyStarted: frozenset({"pending"}),
    CopyFinished: frozenset({"files", "pending"}),
    FileSettled: frozenset({"files", "rejects"}),
    RejectsReplayed: frozenset({"files", "rejects"}),
    ActionEnded: frozenset({"files"}),
    BatchIncomplete: frozenset({"pending"}),
    FreshnessChanged: frozenset({"pipes"}),
    RunStarted: frozenset({"runs"}),
    RunFinished: frozenset({"runs", "gold"}),
    AuditFinished: frozenset({"runs"}),
    TaskStarted: frozenset({"tasks"}),
    TaskFinished: frozenset({"tasks"}),
}
EVERYTHING = frozenset({"pipes", "alerts", "doctor"}).union(*TOPICS.values())
"""What may be otherwise after somebody did something."""


class _Listener:
    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.wake = asyncio.Event()


class Broadcast:
    """A sink of events that open pages listen to. Told from any thread."""

    def __init__(self) -> None:
        self._listeners: set[_Listener] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def __call__(self, event: Event) -> None:
        topics = TOPICS.get(type(event))
        if topics:
            self.tell(topics)

    @property
    def has_listeners(self) -> bool:
        """Is any page open?"""
        return bool(self._listeners)

    def tell(self, topics: frozenset[str]) -> None:
        """Say that something about these is otherwise now."""
        loop = self._loop
        if loop is None or not self._listeners:
            return
        try:
            loop.call_soon_threadsafe(self._note, topics)
        except RuntimeError:
            return  # the server has ended

    def _note(self, topics: frozenset[str]) -> None:
        for listener in self._listeners:
            listener.topics |= topics
            listener.wake.set()

    def close(self) -> None:
        """Let every page go."""
        self._closed = True
        if self._loop is not None:
            self.tell(frozenset({"end"}))

    async def answer(self, request: Request) -> Response:
        """Answer `/events`: a stream of what changed, until the page goes."""
        if len(self._listeners) >= LISTENERS_MAX:
            return refusal(503, f"{LISTENERS_MAX} pages are live already")
        self._loop = asyncio.get_running_loop()
        listener = _Listener()
        self._listeners.add(listener)
        return _EventStream(
            self._tell(request, listener), media_type="text/event-stream"
        )

    def _rest_seconds(self) -> float:
        return REST_SECONDS * max(1.0, len(self._listeners) / PAGES_A_SECOND_MAX)

    async def _tell(self, request: Request, listener: _Listener) -> AsyncIterator[str]:
        try:
            yield "event: ready\ndata: {}\n\n"
            while not self._closed:
                try:
                    async with asyncio.timeout(BEAT_SECONDS):
                        await listener.wake.wait()
                except TimeoutError:
                    if await request.is_disconnected():
                        return
                    yield ": still here\n\n"
                    continue
                await asyncio.sleep(GATHER_SECONDS)
                topics, listener.topics = sorted(listener.topics), set()
                listener.wake.clear()
                yield f"event: changed\ndata: {json.dumps({'topics': topics})}\n\n"
                if not self._closed:
                    await asyncio.sleep(self._rest_seconds())
        finally:
            self._listeners.discard(listener)


class _EventStream(StreamingResponse):
    def __init__(self, content: AsyncIterator[str], media_type: str) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type=media_type, headers=headers)
