"""Loads and publications as events of an asset: a triggerer that ends loses none.

A position is written into the asset's state store only when Airflow has confirmed that
all events before it are in its database (shared streams with acknowledgement, Airflow
3.3). Whatever a triggerer that was stopped or killed had told and not stored is told
again by the next one, with the same `id`.

    producer ── hello ──▶ filter: reads the position that is written down
             ── event ──▶ filter: tells Airflow
             ── mark  ──▶ filter: writes down what is confirmed meanwhile
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Hashable, Sequence
from dataclasses import replace
from typing import Any

from airflow.sdk import Asset
from airflow.triggers.base import BaseEventTrigger, TriggerEvent
from airflow.triggers.shared_stream import AdvanceItem, SharedStreamProducer

from snowmelt.airflow.hooks import SnowmeltHook
from snowmelt.airflow.pages import Pages
from snowmelt.remote import Document, what_happened

POSITION = "snowmelt_position"
REST_SECONDS_MAX = 60.0
"""Something is told at least so often: Airflow gives up what rests for 300 s."""
_NAMES = ("conn_id", "asset", "kinds", "pipe", "start", "poll_interval")
_STARTS: dict[Hashable, asyncio.Future[str | None]] = {}
"""Where each stream begins, told by the filter that can read it to its producer."""


class LostError(Exception):
    """Events were told and not stored: they are told again, as far as is known."""


class HappeningsTrigger(BaseEventTrigger):
    """Watches a service for one asset. `start`: at first, `now` or `beginning`."""

    def __init__(
        self,
        conn_id: str,
        asset: str,
        kinds: list[str] | None = None,
        pipe: str | None = None,
        start: str = "now",
        poll_interval: float = 5.0,
    ) -> None:
        super().__init__()
        self.conn_id, self.asset, self.kinds = conn_id, asset, kinds
        self.pipe, self.start, self.poll_interval = pipe, start, poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger elsewhere."""
        return (
            "snowmelt.airflow.happenings.HappeningsTrigger",
            {name: getattr(self, name) for name in _NAMES},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Refuse: without acknowledgement events would be lost."""
        raise RuntimeError("a triggerer of Airflow 3.3 or later is needed")
        yield  # what makes it a generator

    def shared_stream_key(self) -> Hashable:
        """Return what no other asset's trigger has: each goes on from its own place."""
        return _key(self.serialize()[1])

    @classmethod
    def create_shared_stream_producer(
        cls, kwargs: dict[str, Any]
    ) -> SharedStreamProducer:
        """Return what asks the service, and hears what is stored."""
        return HappeningsProducer(kwargs)

    async def filter_shared_stream(
        self, shared_stream: AsyncIterator[Any]
    ) -> AsyncIterator[TriggerEvent]:
        """Tell Airflow of each happening, and write down what it has stored."""
        store = self._store()
        written = await store.aget(POSITION)
        async for raw in shared_stream:
            if "hello" in raw:
                begins = _STARTS.get(self.shared_stream_key())
                if begins is not None and not begins.done():
                    begins.set_result(str(written) if written else None)
            elif "happening" in raw:
                yield TriggerEvent(raw["happening"])
            elif raw["mark"] not in (None, written):
                written = raw["mark"]
                await store.aset(POSITION, written)

    def _store(self) -> Any:
        """Return what Airflow keeps of the asset."""
        if self.asset_state_store is None:
            raise RuntimeError(f"no asset '{self.asset}' is watched by this trigger")
        return self.asset_state_store[Asset(name=self.asset)]


class HappeningsProducer(SharedStreamProducer):
    """Asks a service what happened after a position, for ever."""

    def __init__(self, kwargs: dict[str, Any]) -> None:
        self._kwargs = kwargs
        rest = min(kwargs["poll_interval"], REST_SECONDS_MAX)
        self._pages = Pages(self._page_after, rest)

    async def open_stream(self) -> AsyncIterator[tuple[Any, Any]]:
        """Yield happenings with the position after each, and marks in between."""
        key, conn_id = _key(self._kwargs), self._kwargs["conn_id"]
        begins = _STARTS[key] = asyncio.get_running_loop().create_future()
        yield {"hello": True}, None
        position = await begins
        remote = await SnowmeltHook(conn_id).get_conn_async()
        patience = min(remote.patience, REST_SECONDS_MAX)
        self._remote = replace(remote, patience=patience)
        async for told in self._pages.told(position):
            yield told

    async def _page_after(self, position: str | None) -> Document:
        after = position or ("now" if self._kwargs["start"] == "now" else None)
        question = what_happened(after, self._kwargs["kinds"], self._kwargs["pipe"])
        return await self._remote.ask_async(question)

    async def advance(self, batch: Sequence[AdvanceItem]) -> None:
        """Note up to where Airflow has stored what it was told."""
        for position, outcome in batch:
            if not outcome.is_clean:
                raise LostError(f"told before {position}, and not stored")
            self._pages.confirm(position)


def _key(kwargs: dict[str, Any]) -> Hashable:
    kinds = tuple(kwargs["kinds"] or ())
    return ("snowmelt", *(kwargs[name] for name in _NAMES if name != "kinds"), kinds)
