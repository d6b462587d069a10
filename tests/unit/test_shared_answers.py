"""What open pages share: one answer for all who ask the same, and nobody's secrets."""

from __future__ import annotations

import asyncio
import gzip
import random
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from snowmelt.clock import Clock, SystemClock
from snowmelt.events import (
    CopyFinished,
    CopyStarted,
    Event,
    FileSettled,
    FilesFound,
    RunFinished,
    RunStarted,
)
from snowmelt.serve import live, pacing
from snowmelt.serve.guard import WHO
from snowmelt.serve.live import TOPICS, Broadcast
from snowmelt.serve.pages.shared import KEPT_MAX, KEPT_SECONDS, SharedAnswers
from snowmelt.serve.sessions import Identity
from snowmelt.serve.users import Role

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FILES = frozenset({"files"})
FINISHED = CopyFinished("orders", 1, "a.csv", NOON, NOON, None)
EVENTS: tuple[Event, ...] = (
    FilesFound(1, "listing", NOON),
    CopyStarted("orders", 1, 1, 0, 0, NOON),
    FINISHED,
    FileSettled("orders", "a.csv", "Loaded", 1, 0, None, 1, 9, 1, NOON, NOON),
    RunStarted.__new__(RunStarted),
    RunFinished.__new__(RunFinished),
)
PEOPLE = {"ana": Role.OPERATOR, "eve": Role.VIEWER, "bob": Role.VIEWER}


class Hands:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return self.at

    def wait(self, wake: threading.Event, seconds: float) -> bool:
        raise AssertionError(seconds, wake)


@dataclass
class World:
    """Pages that say who they were made for, with what, and how often."""

    hands: Hands = field(default_factory=Hands)
    clock: Clock | None = None
    made: int = 0
    status: int = 200
    fails: bool = False
    takes: float = 0.0

    def __post_init__(self) -> None:
        clock = self.clock or self.hands
        self.broadcast = Broadcast(clock)
        self.shared = SharedAnswers(clock, self.broadcast)
        self.answer = self.shared.of(self._page)

    async def _page(self, request: Request) -> Response:
        self.made += 1
        seen = self.broadcast.changes
        identity, who = request.scope["identity"], WHO.get()
        await asyncio.sleep(self.takes)
        if self.fails:
            raise ValueError("the warehouse is busy")
        told = [request.url.path, str(seen), identity.role.value, identity.name]
        told += [identity.csrf, who.role.value if who else "", who.name if who else ""]
        told += [f"{name}={value}" for name, value in request.headers.items()]
        return HTMLResponse("\n".join(told), self.status)

    def request(
        self, name: str, path: str, headers: dict[str, str], query: str = ""
    ) -> Request:
        identity = Identity(name, PEOPLE[name], "session", f"csrf-of-{name}")
        WHO.set(identity)
        given = {"host": "here", "cookie": f"cookie-of-{name}", **headers}
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(n.encode(), v.encode()) for n, v in given.items()],
            "identity": identity,
        }
        return Request(scope)

    async def ask(
        self, name: str, path: str = "/files", *, live: bool = True, **headers: str
    ) -> Response:
        given = {each.replace("_", "-"): value for each, value in headers.items()}
        if live:
            given["x-live"] = "1"
        return await self.answer(self.request(name, path, given))


@dataclass
class Listening:
    """An open page: it asks when it is told, and knows what it has seen."""

    world: World
    name: str
    path: str
    topic: str
    seen: int = -1
    asked: int = 0

    async def listen(self) -> None:
        """Do as a page does, until it is let go."""
        given = {"page": self.path, "topics": self.topic}
        request = self.world.request(self.name, "/events", {}, urlencode(given))
        answer = await self.world.broadcast.answer(request)
        assert isinstance(answer, StreamingResponse)
        async for told in answer.body_iterator:
            if "changed" in str(told):
                found = lines(await self.world.ask(self.name, self.path))
                assert found[2] == PEOPLE[self.name].value
                self.seen = max(self.seen, int(found[1]))
                self.asked += 1


def lines(answer: Response) -> list[str]:
    return text(answer).split("\n")


def text(answer: Response) -> str:
    body = bytes(answer.body)
    if answer.headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return body.decode()


def run(story: Any) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def test_fifty_who_ask_at_once_have_one_answer() -> None:
    world = World(takes=0.01)

    async def story() -> None:
        asked = [world.ask(["eve", "bob"][number % 2]) for number in range(50)]
        found = await asyncio.gather(*asked)
        assert len({text(each) for each in found}) == 1
        assert world.made == 1

    run(story)


def test_who_navigates_has_an_answer_of_their_own() -> None:
    world = World()

    async def story() -> None:
        found = lines(await world.ask("ana", live=False))
        assert found[2:7] == ["operator", "ana", "csrf-of-ana", "operator", "ana"]
        assert "cookie=cookie-of-ana" in found

    run(story)


def test_who_has_it_is_told_so_and_who_takes_no_gzip_gets_none() -> None:
    world = World()

    async def story() -> None:
        plain = await world.ask("eve")
        packed = await world.ask("bob", accept_encoding="gzip, br")
        assert "content-encoding" not in plain.headers
        assert packed.headers["content-encoding"] == "gzip"
        assert text(packed) == text(plain)
        tag = plain.headers["etag"]
        again = await world.ask("eve", if_none_match=tag)
        assert (again.status_code, bytes(again.body)) == (304, b"")
        assert again.headers["x-since"] == world.broadcast.since
        world.broadcast.tell(FILES)
        assert (await world.ask("eve", if_none_match=tag)).status_code == 200

    run(story)


def test_what_went_wrong_is_not_shared() -> None:
    world = World(status=422)

    async def story() -> None:
        found = await world.ask("eve")
        assert found.status_code == 422
        assert lines(found)[3] == "eve"
        world.status = 200
        assert (await world.ask("bob")).status_code == 200
        world.broadcast.tell(FILES)
        world.fails = True
        for _ in range(2):
            with pytest.raises(ValueError, match="the warehouse is busy"):
                await world.ask("bob")
        world.fails = False
        assert (await world.ask("bob")).status_code == 200

    run(story)


def test_an_answer_gets_old_and_few_are_kept() -> None:
    world = World()

    async def story() -> None:
        await world.ask("eve")
        world.hands.at = KEPT_SECONDS - 1
        await world.ask("eve")
        assert world.made == 1
        world.hands.at = KEPT_SECONDS
        await world.ask("eve")
        assert world.made == 2
        for number in range(KEPT_MAX):
            await world.ask("eve", f"/files/{number}")
        await world.ask("eve", "/files/9")
        assert world.made == 2 + KEPT_MAX
        await world.ask("eve")
        assert world.made == 3 + KEPT_MAX

    run(story)


STEPS = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(sorted(PEOPLE)), st.sampled_from("ab")),
    st.tuples(st.just("change"), st.booleans()),
    st.tuples(st.just("pass"), st.floats(0.0, KEPT_SECONDS)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=40))
def test_roles_and_persons_are_never_mixed_and_nothing_is_stale(
    steps: list[tuple[Any, ...]],
) -> None:
    world = World()

    async def story() -> None:
        asked = []
        for kind, *words in steps:
            if kind == "change":
                world.broadcast.tell(FILES, at_once=words[0])
            elif kind == "pass":
                world.hands.at += words[0]
            else:
                name, page = words
                needed = world.broadcast.changes
                task = asyncio.create_task(world.ask(name, f"/{page}"))
                asked.append((name, page, needed, task))
                await asyncio.sleep(0)
        for name, page, needed, task in asked:
            path, seen, *who = lines(await task)
            role = PEOPLE[name].value
            assert path == f"/{page}"
            assert int(seen) >= needed
            assert who == [role, "", "", role, "", "host=here"]

    run(story)


@pytest.mark.parametrize("seed", range(3))
def test_all_who_listen_see_how_it_ended_whenever_it_did(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events come from a thread, in bursts and alone; nobody is told in between."""
    monkeypatch.setattr(live, "TICK_SECONDS", 0.001)
    monkeypatch.setattr(pacing, "REST_SECONDS", 0.02)
    monkeypatch.setattr(pacing, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(pacing, "LULL_SECONDS", 0.004)
    chance = random.Random(seed)
    world = World(clock=SystemClock(), takes=0.002)
    last: dict[str, int] = {}

    def tell(event: Event) -> None:
        world.broadcast(event)
        last.update(dict.fromkeys(TOPICS[type(event)], world.broadcast.changes))

    def happen() -> None:
        wait = threading.Event().wait
        for _ in range(40):
            for _ in range(chance.choice((1, 1, 30))):
                tell(chance.choice(EVENTS))
            wait(chance.choice((0.0, 0.002, 0.03)))
        tell(FINISHED)

    async def story() -> None:
        listeners = [
            Listening(world, name, f"/{page}", topic)
            for name in PEOPLE
            for page, topic in enumerate(("files", "pending", "runs", "gold"))
            for _ in range(4)
        ]
        tasks = [asyncio.create_task(each.listen()) for each in listeners]
        await asyncio.sleep(0.02)
        await asyncio.to_thread(happen)
        for _ in range(1000):
            late = [each for each in listeners if each.seen < last[each.topic]]
            if not late:
                break
            await asyncio.sleep(0.01)
        assert not late
        world.broadcast.close()
        await asyncio.gather(*tasks)
        assert world.made < sum(each.asked for each in listeners) / 3

    run(story)
