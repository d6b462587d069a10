"""Events are told to others without waiting for them; what a load came to is whole."""

from __future__ import annotations

import logging
import random
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.events import (
    CopyFinished,
    CopyStarted,
    Event,
    FileSettled,
    NodeOutcome,
    RunFinished,
    RunStarted,
    StatementFinished,
)
from snowmelt.observe.export.outbox import Outbox
from snowmelt.observe.export.told import Gathering, LoadEnded, RunEnded, Told

AT = datetime(2026, 11, 1, tzinfo=UTC)


class Slow:
    """A receiver that takes nothing before it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.told: list[Told] = []
        self.fails = False

    def send(self, told: Told) -> None:
        self.let.wait(10)
        if self.fails:
            raise ConnectionError("nobody is there")
        self.told.append(told)

    def close(self, seconds: float) -> None:
        """Have nothing left to send."""


def started(number: int) -> Event:
    return RunStarted(f"run-{number}", "new rows", AT)


def settled(pipe: str, load_seq: int, status: str = "Loaded") -> FileSettled:
    name = f"{pipe}_{load_seq}.csv"
    counts = (5, 1, "x", 6, 60, load_seq)
    return FileSettled(pipe, name, status, *counts, AT, AT)


def finished(pipe: str, files: int, problem: str | None = None) -> CopyFinished:
    return CopyFinished(pipe, files, "first", AT, AT, problem)


def ran(number: int, through: int | None, error: str | None = None) -> RunFinished:
    state = "FAILED" if error else "SUCCEEDED"
    nodes = (NodeOutcome("orders", "model", "success", 1.0, None, None, False),)
    times = (AT, AT + timedelta(seconds=2))
    run = RunFinished(f"run-{number}", state, 2.0, error, "", *times, nodes, "dbt")
    return RunFinished(**{**vars(run), "read_through": through})


def test_who_tells_never_waits_and_the_oldest_are_lost_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Slow()
    outbox = Outbox("slow", lambda: slow, waiting_max=100)
    outbox(started(0))
    began = time.monotonic()
    for number in range(1, 1001):
        outbox(started(number))
    assert time.monotonic() - began < 5
    assert outbox.lost in (900, 901), "one may be under way"
    slow.let.set()
    with caplog.at_level(logging.WARNING):
        outbox.close(10)
    assert slow.told[-100:] == [started(number) for number in range(901, 1001)]
    assert f"slow: {outbox.lost} events were not told" in caplog.text


def test_closing_waits_so_long_and_no_longer(caplog: pytest.LogCaptureFixture) -> None:
    slow = Slow()
    outbox = Outbox("slow", lambda: slow, waiting_max=100)
    for number in range(10):
        outbox(started(number))
    began = time.monotonic()
    outbox.close(0.3)
    assert 0.2 < time.monotonic() - began < 5
    assert "slow: 9 events were not told" in caplog.text
    slow.let.set()


@pytest.mark.parametrize("where", ["send", "make"])
def test_a_receiver_that_fails_is_told_of_and_fails_nobody(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    slow = Slow()
    slow.let.set()
    slow.fails = True

    def make() -> Slow:
        if where == "make":
            raise ImportError("no such library")
        return slow

    outbox = Outbox("gone", make, waiting_max=100)
    for number in range(50):
        outbox(started(number))
    outbox.close(10)
    assert caplog.text.count("gone: ") + caplog.text.count("gone could not") == 1
    assert outbox.failed == (50 if where == "send" else 0)


def test_statements_are_cut_and_those_that_nobody_wants_are_left_out() -> None:
    sent: list[list[Told]] = []
    statement = StatementFinished("run-1", None, "s" * 10_000, AT, 0.1, 1, None)
    for statements in (True, False):
        slow = Slow()
        slow.let.set()

        def make(slow: Slow = slow) -> Slow:
            return slow

        outbox = Outbox("all", make, waiting_max=100, statements=statements)
        for event in (started(1), statement, ran(1, None)):
            outbox(event)
        outbox.close(10)
        sent.append(slow.told)
    lengths = [
        [len(each.sql) for told in of for each in getattr(told, "statements", ())]
        for of in sent
    ]
    assert lengths == [[4000], []]


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.booleans()),
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_every_settled_file_is_in_one_load_whatever_else_is_told_between(
    batches: list[tuple[str, int, bool]], chance: random.Random
) -> None:
    gathering = Gathering()
    told: list[Told] = []
    wanted = []
    load_seq = 0
    for pipe, files, complete in batches:
        told += gathering.of(CopyStarted(pipe, files, 1, 0, 0, AT))
        told += gathering.of(finished(pipe, files))
        for _ in range(files if complete else files - 1):
            load_seq += 1
            wanted.append(load_seq)
            told += gathering.of(settled(pipe, load_seq))
            if chance.random() < 0.3:
                told += gathering.of(started(load_seq))
    told += gathering.settle()
    loads = [each for each in told if isinstance(each, LoadEnded)]
    assert sorted(f.load_seq for load in loads for f in load.files) == wanted
    assert len(loads) == len({load.number for load in loads}) == len(batches)
    assert all(f.pipe_name == load.pipe_name for load in loads for f in load.files)


def test_a_run_names_the_loads_that_no_published_run_read() -> None:
    gathering = Gathering()
    numbers = {}
    for load_seq in (1, 2, 3):
        gathering.of(CopyStarted("a", 1, 1, 0, 0, AT))
        gathering.of(finished("a", 1))
        (load,) = gathering.of(settled("a", load_seq))
        assert isinstance(load, LoadEnded)
        numbers[load_seq] = load.number

    def read(event: RunFinished) -> list[int]:
        (ended,) = gathering.of(event)
        assert isinstance(ended, RunEnded)
        return [seq for seq, number in numbers.items() if number in ended.loads]

    assert read(ran(1, 2, "a test failed")) == [1, 2]
    assert read(ran(2, 2)) == [1, 2], "what failed published nothing"
    assert read(ran(3, 3)) == [3]
    assert read(ran(4, 3)) == []


@pytest.mark.parametrize(
    ("statuses", "problem", "error"),
    [
        (["Loaded", "Load failed"], None, None),
        (["Load failed"], None, "a_1.csv: x"),
        ([], "the disk is full", "the disk is full"),
        (["Load skipped"], None, None),
    ],
)
def test_a_load_failed_where_nothing_was_loaded_for_an_error(
    statuses: list[str], problem: str | None, error: str | None
) -> None:
    gathering = Gathering()
    told = gathering.of(finished("a", max(len(statuses), 1), problem))
    for load_seq, status in enumerate(statuses, start=1):
        told += gathering.of(settled("a", load_seq, status))
    (load,) = told
    assert isinstance(load, LoadEnded)
    assert load.error == error
