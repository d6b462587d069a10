"""When a pipe's next file is due, and what it means that it is not there.

`every 1h`: a file within an hour of the one before. `by 06:00 Europe/Paris`: a file
each day before that time there, `by 06:00 Europe/Paris mon-fri` on these days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from snowmelt.landing.config import parse_duration

_EVERY = re.compile(r"every (.+)")
_BY = re.compile(r"by (\d{1,2}):(\d{2}) (\S+)(?: ([a-z,-]+))?")
_LATE_BY = timedelta(hours=1)


class Freshness(StrEnum):
    """How a pipe does against what is expected of it."""

    FRESH = "fresh"
    LATE = "late"
    MISSING = "missing"
    RECOVERED = "recovered"


@dataclass(frozen=True)
class Expectation:
    """How often, or by when, a file is expected.

    One is late when it is due, and missing after as much time again, or an hour after
    the time of the day.
    """

    every: timedelta | None = None
    cron: str = ""
    zone: str = "UTC"

    def due_after(self, instant: datetime) -> datetime:
        """Return the first time after an instant at which a file is due."""
        if self.every is not None:
            return instant + self.every
        there = instant.astimezone(ZoneInfo(self.zone))
        due: datetime = next(CronSim(self.cron, there))
        return due.astimezone(instant.tzinfo)

    @property
    def grace(self) -> timedelta:
        """Return how long a file is late before it is missing."""
        return self.every or _LATE_BY


@dataclass(frozen=True)
class Watch:
    """What is known of a pipe: when its next file is due.

    `recovered_at`: when the file that was overdue arrived; more of its kind may
    follow it, and are not the next ones.
    """

    due: datetime
    recovered_at: datetime | None = None

    def freshness(self, expected: Expectation, now: datetime) -> Freshness:
        """Return how the pipe does now."""
        if now <= self.due:
            return Freshness.FRESH
        return Freshness.LATE if now <= self.due + expected.grace else Freshness.MISSING

    def arrived(self, expected: Expectation, at: datetime) -> Watch:
        """Return what is known after a file arrived.

        One that is overdue stands for the time that was missed. One in time stands
        for the next time, and so do others before that.
        """
        if expected.every is not None:
            return Watch(at + expected.every)
        if at > self.due:
            return Watch(expected.due_after(at), at)
        if self.recovered_at and at - self.recovered_at <= expected.grace:
            return self
        return Watch(expected.due_after(expected.due_after(at)))


def read_expectation(text: str) -> Expectation:
    """Read `every 1h` or `by 06:00 Europe/Paris [mon-fri]`.

    Raises ValueError that says how it is written.
    """
    if match := _EVERY.fullmatch(text.strip()):
        every = parse_duration(match[1])
        if not every:
            raise ValueError("'every' needs more than no time")
        return Expectation(every=every)
    match = _BY.fullmatch(text.strip())
    if match is None:
        raise ValueError("write every 1h, or by 06:00 Europe/Paris, or … mon-fri")
    hour, minute, zone, days = match.groups()
    cron = f"{int(minute)} {int(hour)} * * {(days or '*').upper()}"
    try:
        CronSim(cron, datetime(2000, 1, 1, tzinfo=ZoneInfo(zone)))
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"there is no time zone '{zone}'") from None
    except CronSimError as error:
        raise ValueError(f"'{text}' is no time of a day: {error}") from None
    return Expectation(cron=cron, zone=zone)
