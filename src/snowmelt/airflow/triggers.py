"""What a triggerer waits for, without a worker: errands and files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from snowmelt.airflow.asking import ENDED, look
from snowmelt.airflow.hooks import SnowmeltHook
from snowmelt.clock import SystemClock
from snowmelt.remote import (
    ServiceError,
    cancel_errand,
    what_arrived,
)

FIRST_LOOK_SECONDS = 0.5


class ErrandTrigger(BaseTrigger):
    """Waits until an errand has ended, or until a deadline in ISO 8601.

    Looks soon at first, then every `poll_interval` seconds. A triggerer that is started
    again goes on: all that it needs to know is the errand's number, and its key.
    """

    def __init__(
        self,
        conn_id: str,
        errand: int,
        poll_interval: float = 5.0,
        deadline: str | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__()
        self.conn_id, self.errand, self.key = conn_id, errand, key
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
                "key": self.key,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the errand as it ended, `timeout`, `lost`, or why nobody can say."""
        rest = FIRST_LOOK_SECONDS
        try:
            remote = await SnowmeltHook(self.conn_id).get_conn_async()
            while True:
                found = await look(remote.ask_async, self.errand, self.key)
                if found is None:
                    yield TriggerEvent({"lost": self.errand})
                    return
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
        if await look(remote.ask_async, self.errand, self.key) is None:
            return
        await remote.ask_async(cancel_errand(self.errand, ENDED))


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


def is_past(deadline: str | None) -> bool:
    """Is it later than an instant in ISO 8601?"""
    return deadline is not None and SystemClock().now() > datetime.fromisoformat(
        deadline
    )
