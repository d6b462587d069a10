"""What just happened, told to every page that is open.

A page says what it shows and as of when: it is told of each change after that, however
long its line was down. It is told which of its subjects changed, and asks for itself
anew. When it is told is the pace's to say: `pacing.py`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import threading
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from snowmelt.clock import Clock
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
from snowmelt.serve.guard import identity_of, refusal
from snowmelt.serve.pacing import Bustle, Pace
from snowmelt.serve.sessions import Identity

log = logging.getLogger("snowmelt")
LISTENERS_MAX = 200
TICK_SECONDS = 0.05
BEAT_SECONDS = 15.0
ADDRESS_MAX = 2000
ANSWER_SECONDS = 0.001
"""What it takes to hand one viewer an answer that is made."""
UNKNOWN_SECONDS = 0.02
"""What it takes to make an answer that was never made."""
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
ALL = EVERYTHING | {"dashboards"}
"""What may be otherwise for a page of which nothing is known."""


def group_of(identity: Identity, host: str, address: str) -> str:
    """Return the name of all pages that show the same to the same kind of people."""
    may, sees = identity.may_act, identity.sees_plain
    return f"{identity.role.value} {may:d}{sees:d} {host} {address}"


@dataclass(eq=False)
class _Listener:
    """One open page. `heard`: the change up to which it was told; -1: of none."""

    group: str
    topics: frozenset[str]
    heard: int
    told: set[str] = field(default_factory=set)
    wake: asyncio.Event = field(default_factory=asyncio.Event)


class Broadcast:
    """A sink of events that open pages listen to. Told from any thread.

    Each change has a number. That a subject changed is one entry in a dict, however
    many pages are open and however many files are loaded: who is due to hear of it is
    found out when somebody is told.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._epoch = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._changes = 0
        self._changed: dict[str, int] = {}
        self._needed: dict[str, int] = {}
        self._floor = 0
        self._seconds: dict[str, float] = {}
        self._listeners: set[_Listener] = set()
        self._bustle = Bustle()
        self._pace = Pace(self._bustle)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pacer: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._is_awake = False
        self._closed = False

    # What happened.

    def __call__(self, event: Event) -> None:
        topics = TOPICS.get(type(event))
        if topics:
            self._bustle.note(event, self._clock.monotonic())
            self.tell(topics)

    def tell(self, topics: frozenset[str], *, at_once: bool = False) -> None:
        """Say that something about these is otherwise now.

        `at_once`: no answer that was made before may be given to anybody any more.
        """
        with self._lock:
            self._changes += 1
            self._changed |= dict.fromkeys(topics, self._changes)
            if at_once:
                self._floor = self._changes
            if self._is_awake or not self._listeners:
                return
            self._is_awake = True
        self._in_loop(self._wake.set)

    def close(self) -> None:
        """Let every page go."""
        self._closed = True
        self._in_loop(self._wake_all)

    def _wake_all(self) -> None:
        self._wake.set()
        for listener in self._listeners:
            listener.wake.set()

    def _in_loop(self, call: object) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(call)  # type: ignore[arg-type]
        except RuntimeError:
            return  # the server has ended

    # What answers have to know.

    @property
    def has_listeners(self) -> bool:
        """Is any page open?"""
        return bool(self._listeners)

    @property
    def since(self) -> str:
        """Return where changes are: what is read from now on has all up to here."""
        return f"{self._epoch}-{self._changes}"

    @property
    def changes(self) -> int:
        """Return how many changes there were."""
        return self._changes

    def needed(self, group: str) -> int:
        """Return the change that an answer for a group has to have seen.

        It is the last one that the group was told of: a later one is told, too, and
        then asked for. Of a group that nobody tells it is the newest.
        """
        return max(self._floor, self._needed.get(group, self._changes))

    def took(self, group: str, seconds: float) -> None:
        """Take note of what it took to make an answer for a group that listens."""
        if group in self._needed:
            self._seconds[group] = seconds

    # Who listens.

    async def answer(self, request: Request) -> Response:
        """Answer `/events`: a stream of what changed, until the page goes.

        `page` and `topics` say what is shown, `since` as of when. Without them
        everything is told that happens from now on.
        """
        if len(self._listeners) >= LISTENERS_MAX:
            return refusal(503, f"{LISTENERS_MAX} pages are live already")
        listener = self._listener(request)
        self._loop = asyncio.get_running_loop()
        self._listeners.add(listener)
        if self._pacer is None:
            self._pacer = asyncio.create_task(self._keep_pace())
        with self._lock:
            self._is_awake = True
        self._wake.set()
        return _EventStream(
            self._stream(request, listener), media_type="text/event-stream"
        )

    def _listener(self, request: Request) -> _Listener:
        given = request.query_params
        address = given.get("page", "")[:ADDRESS_MAX]
        host = request.headers.get("host", "")
        topics = frozenset(given.get("topics", "").split()) & ALL
        heard = self._changes
        if "since" in given:
            epoch, _, number = given["since"].partition("-")
            is_known = epoch == self._epoch and number.isascii() and number.isdigit()
            heard = min(int(number[:18]), self._changes) if is_known else -1
        return _Listener(
            group_of(identity_of(request), host, address), topics or ALL, heard
        )

    async def _stream(
        self, request: Request, listener: _Listener
    ) -> AsyncIterator[str]:
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
                listener.wake.clear()
                topics, listener.told = sorted(listener.told), set()
                if topics:
                    yield f"event: changed\ndata: {json.dumps({'topics': topics})}\n\n"
        finally:
            self._leave(listener)

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        if not any(each.group == listener.group for each in self._listeners):
            self._needed.pop(listener.group, None)
            self._seconds.pop(listener.group, None)

    # Who is told.

    async def _keep_pace(self) -> None:
        """Tell whoever is due, until the pages close."""
        while not self._closed:
            if not self._due():
                with self._lock:
                    self._is_awake = any(map(self._topics_due, self._listeners))
                    if not self._is_awake:
                        self._wake.clear()
                await self._wake.wait()
                continue
            await asyncio.sleep(TICK_SECONDS)
            try:
                due, now = self._due(), self._clock.monotonic()
                for group in self._pace.choose(due, self._costs(), now):
                    self._tell_group(group, due[group])
            except Exception:
                log.exception("open pages could not be told of a change")

    def _due(self) -> dict[str, list[_Listener]]:
        """Return who has not heard of something that is theirs, by group."""
        due: dict[str, list[_Listener]] = defaultdict(list)
        for listener in self._listeners:
            if self._topics_due(listener):
                due[listener.group].append(listener)
        return due

    def _costs(self) -> dict[str, float]:
        """Return what it takes to answer each group, going by the last time."""
        counted = Counter(each.group for each in self._listeners)
        return {
            group: self._seconds.get(group, UNKNOWN_SECONDS) + ANSWER_SECONDS * count
            for group, count in counted.items()
        }

    def _topics_due(self, listener: _Listener) -> set[str]:
        heard = listener.heard
        if heard == self._changes:
            return set()
        if heard < 0:
            return set(listener.topics)
        changed = self._changed
        return {each for each in listener.topics if changed.get(each, 0) > heard}

    def _tell_group(self, group: str, listeners: list[_Listener]) -> None:
        with self._lock:
            changes = self._changes
            for listener in listeners:
                listener.told |= self._topics_due(listener)
                listener.heard = changes
        self._needed[group] = changes
        for listener in listeners:
            listener.wake.set()


class _EventStream(StreamingResponse):
    def __init__(self, content: AsyncIterator[str], media_type: str) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type=media_type, headers=headers)
