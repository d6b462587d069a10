"""Who is told when: soon, never too often, and at a share of the loader's time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from snowmelt.events import CopyFinished, CopyStarted, FilesFound, RunFinished
from snowmelt.serve.pacing import (
    LATE_SECONDS_MAX,
    LULL_SECONDS,
    PATIENCE_SECONDS,
    REST_SECONDS,
    SHARE_MAX,
    Bustle,
    Pace,
)

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOUND = FilesFound(1, "notification", NOON)
STARTED = CopyStarted("orders", 1, 1, 0, 0, NOON)
FINISHED = CopyFinished("orders", 1, "a.csv", NOON, NOON, None)
RAN = RunFinished.__new__(RunFinished)
TICK = 0.05


def told(pace: Pace, due: dict[str, float], seconds: float) -> list[tuple[float, str]]:
    """Return who is told when, of groups of which something changes all the time."""
    found = []
    for number in range(round(seconds / TICK)):
        now = number * TICK
        found += [(now, each) for each in pace.choose(due, due, now)]
    return found


def at_work() -> Bustle:
    bustle = Bustle()
    bustle.note(STARTED, 0.0)
    return bustle


def test_the_loader_is_at_work_while_it_copies_and_for_a_moment_after() -> None:
    bustle = Bustle()
    assert not bustle.is_on(0.0)
    bustle.note(RAN, 0.0)
    assert not bustle.is_on(0.0)
    bustle.note(FOUND, 1.0)
    bustle.note(STARTED, 1.01)
    assert bustle.is_on(500.0)
    bustle.note(FINISHED, 500.0)
    assert bustle.is_on(500.0 + LULL_SECONDS / 2)
    assert not bustle.is_on(500.0 + LULL_SECONDS)
    assert bustle.began_at == 1.0
    bustle.note(FOUND, 501.0)
    assert bustle.began_at == 501.0


def test_in_a_lull_everybody_is_told_at_once_and_then_once_a_second() -> None:
    due = {f"page {number}": 0.05 for number in range(30)}
    found = told(Pace(Bustle()), due, 3 * REST_SECONDS)
    assert [at for at, each in found if each == "page 7"] == [0.0, 1.0, 2.0]
    assert {each for at, each in found if at == 0.0} == set(due)


def test_files_that_come_together_are_shown_together_if_they_are_loaded_soon() -> None:
    bustle, due = at_work(), {"a": 0.02, "b": 0.02}
    pace = Pace(bustle)
    assert not pace.choose(due, due, PATIENCE_SECONDS - TICK)
    bustle.note(FINISHED, PATIENCE_SECONDS - TICK)
    assert pace.choose(due, due, PATIENCE_SECONDS - TICK + LULL_SECONDS) == ["a", "b"]


def test_a_long_load_is_on_screen_within_a_second_and_again_each_second() -> None:
    found = told(Pace(at_work()), {"/": 0.015}, 10.0)
    times = [at for at, _ in found]
    assert times[0] <= PATIENCE_SECONDS + TICK
    assert len(times) == 10


@given(
    st.dictionaries(
        st.integers(0, 99).map(str), st.floats(0.001, 0.3), min_size=1, max_size=40
    )
)
def test_while_files_are_loaded_pages_take_their_share_and_are_not_forgotten(
    due: dict[str, float],
) -> None:
    seconds = 4 * LATE_SECONDS_MAX
    found = told(Pace(at_work()), due, seconds)
    for group in due:
        times = [0.0, *(at for at, each in found if each == group), seconds]
        gaps = [after - before for before, after in pairwise(times)]
        pace_of_ticks = TICK * len(due)
        assert max(gaps) <= LATE_SECONDS_MAX + PATIENCE_SECONDS + 2 * pace_of_ticks
        assert all(gap >= REST_SECONDS - TICK / 2 for gap in gaps[1:-1])
    costs = sum(due[each] for _, each in found)
    if sum(due.values()) / SHARE_MAX < LATE_SECONDS_MAX:
        assert costs <= SHARE_MAX * seconds + max(due.values())


def test_a_lull_does_not_wait_for_what_a_load_has_spent() -> None:
    bustle = at_work()
    pace = Pace(bustle)
    costs = {"a": 0.3, "b": 0.3}
    assert pace.choose(["a", "b"], costs, 1.0) == ["a"]
    assert not pace.choose(["b"], costs, 1.5)
    bustle.note(FINISHED, 1.5)
    assert pace.choose(["b"], costs, 1.5 + LULL_SECONDS) == ["b"]
