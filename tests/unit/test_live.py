"""Open pages hear of what happens: at once, then at a pace, and are let go."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import StreamingResponse

from snowmelt.events import FileSettled, NodeFinished
from snowmelt.serve import live
from snowmelt.serve.live import Broadcast

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
SETTLED = FileSettled("orders", "a.csv", "Loaded", 1, 0, None, 1, 9, 1, NOON, NOON)


async def listening(broadcast: Broadcast) -> Any:
    answer = await broadcast.answer(Request({"type": "http", "headers": []}))
    assert isinstance(answer, StreamingResponse)
    stream = answer.body_iterator.__aiter__()
    assert "ready" in str(await stream.__anext__())
    return stream


async def heard(stream: Any) -> list[str]:
    text = str(await asyncio.wait_for(stream.__anext__(), 5))
    topics: list[str] = json.loads(text.partition("data: ")[2])["topics"]
    return topics


def test_a_page_hears_at_once_and_then_at_a_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "REST_SECONDS", 0.4)

    async def story() -> None:
        broadcast = Broadcast()
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
        assert loop.time() - began >= 0.4
        broadcast.close()
        with pytest.raises(StopAsyncIteration):
            while True:
                await asyncio.wait_for(stream.__anext__(), 5)

    asyncio.run(story())


def test_only_so_many_pages_are_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LISTENERS_MAX", 1)

    async def story() -> None:
        broadcast = Broadcast()
        stream = await listening(broadcast)
        request = Request({"type": "http", "headers": []})
        assert (await broadcast.answer(request)).status_code == 503
        await stream.aclose()
        await listening(broadcast)
        broadcast.close()

    asyncio.run(story())
