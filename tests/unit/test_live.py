"""Open pages hear of what happens: soon, what they missed too, and are let go."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from snowmelt.clock import SystemClock
from snowmelt.events import CopyFinished, CopyStarted, FileSettled, NodeFinished
from snowmelt.serve import live, pacing
from snowmelt.serve.live import Broadcast, group_of
from snowmelt.serve.sessions import Identity
from snowmelt.serve.users import Role

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SETTLED = FileSettled("orders", "a.csv", "Loaded", 1, 0, None, 1, 9, 1, NOON, NOON)
STARTED = CopyStarted("orders", 1, 1, 0, 0, NOON)
FINISHED = CopyFinished("orders", 1, "a.csv", NOON, NOON, None)

VERA = Identity("vera", Role.VIEWER, "session", "csrf-of-vera")


@pytest.fixture
def broadcast() -> Broadcast:
    return Broadcast(SystemClock())


def asking(role: Role = Role.VIEWER, **given: str) -> Request:
    scope = {
        "type": "http",
        "headers": [(b"host", b"here")],
        "query_string": urlencode(given).encode(),
        "identity": Identity("ana", role, "session"),
    }
    return Request(scope)


async def listening(broadcast: Broadcast, **given: Any) -> Any:
    answer = await broadcast.answer(asking(**given))
    assert isinstance(answer, StreamingResponse)
    stream = answer.body_iterator.__aiter__()
    assert "ready" in str(await stream.__anext__())
    return stream


async def heard(stream: Any, within: float = 5.0) -> list[str]:
    text = str(await asyncio.wait_for(stream.__anext__(), within))
    topics: list[str] = json.loads(text.partition("data: ")[2])["topics"]
    return topics


def test_a_page_hears_at_once_and_then_at_a_pace(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "REST_SECONDS", 0.5)

    async def story() -> None:
        stream = await listening(broadcast)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(1000):
            broadcast(SETTLED)
        broadcast(NodeFinished("r", "m", "ok", 1, 2))
        assert await heard(stream) == ["files", "rejects"]
        assert loop.time() - began < 0.4
        for _ in range(1000):
            broadcast(SETTLED)
        broadcast.tell(frozenset({"runs"}))
        assert await heard(stream) == ["files", "rejects", "runs"]
        assert loop.time() - began >= 0.5
        broadcast.close()
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(stream.__anext__(), 5)

    asyncio.run(story())


def test_a_page_hears_of_what_it_shows_and_of_nothing_else(
    broadcast: Broadcast,
) -> None:
    async def story() -> None:
        runs = await listening(broadcast, page="/runs", topics="runs gold")
        files = await listening(broadcast, page="/files", topics="files")
        broadcast(SETTLED)
        assert await heard(files) == ["files"]
        with pytest.raises(TimeoutError):
            await heard(runs, 0.3)
        broadcast.close()

    asyncio.run(story())


def test_a_page_hears_of_what_it_missed_and_a_new_one_of_nothing_old(
    broadcast: Broadcast,
) -> None:
    async def story() -> None:
        broadcast(SETTLED)
        shown = broadcast.since
        broadcast.tell(frozenset({"runs"}))
        late = await listening(broadcast, page="/late", since=shown)
        assert await heard(late) == ["runs"]
        again = await listening(broadcast, page="/again", since=broadcast.since)
        with pytest.raises(TimeoutError):
            await heard(again, 0.3)
        epoch = broadcast.since.partition("-")[0]
        for of_nothing_known in ("0-1", "", "1", f"{shown}x", f"{epoch}--1", "é-²"):
            given = {"page": of_nothing_known, "since": of_nothing_known}
            stream = await listening(broadcast, topics="gold runs", **given)
            assert await heard(stream) == ["gold", "runs"]
        broadcast.close()

    asyncio.run(story())


def test_while_files_are_loaded_few_are_told_and_after_it_all(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr(pacing, "SHARE_MAX", 0.001)

    async def story() -> None:
        pages = [await listening(broadcast, page=f"/{number}") for number in range(9)]
        broadcast(STARTED)
        broadcast(SETTLED)
        waiting = [asyncio.create_task(heard(each)) for each in pages]
        await asyncio.sleep(0.4)
        assert sum(each.done() for each in waiting) == 1
        broadcast(FINISHED)
        assert all("files" in each for each in await asyncio.gather(*waiting))
        broadcast.close()

    asyncio.run(story())


def test_an_answer_has_to_have_seen_what_its_pages_were_told(
    broadcast: Broadcast,
) -> None:
    group = group_of(VERA, "here", "/files")

    async def story() -> None:
        broadcast(SETTLED)
        assert broadcast.needed(group) == 1  # nobody listens: all that there is
        stream = await listening(broadcast, page="/files")
        broadcast(SETTLED)
        await heard(stream)
        broadcast(SETTLED)
        assert (broadcast.needed(group), broadcast.changes) == (2, 3)
        broadcast.tell(frozenset({"pipes"}), at_once=True)
        assert broadcast.needed(group) == 4
        await stream.aclose()
        broadcast(SETTLED)
        assert broadcast.needed(group) == 5
        broadcast.close()

    asyncio.run(story())


def test_a_page_that_goes_while_it_is_due_keeps_nobody_from_hearing(
    broadcast: Broadcast, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        goes = await listening(broadcast, page="/goes")
        stays = await listening(broadcast, page="/stays")
        await asyncio.sleep(0.01)
        broadcast.tell(frozenset({"runs"}))
        await asyncio.sleep(0.01)
        await goes.aclose()
        assert await heard(stays) == ["runs"]
        broadcast.close()

    asyncio.run(story())
    assert not caplog.records


def test_only_so_many_pages_are_live(
    broadcast: Broadcast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LISTENERS_MAX", 1)

    async def story() -> None:
        stream = await listening(broadcast)
        assert (await broadcast.answer(asking())).status_code == 503
        await stream.aclose()
        await listening(broadcast)
        broadcast.close()

    asyncio.run(story())
