"""What a triggerer waits for, without a worker: errands, files, and what happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.sdk import Asset
from airflow.triggers.base import BaseEventTrigger, BaseTrigger, TriggerEvent

from snowmelt.airflow.hooks import SnowmeltHook
from snowmelt.clock import SystemClock
from snowmelt.remote import (
    Remote,
    ServiceError,
    cancel_errand,
    find_errand,
    what_arrived,
    what_happened,
)

FIRST_LOOK_SECONDS = 0.5
REST_SECONDS = 2.0
"""So long a position is not written down after its events were told: until then the
triggerer has stored them, or dies and tells them again."""
POSITION = "snowmelt_position"


class ErrandTrigger(BaseTrigger):
    """Waits until an errand has ended, or until a deadline in ISO 8601.

    Looks soon at first, then every `poll_interval` seconds. A triggerer that is started
    again goes on: all that it needs to know is the errand's number.
    """

    def __init__(
        self,
        conn_id: str,
        errand: int,
        poll_interval: float = 5.0,
        deadline: str | None = None,
    ) -> None:
        super().__init__()
        self.conn_id, self.errand = conn_id, errand
        self.poll_interval, self.deadline = poll_interval, deadline

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger elsewhere."""
        return (
            "snowmelt.airflow.triggers.ErrandTrigger",
            {
                "conn_id": self.conn_id,
                "errand": self.errand,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the errand as it ended, `timeout`, or why nobody can say."""
        rest = FIRST_LOOK_SECONDS
        try:
            remote = await SnowmeltHook(self.conn_id).get_conn_async()
            while True:
                found = (await remote.ask_async(find_errand(self.errand)))["errand"]
                if found["has_ended"]:
                    yield TriggerEvent({"errand": found})
                    return
                if is_past(self.deadline):
                    yield TriggerEvent({"timeout": True, "errand": found})
                    return
                await asyncio.sleep(rest)
                rest = min(rest * 2, self.poll_interval)
        except (ServiceError, ValueError) as error:
            yield TriggerEvent({"problem": str(error)})

    async def on_kill(self) -> None:
        """Cancel the errand: a person has ended the task that waits for it."""
        remote = await SnowmeltHook(self.conn_id).get_conn_async()
        await remote.ask_async(cancel_errand(self.errand, "its Airflow task was ended"))


class FilesTrigger(BaseTrigger):
    """Waits until so many files of a pipe are loaded, or one of them has failed."""

    def __init__(
        self,
        conn_id: str,
        pipe: str,
        name: str | None = None,
        since: str | None = None,
        files_min: int = 1,
        fail_on_failed: bool = True,
        poll_interval: float = 5.0,
    ) -> None:
        super().__init__()
        self.conn_id, self.pipe, self.name, self.since = conn_id, pipe, name, since
        self.files_min, self.fail_on_failed = files_min, fail_on_failed
        self.poll_interval = poll_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what makes the same trigger elsewhere."""
        names = (
            *("conn_id", "pipe", "name", "since", "files_min", "fail_on_failed"),
            "poll_interval",
        )
        return (
            "snowmelt.airflow.triggers.FilesTrigger",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield what arrived, or why nobody can say."""
        question = what_arrived(self.pipe, self.name, self.since)
        try:
            remote = await SnowmeltHook(self.conn_id).get_conn_async()
            while True:
                arrived = await remote.ask_async(question)
                failed = arrived["failed"] and self.fail_on_failed
                if failed or arrived["loaded"] >= self.files_min:
                    yield TriggerEvent({"arrived": arrived})
                    return
                await asyncio.sleep(self.poll_interval)
        except (ServiceError, ValueError) as error:
            yield TriggerEvent({"problem": str(error)})


class HappeningsTrigger(BaseEventTrigger):
    """Tells of every load and publication, for watchers of an asset.

    Where it is stands in the state store of the asset (Airflow 3.3), a moment after
    the triggerer has stored what it was told. So nothing is lost by a triggerer that
    dies; what it had stored in that moment is told again, with the same `id`.
    """

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
        names = ("conn_id", "asset", "kinds", "pipe", "start", "poll_interval")
        return (
            "snowmelt.airflow.triggers.HappeningsTrigger",
            {name: getattr(self, name) for name in names},
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield each happening after the position that is written down, for ever."""
        remote = await SnowmeltHook(self.conn_id).get_conn_async()
        position = await self._begin(remote)
        while True:
            question = what_happened(position, self.kinds, self.pipe)
            try:
                page = await remote.ask_async(question)
            except ServiceError as error:
                if error.status in (401, 403, 422):
                    raise
                self.log.warning("Snowmelt cannot be asked: %s", error)
                await asyncio.sleep(self.poll_interval)
                continue
            for each in page["happenings"]:
                yield TriggerEvent(each)
            if page["next"] != position:
                position = page["next"]
                if page["happenings"]:
                    await asyncio.sleep(REST_SECONDS)
                await self._write_down(position)
            if not page["more"]:
                await asyncio.sleep(self.poll_interval)

    async def _begin(self, remote: Remote) -> str | None:
        """Return the position to go on from; at the very first time, where to begin."""
        store = self._store()
        if store is None:
            self.log.warning(
                "Airflow keeps no state of assets: after a restart of the triggerer "
                "events begin anew from %r",
                self.start,
            )
        else:
            known = await store.aget(POSITION)
            if known:
                return str(known)
        if self.start != "now":
            return None
        position = str((await remote.ask_async(what_happened("now")))["next"])
        await self._write_down(position)
        return position

    async def _write_down(self, position: str) -> None:
        store = self._store()
        if store is not None:
            await store.aset(POSITION, position)

    def _store(self) -> Any:
        """Return where Airflow keeps what is known of the asset; None before 3.3."""
        stores = getattr(self, "asset_state_store", None)
        return None if stores is None else stores[Asset(name=self.asset)]


def is_past(deadline: str | None) -> bool:
    """Is it later than an instant in ISO 8601?"""
    return deadline is not None and SystemClock().now() > datetime.fromisoformat(
        deadline
    )
