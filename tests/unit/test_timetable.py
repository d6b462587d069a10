"""When a graph is due: cron in a time zone, intervals, clocks that change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from snowmelt.transform.tasks.config import OverlapPolicy
from snowmelt.transform.tasks.due import (
    SAME_DATA_INTERVAL,
    LastTriggered,
    UnderWay,
    blocked_by_overlap,
    trigger_at,
)
from snowmelt.transform.tasks.timetable import Timetable

NEW_YORK = ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def local_times(timetable: Timetable, start: datetime, count: int) -> list[str]:
    found, instant = [], start
    for _ in range(count):
        instant = timetable.next_after(instant)
        found.append(instant.astimezone(NEW_YORK).isoformat())
    return found


def test_a_time_that_the_change_of_clocks_repeats_is_met_once() -> None:
    timetable = Timetable("30 1 * * *", "America/New_York")
    start = datetime(2026, 10, 31, 12, tzinfo=NEW_YORK)
    assert local_times(timetable, start, 3) == [
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
        "2026-11-03T01:30:00-05:00",
    ]
    # from within the hour that comes twice, too
    between = datetime(2026, 11, 1, 5, 45, tzinfo=UTC)
    assert local_times(timetable, between, 1) == ["2026-11-02T01:30:00-05:00"]


def test_a_time_that_the_change_of_clocks_leaves_out_is_met_after_it() -> None:
    timetable = Timetable("30 2 * * *", "America/New_York")
    start = datetime(2026, 3, 7, 12, tzinfo=NEW_YORK)
    assert local_times(timetable, start, 2) == [
        "2026-03-08T03:00:00-04:00",
        "2026-03-09T02:30:00-04:00",
    ]


def test_what_runs_all_the_time_runs_through_both_hours() -> None:
    timetable = Timetable("*/30 * * * *", "America/New_York")
    start = datetime(2026, 11, 1, 4, 45, tzinfo=UTC)
    instants = [start]
    for _ in range(6):
        instants.append(timetable.next_after(instants[-1]))
    gaps = {later - earlier for earlier, later in pairwise(instants[1:])}
    assert gaps == {timedelta(minutes=30)}


@given(
    st.sampled_from(
        [
            Timetable("*/7 * * * *"),
            Timetable("30 1 * * *", "America/New_York"),
            Timetable("0 9 * * 1-5", "Europe/Berlin"),
            Timetable(every=timedelta(seconds=1)),
            Timetable(every=timedelta(minutes=10)),
            Timetable(every=timedelta(hours=7)),
        ]
    ),
    st.timedeltas(timedelta(), timedelta(days=364)),
    st.timedeltas(timedelta(), timedelta(days=3)),
)
def test_the_last_instant_is_the_one_that_counting_finds(
    timetable: Timetable, start: timedelta, passed: timedelta
) -> None:
    due = timetable.next_after(datetime(2026, 1, 1, tzinfo=UTC) + start)
    now = due + min(passed, (timetable.every or timedelta(hours=1)) * 300)
    instants = [due]
    while (following := timetable.next_after(instants[-1])) <= now:
        instants.append(following)
    assert timetable.last_until(due, now) == (instants[-1], len(instants))


def test_of_years_that_were_missed_the_last_instant_is_found_at_once() -> None:
    due = datetime(2020, 1, 1, tzinfo=UTC)
    last, passed = Timetable("* * * * *").last_until(due, NOON)
    assert (last, passed) == (NOON, 1001)
    last, passed = Timetable(every=timedelta(seconds=1)).last_until(due, NOON)
    assert (last, passed) == (NOON, (NOON - due).total_seconds() + 1)


def test_an_interval_does_not_depend_on_when_it_is_asked_for() -> None:
    timetable = Timetable(every=timedelta(minutes=10))
    asked = [NOON + timedelta(seconds=s) for s in (0, 1, 250, 599)]
    found = {timetable.next_after(each) for each in asked}
    assert found == {NOON + timedelta(minutes=10)}


def test_policies_of_overlap() -> None:
    none, child = OverlapPolicy.NO_OVERLAP, OverlapPolicy.ALLOW_CHILD_OVERLAP
    every = OverlapPolicy.ALLOW_ALL_OVERLAP
    idle, in_child, in_root = UnderWay(), UnderWay(1, 0), UnderWay(1, 1)
    allowed = {
        (policy, under_way): not blocked_by_overlap(policy, under_way)
        for policy in (none, child, every)
        for under_way in (idle, in_child, in_root)
    }
    assert allowed == {
        (none, idle): True,
        (none, in_child): False,
        (none, in_root): False,
        (child, idle): True,
        (child, in_child): True,
        (child, in_root): False,
        (every, idle): True,
        (every, in_child): True,
        (every, in_root): True,
    }
    assert "20 runs are under way" in blocked_by_overlap(every, UnderWay(20, 0))


def test_what_a_run_left_unread_triggers_the_next_one_later() -> None:
    least = timedelta(seconds=5)
    assert trigger_at(NOON, None, 7, least) == NOON
    last = LastTriggered(NOON - timedelta(seconds=1), 7)
    assert trigger_at(NOON, last, 8, timedelta()) == NOON
    assert trigger_at(NOON, last, 8, least) == NOON + timedelta(seconds=4)
    again = NOON - timedelta(seconds=1) + SAME_DATA_INTERVAL
    assert trigger_at(NOON, last, 7, timedelta()) == again
