"""Values as the connector and SHOW tell them, read into ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from snowmelt.deploy.harvest.reading import flag, moment, number, seconds, text, whole

AT = datetime(2026, 6, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "told",
    [
        AT,
        AT.replace(tzinfo=None),
        AT.astimezone(timezone(timedelta(hours=-7))),
        "2026-06-01T12:30:00Z",
        "2026-06-01T12:30:00.000Z",
        "2026-06-01 05:30:00.000 -0700",
        "2026-06-01 12:30:00+00:00",
    ],
)
def test_a_time_is_the_same_in_every_spelling(told: Any) -> None:
    assert moment(told) == AT


@pytest.mark.parametrize("told", [None, ""])
def test_nothing_is_nothing(told: Any) -> None:
    assert moment(told) is None
    assert whole(told) is None
    assert number(told) is None
    assert text(told) is None
    assert seconds(told) == 0


@pytest.mark.parametrize("told", [3, "3", "3.00", Decimal(3), Decimal("3.0"), 3.0])
def test_whole_numbers_come_in_several_types(told: Any) -> None:
    assert whole(told) == 3
    assert number(told) == 3.0


@pytest.mark.parametrize(
    ("told", "is_so"),
    [
        *((True, True), ("true", True), ("Y", True), ("false", False)),
        *(("N", False), (False, False), (None, False), ("", False)),
    ],
)
def test_booleans_come_as_texts(told: Any, is_so: bool) -> None:
    assert flag(told) is is_so
