"""Hours in which nobody is told, but of the worst."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from snowmelt.observe.alerts.severity import Severity

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


class QuietHours(BaseModel):
    """From when to when messages are held back, each day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: str = Field(alias="from", description="Time of the day, such as `22:00`.")
    until: str = Field(alias="to", description="Time of the day, such as `07:00`.")
    timezone: str = Field("UTC", description="Where, such as `Europe/Berlin`.")
    exempt: Severity | None = Field(
        Severity.CRITICAL,
        alias="except",
        description="What is told at any hour: of this severity, or worse.",
    )

    @field_validator("since", "until", mode="before")
    @classmethod
    def _is_a_time(cls, given: Any) -> Any:
        if not isinstance(given, str) or not _TIME.fullmatch(given):
            raise ValueError('write a time of the day in quotes, such as "22:00"')
        return given

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, given: str) -> str:
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no time zone; write one such as Europe/Berlin") from None
        return given

    @model_validator(mode="after")
    def _is_a_part_of_the_day(self) -> QuietHours:
        if _read(self.since) == _read(self.until):
            raise ValueError("'from' and 'to' are the same time")
        return self

    def holds_back(self, severity: Severity, now: datetime) -> bool:
        """Is a message of this severity to wait?"""
        if self.exempt is not None and severity.is_at_least(self.exempt):
            return False
        return self.ends(now) is not None

    def ends(self, now: datetime) -> datetime | None:
        """Return when the quiet hours end that an instant is in; None outside.

        They are an interval of instants, so that a clock put back does not begin them
        again. A time of the day that a clock put forward leaves out is taken an hour
        later, one that comes twice as the first of the two.
        """
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        for day in (today - timedelta(days=1), today):
            begins = self._instant(day, self.since)
            overnight = _read(self.until) < _read(self.since)
            ends = self._instant(day + timedelta(days=overnight), self.until)
            if begins <= now < ends:
                return ends
        return None

    def _instant(self, day: date, text: str) -> datetime:
        there = datetime.combine(day, _read(text), ZoneInfo(self.timezone))
        return there.astimezone(UTC)


def _read(text: str) -> time:
    hour, _, minute = text.partition(":")
    return time(int(hour), int(minute))
