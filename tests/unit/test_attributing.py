"""What an hour of a warehouse is shared into."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.deploy.harvest.attributing import Hour, credits_per_hour

START = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = ("X-Small", "Small", "2X-Large", "", "Adaptive")


def hour(credits: float, *seconds: float, size: str = "X-Small") -> Hour:
    return Hour("WH", START, credits, size, sum(seconds))


@given(
    credits=st.floats(0, 40),
    size=st.sampled_from(SIZES),
    milliseconds=st.lists(st.integers(0, 9_000_000), max_size=12),
)
def test_what_is_shared_is_what_was_billed(
    credits: float, size: str, milliseconds: list[int]
) -> None:
    seconds = [each / 1000 for each in milliseconds]
    billed = hour(credits, *seconds, size=size)
    shares = [billed.rate * each for each in seconds]
    assert all(share >= 0 for share in shares)
    assert billed.idle >= 0
    if billed.rate or not credits:
        assert sum(shares) + billed.idle == pytest.approx(credits, abs=1e-9)
    else:
        assert billed.idle == credits


def test_a_minute_of_a_minute_that_was_billed_is_all_of_it() -> None:
    billed = hour(1 / 60, 60.0)
    assert billed.rate * 60 == pytest.approx(1 / 60)
    assert billed.idle == pytest.approx(0)


def test_waiting_is_idle_and_sleeping_is_nothing() -> None:
    billed = hour(0.5, 900.0)
    assert billed.rate * 900 == pytest.approx(0.25)
    assert billed.idle == pytest.approx(0.25)


def test_statements_side_by_side_share_what_there_is() -> None:
    billed = hour(1.0, 3600.0, 1200.0)
    assert billed.rate * 3600 == pytest.approx(0.75)
    assert billed.rate * 1200 == pytest.approx(0.25)
    assert billed.idle == pytest.approx(0)


@pytest.mark.parametrize(
    ("size", "credits"),
    [("X-Small", 1), ("XSMALL", 1), ("Medium", 4), ("2X-Large", 32), ("6X-Large", 512)],
)
def test_sizes_are_told_in_either_spelling(size: str, credits: float) -> None:
    assert credits_per_hour(size) == credits
