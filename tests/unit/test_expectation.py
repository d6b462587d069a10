"""When a file is due, and what it means that it is not there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.pipe.expectation import Expectation, Freshness, Watch, read_expectation

HOURLY = read_expectation("every 1h")
DAILY = read_expectation("by 06:00 Europe/Paris")
"""05:00 UTC in winter, 04:00 UTC in summer."""


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (0.5, Freshness.FRESH),
        (1.0, Freshness.FRESH),
        (1.5, Freshness.LATE),
        (2.5, Freshness.MISSING),
    ],
)
def test_every_hour_means_within_an_hour(hours: float, expected: Freshness) -> None:
    watch = Watch(at(1, 0)).arrived(HOURLY, at(2, 12))
    now = at(2, 12) + timedelta(hours=hours)
    assert watch.freshness(HOURLY, now) is expected


def test_a_file_in_time_stands_for_the_next_time_however_many_come() -> None:
    watch = Watch(at(2, 5))
    for minute in (0, 10, 59):
        watch = watch.arrived(DAILY, at(2, 4, minute))
    assert watch.due == at(3, 5)


def test_a_late_file_stands_for_the_time_that_was_missed() -> None:
    watch = Watch(at(2, 5))
    assert watch.freshness(DAILY, at(2, 5, 30)) is Freshness.LATE
    assert watch.freshness(DAILY, at(2, 7)) is Freshness.MISSING
    late = watch.arrived(DAILY, at(2, 7))
    assert late.due == at(3, 5)
    assert late.arrived(DAILY, at(2, 7, 20)).due == at(3, 5)
    assert late.arrived(DAILY, at(3, 4)).due == at(4, 5)


def test_a_day_has_the_local_time_also_when_clocks_change() -> None:
    assert DAILY.due_after(at(24, 12, month=10)) == at(25, 5, month=10)
    assert DAILY.due_after(at(23, 12, month=10)) == at(24, 4, month=10)


def test_days_without_a_file_are_left_out() -> None:
    weekdays = read_expectation("by 06:00 Europe/Paris mon-fri")
    friday_noon = at(20, 12)
    assert weekdays.due_after(friday_noon) == at(23, 5)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hourly", "write every 1h"),
        ("every hour", "a number and a unit"),
        ("every 0s", "more than no time"),
        ("by 25:00 UTC", "no time of a day"),
        ("by 06:00 Mars/Olympus", "no time zone 'Mars/Olympus'"),
        ("by 06:00 UTC someday", "no time of a day"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read_expectation(text)


@given(
    st.lists(st.integers(0, 60 * 24 * 20), max_size=30).map(sorted),
    st.sampled_from([HOURLY, DAILY, read_expectation("by 02:30 America/New_York")]),
)
def test_no_arrival_makes_a_pipe_less_fresh(
    minutes: list[int], expected: Expectation
) -> None:
    start = at(20, 0, month=10)
    watch = Watch(expected.due_after(start))
    for minute in minutes:
        now = start + timedelta(minutes=minute)
        after = watch.arrived(expected, now)
        assert after.due >= watch.due or after.due > now
        assert after.freshness(expected, now) is Freshness.FRESH
        watch = after
