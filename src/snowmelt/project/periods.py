"""Periods that a person chooses: `last_12_months`, `this_year`, two dates.

A relative one ends on a day that is handed in: the newest day of the data, or today.
One that is counted in months begins on the first day of a month. The period before it
is moved by whole months and ends on the same day, so that a month that is not over yet
is compared with as many days of the one before.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta

ALL = "all"
PRESETS = ("last_30_days", "last_90_days", "last_12_months", "this_year", ALL)
"""What a page offers; every other number is as good."""
HELP = "Write last_30_days, last_12_months, this_year, all or 2024-01-01..2024-03-31."
_LAST = re.compile(r"last_([1-9]\d{0,3})_(day|week|month|quarter|year)s?")
_THIS = re.compile(r"this_(month|quarter|year)")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_MONTHS_MAX = 12 * 200


@dataclass(frozen=True)
class Period:
    """Days from `start` to `end`, both in it; None: open on that side.

    `months`: how many it is counted in; 0 of one that is counted in days.
    """

    start: date | None = None
    end: date | None = None
    months: int = 0

    @property
    def is_open(self) -> bool:
        """Has it no first or no last day?"""
        return self.start is None or self.end is None

    def before(self) -> Period | None:
        """Return the period before it; None of an open one, and before the year 1."""
        if self.start is None or self.end is None:
            return None
        if self.months:
            return self.years_before(self.months)
        days = self.end - self.start + timedelta(days=1)
        try:
            return Period(self.start - days, self.end - days)
        except OverflowError:
            return None

    def years_before(self, months: int = 12) -> Period | None:
        """Return it as many months earlier; None where `before` has none."""
        if self.start is None or self.end is None:
            return None
        try:
            return Period(
                _moved(self.start, -months), _moved(self.end, -months), self.months
            )
        except ValueError:
            return None


def read_period(text: str, newest: date) -> Period:
    """Read a period. Relative ones end on `newest`. Raises ValueError for no period."""
    if text == ALL:
        return Period()
    if found := _LAST.fullmatch(text):
        return _last(int(found[1]), found[2], newest)
    if found := _THIS.fullmatch(text):
        months = _MONTHS[found[1]]
        return Period(_first_of(newest, months), newest, months)
    begin, dots, end = text.partition("..")
    if not dots or not (begin or end):
        raise ValueError(f"'{text[:40]}' is no period. {HELP}")
    return _between(_day(begin), _day(end))


def words(text: str) -> str:
    """Say a relative period in words: Last 12 months."""
    if text == ALL:
        return "All time"
    return text.replace("_", " ").capitalize()


def _last(count: int, unit: str, newest: date) -> Period:
    if unit in ("day", "week"):
        days = count * (7 if unit == "week" else 1)
        return Period(newest - timedelta(days=days - 1), newest)
    months = count * _MONTHS[unit]
    if months > _MONTHS_MAX:
        raise ValueError("no period is longer than 200 years")
    first = _first_of(newest, _MONTHS[unit])
    return Period(_moved(first, _MONTHS[unit] - months), newest, months)


def _between(start: date | None, end: date | None) -> Period:
    if start is None or end is None:
        return Period(start, end)
    if end < start:
        raise ValueError(f"{end} is before {start}")
    if start.day == 1 and _is_last_of_month(end):
        months = (end.year - start.year) * 12 + end.month - start.month + 1
        return Period(start, end, months)
    return Period(start, end)


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        told = f"'{text[:40]}' is no day. Write it as 2024-01-31"
        raise ValueError(told) from None


def _first_of(day: date, months: int) -> date:
    """Return the first day of the month, quarter or year that a day is in."""
    return day.replace(month=(day.month - 1) // months * months + 1, day=1)


def _moved(day: date, months: int) -> date:
    """Move a day by months; the last day of a month becomes the last of another."""
    place = day.year * 12 + day.month - 1 + months
    year, month = divmod(place, 12)
    if year < 1:
        raise ValueError("before the year 1")
    last = monthrange(year, month + 1)[1]
    return date(year, month + 1, last if _is_last_of_month(day) else min(day.day, last))


def _is_last_of_month(day: date) -> bool:
    return day.day == monthrange(day.year, day.month)[1]
