"""Happenings page by page: the next is asked for when all before it is stored.

Airflow takes whatever it is told and has no way to say that it is too much: what it has
not stored within 300 s fails the stream, which begins again where it began before. So
no more than one page is under way, however much has happened meanwhile.

Airflow is not imported here: its half is `happenings`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from snowmelt.remote import AwayError, Document

CONFIRM_SECONDS = 1.0
"""So soon the next mark follows, while Airflow has not confirmed what it was told."""
Told = tuple[dict[str, Any], str | None]


class Pages:
    """What happened after a position, for ever.

    `ask` gives the page after a position. `rest`: seconds from a page that was the last
    to the question whether there is more.
    """

    def __init__(
        self,
        ask: Callable[[str | None], Awaitable[Document]],
        rest: float,
        confirm_seconds: float = CONFIRM_SECONDS,
    ) -> None:
        self._ask, self._rest, self._confirm_seconds = ask, rest, confirm_seconds
        self._confirmed: str | None = None
        self._heard = asyncio.Event()

    def confirm(self, position: str | None) -> None:
        """Note up to where all is stored."""
        self._confirmed = position or self._confirmed
        self._heard.set()

    async def told(self, position: str | None) -> AsyncIterator[Told]:
        """Yield happenings with the position after each, and marks in between.

        A mark is the position up to which all is stored.
        """
        while True:
            try:
                page = await self._ask(position)
            except AwayError:  # for however long: what it does meanwhile waits for us
                yield {"mark": self._confirmed}, None
                await asyncio.sleep(self._rest)
                continue
            for each in page["happenings"]:
                yield {"happening": each}, each["position"]
            position = str(page["next"])
            yield {"mark": self._confirmed}, position
            while self._confirmed != position:
                await self._hear()
                yield {"mark": self._confirmed}, position
            if not page["more"]:
                await asyncio.sleep(self._rest)

    async def _hear(self) -> None:
        """Wait until more is stored, or for a moment."""
        self._heard.clear()
        try:
            await asyncio.wait_for(self._heard.wait(), self._confirm_seconds)
        except TimeoutError:
            return
