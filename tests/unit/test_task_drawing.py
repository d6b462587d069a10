"""A drawing of tasks: nothing overlaps, children stand to the right of parents."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.serve.pages.task_drawing import (
    BOX_HEIGHT,
    BOX_WIDTH,
    Picture,
    draw_tasks,
)
from snowmelt.serve.pages.task_wording import (
    in_words,
    of_task,
    schedule_words,
    waiting_names,
)

_NUMBER = r"-?\d+(?:\.\d+)?"


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]]]:
    """A graph with parents before children, as `tasks:` may have it."""
    count = draw(st.integers(0, 30))
    names = [f"t{number}" for number in range(count)]
    edges = []
    for number in range(1, count):
        most = min(number, 4)
        parents = draw(
            st.lists(st.integers(0, number - 1), min_size=1, max_size=most, unique=True)
        )
        edges += [(names[parent], names[number]) for parent in parents]
    return names, edges


def ends(path: str) -> tuple[tuple[float, float], tuple[float, float]]:
    numbers = [float(each) for each in re.findall(_NUMBER, path)]
    return (numbers[0], numbers[1]), (numbers[-2], numbers[-1])


@settings(max_examples=40)
@given(graphs())
def test_boxes_never_touch_and_children_stand_to_the_right(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    names, edges = graph
    picture = draw_tasks(names, edges)
    assert set(picture.boxes) == set(names)
    placed = sorted(picture.boxes.values())
    for (x, y), (x_next, y_next) in pairwise(placed):
        assert x != x_next or y_next - y >= BOX_HEIGHT + 1, (names, edges)
    for start, end in edges:
        assert picture.boxes[end][0] >= picture.boxes[start][0] + BOX_WIDTH
    for x, y in placed:
        assert 0 <= x <= picture.width - BOX_WIDTH
        assert 0 <= y <= picture.height - BOX_HEIGHT
    assert picture == draw_tasks(names, edges), "the same graph, the same drawing"


@settings(max_examples=40)
@given(graphs())
def test_lines_go_from_box_to_box_and_under_none(
    graph: tuple[list[str], list[tuple[str, str]]],
) -> None:
    names, edges = graph
    picture = draw_tasks(names, edges)
    assert [(start, end) for start, end, _ in picture.lines] == edges
    for start, end, path in picture.lines:
        begin, last = ends(path)
        x, y = picture.boxes[start]
        assert begin == (x + BOX_WIDTH, round(y + BOX_HEIGHT / 2, 1))
        x, y = picture.boxes[end]
        assert last == (x, round(y + BOX_HEIGHT / 2, 1))
        for level in passed_levels(path):
            assert not inside(picture, *level), (start, end, path)


def passed_levels(path: str) -> list[tuple[float, float, float]]:
    """Return the stretches in which a line passes a column: from, to, and how high."""
    found = []
    for before, x in re.findall(rf"({_NUMBER} {_NUMBER})H({_NUMBER})", path):
        begin, y = before.split()
        found.append((float(begin), float(x), float(y)))
    return found


def inside(picture: Picture, begin: float, end: float, y: float) -> bool:
    return any(
        x < end and begin < x + BOX_WIDTH and top < y < top + BOX_HEIGHT
        for x, top in picture.boxes.values()
    )


def test_a_chain_is_a_straight_line() -> None:
    picture = draw_tasks(["a", "b", "c"], [("a", "b"), ("b", "c")])
    assert len({y for _, y in picture.boxes.values()}) == 1
    assert picture.height == BOX_HEIGHT + 2


def test_what_is_still_to_come_waits_and_what_is_passed_over_says_so() -> None:
    task = {"name": "a", "state": "started", "last_state": "SUCCEEDED"}
    times = {
        "last_started_at": "2026-11-21T12:00:00+00:00",
        "last_ended_at": "2026-11-21T12:00:02+00:00",
    }
    assert of_task(task | times, waiting=False)["hint"] == "succeeded, 2.0 s"
    assert of_task(task | times, waiting=True)["hint"] == "waits"
    held = of_task(task | times | {"state": "suspended"}, waiting=True)
    assert (held["hint"], held["shape"], held["level"]) == (
        "suspended",
        "pause",
        "warn",
    )
    running = task | {"state": "suspended", "last_state": "EXECUTING"}
    assert of_task(running, waiting=False)["hint"] == "running"
    assert of_task(task | {"last_state": None}, waiting=False)["hint"] == "never run"
    board = {
        "root": "a",
        "tasks": [{"name": "a"}, {"name": "b"}],
        "graph_runs": [
            {"state": "EXECUTING", "root_task_name": "a", "tasks": [{"name": "a"}]}
        ],
    }
    assert waiting_names(board) == {"b"}
    board["graph_runs"][0]["root_task_name"] = "b"  # type: ignore[index]
    assert waiting_names(board) == set(), "one task alone is waited for by none"


def test_when_a_graph_runs_is_said_in_words() -> None:
    assert schedule_words("600 SECONDS") == "every 10 min"
    cron = "USING CRON 0 2 * * * Europe/Berlin when stream_has_data(orders)"
    said = schedule_words(cron)
    assert said == "at 0 2 * * * (Europe/Berlin) when stream_has_data(orders)"
    runs = [{"state": "SUCCEEDED"}, {"state": "FAILED"}, {"state": "SUCCEEDED"}]
    assert in_words(runs) == "2 succeeded, 1 failed"
    assert in_words([]) == "no task was begun"
