"""The desk in this process: what it takes and refuses, and what it reads back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from small_project import OpenSmall, Warm, open_small
from snowmelt.errors import UnreachableError
from snowmelt.service.errands.desk import Desk


def wish(what: str = "run", **more: Any) -> dict[str, Any]:
    return {"what": what, "asked": {}, "key": None, "cause": None} | more


@pytest.fixture(scope="module")
def small(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSmall]:
    root = tmp_path_factory.mktemp("desk") / "shop"
    with open_small(warm.copy(root)) as commands:
        yield commands


@pytest.mark.parametrize("told_by", ["the loop", "the desk"])
def test_a_service_that_stops_takes_nothing_new_and_puts_none_on_record(
    small: OpenSmall, monkeypatch: pytest.MonkeyPatch, told_by: str
) -> None:
    desk = Desk(small.loop)
    if told_by == "the loop":
        monkeypatch.setattr(small.loop, "stopping", True)
    else:
        desk.stop()
    with pytest.raises(UnreachableError, match="it is stopping"):
        desk.ask(wish(key=f"while it stops, says {told_by}"), "somebody")
    assert desk.listed([], None, None, 9)["errands"] == []
    desk.stop()
