"""Happenings are told to Airflow no faster than it stores them, and none is lost."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.airflow.pages import Pages
from snowmelt.remote import AwayError

PAGE = 7
MOMENT = 0.0005


class Service:
    """What happened, by number; it is away at some of the questions."""

    def __init__(self, count: int, away: set[int]) -> None:
        self.count, self.away, self.asked = count, away, 0

    async def after(self, position: str | None) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.asked in self.away:
            raise AwayError(0, "here", "the service does not answer")
        begin = int(position or 0)
        end = min(begin + PAGE, self.count)
        told = [{"id": n, "position": str(n)} for n in range(begin + 1, end + 1)]
        return {"happenings": told, "next": str(end), "more": end < self.count}


async def listen(
    service: Service, begin: int, stored_at_once: list[int]
) -> tuple[list[int], list[int]]:
    """Do as Airflow: take whatever is told, store some of it at a time, and say so.

    Returns what was told, and how much of it was under way at each time.
    """
    pages = Pages(service.after, MOMENT, MOMENT)
    told: list[int] = []
    under_way: list[str | None] = []
    counts: list[int] = []
    stored, mark = begin, begin

    async def store() -> None:
        nonlocal stored
        for number in range(10**6):
            await asyncio.sleep(0)
            taken = stored_at_once[number % len(stored_at_once)]
            for position in under_way[:taken]:
                stored = max(stored, int(position or 0))
                pages.confirm(position)
            del under_way[:taken]

    storing = asyncio.create_task(store())
    try:
        async for raw, position in pages.told(str(begin) if begin else None):
            under_way.append(position)
            if "happening" in raw:
                told.append(raw["happening"]["id"])
                counts.append(told[-1] - stored)
            elif raw["mark"] is not None:
                assert mark <= int(raw["mark"]) <= stored, (
                    "what is not stored is marked"
                )
                mark = int(raw["mark"])
                if mark == service.count:
                    return told, counts
    finally:
        storing.cancel()
    raise AssertionError("it ended by itself")


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 60),
    begin=st.integers(0, 60),
    away=st.sets(st.integers(1, 12), max_size=6),
    stored_at_once=st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any),
)
def test_all_is_told_in_order_and_no_more_than_a_page_is_under_way(
    count: int, begin: int, away: set[int], stored_at_once: list[int]
) -> None:
    begin = min(begin, count)
    service = Service(count, away)
    told, under_way = asyncio.run(
        asyncio.wait_for(listen(service, begin, stored_at_once), 20)
    )
    assert told == list(range(begin + 1, count + 1))
    assert max(under_way, default=0) <= PAGE


def test_while_nothing_is_stored_nothing_more_is_asked_for() -> None:
    service = Service(100 * PAGE, set())

    async def hear() -> tuple[int, int]:
        told = marks = 0
        async for raw, _ in Pages(service.after, MOMENT, MOMENT).told(None):
            told += "happening" in raw
            marks += "mark" in raw
            if marks == 20:  # it goes on telling that it is there
                break
        return told, service.asked

    assert asyncio.run(asyncio.wait_for(hear(), 20)) == (PAGE, 1)
