"""Is a graph run due? A decision from the clock, its timetable and its streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from snowmelt.transform.tasks.config import OverlapPolicy

SAME_DATA_INTERVAL = timedelta(seconds=30)
"""Data that a run left unread triggers no other one for so long."""
RUNS_MAX = 20
"""Graph runs that may be under way where overlap is allowed."""


class Origin(StrEnum):
    """What a graph run came of. The words are those of TASK_HISTORY."""

    SCHEDULE = "SCHEDULE"
    EXECUTE_TASK = "EXECUTE_TASK"
    MANUAL_RETRY = "MANUAL RETRY"
    AUTOMATIC_RETRY = "AUTOMATIC RETRY"
    TRIGGER = "TRIGGER"


@dataclass(frozen=True)
class UnderWay:
    """The graph runs that have not ended: how many, and how many at their root."""

    runs: int = 0
    roots: int = 0


def blocked_by_overlap(policy: OverlapPolicy, under_way: UnderWay) -> str:
    """Say why a run may not begin beside those under way; empty if it may."""
    if policy is OverlapPolicy.NO_OVERLAP and under_way.runs:
        return "the run before is still under way (overlap_policy: no_overlap)"
    if policy is OverlapPolicy.ALLOW_CHILD_OVERLAP and under_way.roots:
        return (
            "the root of the run before is still under way "
            "(overlap_policy: allow_child_overlap)"
        )
    if under_way.runs >= RUNS_MAX:
        return f"{RUNS_MAX} runs are under way, and more are not begun"
    return ""


@dataclass(frozen=True)
class LastTriggered:
    """The last run that data triggered: when, and how far bronze went then."""

    started_at: datetime
    position: int


def trigger_at(
    now: datetime,
    last: LastTriggered | None,
    position: int,
    min_interval: timedelta,
) -> datetime:
    """Return when a triggered graph whose streams have data may run.

    At once, but no sooner after the last one than `min_interval`; and what it left
    unread does not start the next one at once.
    """
    if last is None:
        return now
    least = min_interval
    if position <= last.position:
        least = max(least, SAME_DATA_INTERVAL)
    return max(last.started_at + least, now)
