"""Periods that a person chooses, and the period that each is compared with."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.project.periods import Period, read_period

NEWEST = date(2018, 10, 17)
CASES = [
    ("last_7_days", "2018-10-11", "2018-10-17", "2018-10-04", "2018-10-10"),
    ("last_1_day", "2018-10-17", "2018-10-17", "2018-10-16", "2018-10-16"),
    ("last_2_weeks", "2018-10-04", "2018-10-17", "2018-09-20", "2018-10-03"),
    ("last_12_months", "2017-11-01", "2018-10-17", "2016-11-01", "2017-10-17"),
    ("last_1_month", "2018-10-01", "2018-10-17", "2018-09-01", "2018-09-17"),
    ("this_month", "2018-10-01", "2018-10-17", "2018-09-01", "2018-09-17"),
    ("this_quarter", "2018-10-01", "2018-10-17", "2018-07-01", "2018-07-17"),
    ("last_2_quarters", "2018-07-01", "2018-10-17", "2018-01-01", "2018-04-17"),
    ("this_year", "2018-01-01", "2018-10-17", "2017-01-01", "2017-10-17"),
    ("last_3_years", "2016-01-01", "2018-10-17", "2013-01-01", "2015-10-17"),
    ("2024-02-01..2024-02-29", "2024-02-01", "2024-02-29", "2024-01-01", "2024-01-31"),
    ("2024-03-01..2024-03-31", "2024-03-01", "2024-03-31", "2024-02-01", "2024-02-29"),
    ("2024-03-05..2024-03-06", "2024-03-05", "2024-03-06", "2024-03-03", "2024-03-04"),
]


@pytest.mark.parametrize(("text", "start", "end", "earlier", "before"), CASES)
def test_a_period_and_the_one_before_it(
    text: str, start: str, end: str, earlier: str, before: str
) -> None:
    found = read_period(text, NEWEST)
    assert (str(found.start), str(found.end)) == (start, end)
    compared = found.before()
    assert compared is not None
    assert (str(compared.start), str(compared.end)) == (earlier, before)


def test_an_open_period_has_none_before_it() -> None:
    for text in ("all", "2024-01-01..", "..2024-01-01"):
        found = read_period(text, NEWEST)
        assert found.is_open
        assert found.before() is None
        assert found.years_before() is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "..", "last_0_days", "last_days", "yesterday", "2024-13-01..", "2024"),
        *("2024-02-01..2024-01-01", "last_9999_years", "last_12_months; drop table x"),
        *("2024-01-01..2024-02-30", "x" * 1000, "..\0"),
    ],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"period|is no day|is before|longer than"):
        read_period(text, NEWEST)


days = st.dates(date(1970, 1, 1), date(2100, 1, 1))


@given(days, st.integers(0, 5000))
def test_the_period_before_ends_where_this_one_begins(day: date, more: int) -> None:
    found = read_period(f"{day}..{day + timedelta(days=more)}", NEWEST)
    before = found.before()
    assert before is not None
    assert found.start is not None
    assert before.end is not None
    assert before.end == found.start - timedelta(days=1)
    if not found.months:
        assert before.start == found.start - timedelta(days=more + 1)


@given(days, st.sampled_from(["last_5_months", "this_month", "this_year"]))
def test_a_month_that_is_not_over_is_compared_with_as_many_days(
    newest: date, text: str
) -> None:
    found = read_period(text, newest)
    before = found.before()
    assert before is not None
    assert before.end is not None
    assert before.start is not None
    assert found.start is not None
    assert before.start.day == found.start.day == 1
    is_last = (newest + timedelta(days=1)).day == 1
    if is_last:
        assert (before.end + timedelta(days=1)).day == 1
    else:
        assert before.end.day == min(newest.day, before.end.day)
    assert before.end < found.start


def test_a_year_before_a_leap_day() -> None:
    found = Period(date(2024, 2, 1), date(2024, 2, 29), 1).years_before()
    assert found == Period(date(2023, 2, 1), date(2023, 2, 28), 1)
    again = Period(date(2023, 2, 1), date(2023, 2, 28), 1).years_before()
    assert again == Period(date(2022, 2, 1), date(2022, 2, 28), 1)
