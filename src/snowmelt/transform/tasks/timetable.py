"""The instants at which a graph is due, by cron in a time zone or by an interval.

Local times follow cronsim's rules, which are Debian's: a time of day that a change of
clocks repeats is met once, one that it leaves out as soon as the clocks are changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MISSED_LOOKED_AT = 1000


def require_cron(cron: str) -> None:
    """Raise ValueError unless a cron expression is one, and fires."""
    if len(cron.split()) != 5:
        raise ValueError(
            "a cron expression has five fields: minute hour day month weekday"
        )
    try:
        next(CronSim(cron, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"no cron expression that fires: {error}") from None
    except StopIteration:
        raise ValueError("this cron expression never fires") from None


def require_zone(name: str) -> None:
    """Raise ValueError unless a time zone is known."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            "there is no such time zone; write one such as Europe/Berlin"
        ) from None


@dataclass(frozen=True)
class Timetable:
    """When a graph is due. Intervals are counted from 1970, so that a restart moves
    none of them.
    """

    cron: str | None = None
    zone: str = "UTC"
    every: timedelta | None = None

    @property
    def text(self) -> str:
        """The timetable in Snowflake's words."""
        if self.cron is not None:
            return f"USING CRON {self.cron} {self.zone}"
        assert self.every is not None
        return f"{self.every.total_seconds():g} SECONDS"

    def next_after(self, instant: datetime) -> datetime:
        """Return the first instant after another, in UTC."""
        return next(self._from(instant))

    def last_until(self, due: datetime, now: datetime) -> tuple[datetime, int]:
        """Return the last instant up to now, and how many passed, `due` the first.

        Of a very long time the number is a lower bound.
        """
        passed = [due]
        for each in islice(self._from(due), _MISSED_LOOKED_AT):
            if each > now:
                return passed[-1], len(passed)
            passed.append(each)
        if self.every is not None:
            rest = (now - _EPOCH) % self.every
            return now - rest, (now - due) // self.every + 1
        assert self.cron is not None
        after = (now + timedelta(seconds=1)).astimezone(ZoneInfo(self.zone))
        last: datetime = next(CronSim(self.cron, after, reverse=True))
        return last.astimezone(UTC), len(passed)

    def _from(self, instant: datetime) -> Iterator[datetime]:
        if self.every is not None:
            due = instant - (instant - _EPOCH) % self.every
            while True:
                due += self.every
                yield due
        assert self.cron is not None
        for local in CronSim(self.cron, instant.astimezone(ZoneInfo(self.zone))):
            due = local.astimezone(UTC)
            if due > instant:
                yield due
