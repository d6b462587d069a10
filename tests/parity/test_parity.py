"""What is written down of both sides is what both sides do: see scenarios/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import files_sides
import pytest
import streams_sides
import tasks_sides
from hypothesis import given, settings
from hypothesis import strategies as st
from scenario import Scenario, read_scenarios
from small_shop import Shop
from task_project import MovedClock

from small_project import Warm

FILES = read_scenarios("files")


def named(scenario: Scenario) -> str:
    return scenario.name


def short(scenarios: list[Scenario], *names: str) -> list[Any]:
    """All of them, those that are not named in the long form alone."""
    assert {*names} <= {each.name for each in scenarios}
    return [
        pytest.param(
            each, id=each.name, marks=() if each.name in names else pytest.mark.long
        )
        for each in scenarios
    ]


@pytest.mark.parametrize("scenario", FILES, ids=named)
def test_files_there(scenario: Scenario) -> None:
    there = files_sides.There(scenario.given.get("pipe", {}))
    assert files_sides.play(there, scenario) == scenario.snowflake


@pytest.fixture(scope="module")
def shared_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    root = tmp_path_factory.mktemp("parity") / "shop"
    with files_sides.shared_shop(root, FILES) as shop:
        yield shop


@pytest.mark.parametrize(
    "scenario",
    short(
        FILES,
        *(each.name for each in FILES if not files_sides.is_alone(each)),
        "two_pipes_fit_one_file",
    ),
)
def test_files_here(scenario: Scenario, shared_shop: Shop, tmp_path: Path) -> None:
    if files_sides.is_alone(scenario):
        alone = files_sides.HereAlone(scenario, tmp_path / "shop")
        try:
            assert files_sides.play(alone, scenario) == scenario.local
        finally:
            alone.close()
        return
    clock = shared_shop.parts.clock
    assert isinstance(clock, MovedClock)
    name = scenario.name
    side = files_sides.Here(shared_shop, clock, name, f"{name}/")
    assert files_sides.play(side, scenario) == scenario.local


SENT = st.tuples(
    st.sampled_from(["t1.csv", "t2.csv"]),
    st.sampled_from(["1 2", "1 3", "4"]),
    st.sampled_from([0, 1, 15]),
)


def kept_of(contents: list[str], key: str) -> list[str]:
    """Which contents of one name count, of all that were loaded."""
    if key == "append":
        return sorted({*contents})
    return contents[-1:] if key == "supersede" else contents[:1]


def counted(loads: list[tuple[str, str]], key: str) -> list[int]:
    """What counts of contents that were loaded, in order: by name, as the pipe says."""
    found: dict[str, list[str]] = {}
    for name, words in loads:
        found.setdefault(name, []).append(words)
    if key == "snapshot":
        chosen = [loads[-1][1]] if loads else []
    else:
        chosen = [each for sent in found.values() for each in kept_of(sent, key)]
    return sorted(int(each) for words in chosen for each in words.split())


SENDING = (
    st.lists(SENT, max_size=6),
    st.sampled_from(["supersede", "ignore", "append", "snapshot"]),
)


@settings(deadline=None, max_examples=20)
@given(*SENDING)
def test_the_deployed_view_counts_what_the_pipe_says(
    sent: list[tuple[str, str, int]], key: str
) -> None:
    """Whatever is sent again, and whether the pipe still knows it."""
    send(sent, key)


@pytest.mark.long
@settings(deadline=None, max_examples=500)
@given(*SENDING)
def test_the_deployed_view_counts_what_the_pipe_says_at_length(
    sent: list[tuple[str, str, int]], key: str
) -> None:
    send(sent, key)


def send(sent: list[tuple[str, str, int]], key: str) -> None:
    pipe = {"mode": key} if key == "snapshot" else {"on_same_name_changed": key}
    side = files_sides.There(pipe)
    loads: list[tuple[str, str]] = []
    for name, words, days in sent:
        side.wait(f"{days}d")
        side.wait("1m")
        before = len(side.table.history)
        side.land({name: words})
        side.load(None)
        loads += [(name, words)] * (len(side.table.history) - before)
    assert side.outcome()["live"] == counted(loads, key)


STREAMS = read_scenarios("streams")


@pytest.mark.parametrize("scenario", STREAMS, ids=named)
def test_streams_there(scenario: Scenario) -> None:
    there = streams_sides.There(scenario)
    assert streams_sides.play(there, scenario) == scenario.snowflake


@pytest.mark.parametrize(
    "scenario",
    short(
        STREAMS,
        "a_run_fails_after_its_first_model",
    ),
)
def test_streams_here(scenario: Scenario, warm: Warm, tmp_path: Path) -> None:
    with streams_sides.here(warm, tmp_path / "shop") as side:
        assert streams_sides.play(side, scenario) == scenario.local


TASKS = read_scenarios("tasks")


@pytest.mark.parametrize("scenario", TASKS, ids=named)
def test_tasks_there(scenario: Scenario) -> None:
    there = tasks_sides.There(scenario)
    assert tasks_sides.play(there, scenario) == scenario.snowflake


@pytest.mark.parametrize(
    "scenario",
    short(
        TASKS,
        "all_of_several_predecessors_are_suspended",
        "another_task_fails_each_time",
        "a_local_time_that_is_there_twice",
    ),
)
def test_tasks_here(scenario: Scenario, tmp_path: Path) -> None:
    with tasks_sides.here(scenario, tmp_path) as side:
        assert tasks_sides.play(side, scenario) == scenario.local
