"""The realtime maker keeps its word: repeatable, endless, whole files, true counts."""

from __future__ import annotations

import csv
import functools
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from snowmelt.errors import UsageError
from snowmelt.synth import realtime
from snowmelt.synth.realtime import Feed, make_realtime
from snowmelt.warehouse.duckdb.scratch import scratch

MINUTE = Fraction(60)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def records(directory: Path) -> list[dict[str, str]]:
    return [
        record
        for path in sorted(directory.rglob("*.csv"))
        for record in csv.DictReader(path.read_text().splitlines(keepends=True))
    ]


def test_same_feed_same_bytes_whatever_the_threads_and_what_is_made_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, threads, ahead in (("a", 1, 5_000), ("b", 4, 100)):
        threaded = functools.partial(scratch, threads=threads)
        monkeypatch.setattr(realtime, "scratch", threaded)
        monkeypatch.setattr(realtime, "_EVENTS_AHEAD", ahead)
        report = make_realtime(tmp_path / name, Feed(seconds=MINUTE, dirty=0.1))
        made.append((contents(tmp_path / name), report))
    assert made[0] == made[1]
    make_realtime(tmp_path / "c", Feed(seconds=MINUTE, dirty=0.1, seed=2))
    other = contents(tmp_path / "c")
    assert other.keys() == made[0][0].keys()
    assert not [name for name in other if other[name] == made[0][0][name]]


def test_a_feed_that_was_stopped_is_the_beginning_of_one_that_goes_on(
    tmp_path: Path,
) -> None:
    dues: list[Fraction] = []

    def five(due: Fraction) -> bool:
        dues.append(due)
        return len(dues) <= 5

    feed = Feed(rate=Fraction(7, 2), every=Fraction(2), dirty=0.2)
    report = make_realtime(tmp_path / "stopped", feed, keep_going=five)
    assert dues == [2, 4, 6, 8, 10, 12]
    make_realtime(tmp_path / "whole", Feed(**{**vars(feed), "seconds": MINUTE}))
    stopped, whole = contents(tmp_path / "stopped"), contents(tmp_path / "whole")
    assert len(stopped) == 5
    assert stopped.items() <= whole.items()
    assert len(records(tmp_path / "stopped")) == sum(report.files.values())


def test_a_feed_without_an_end_ends_with_the_calendar(tmp_path: Path) -> None:
    late = datetime(9999, 12, 31, 23, 59, 50, tzinfo=UTC)
    feed = Feed(rate=Fraction(2), every=Fraction(3), first_moment=late)
    report = make_realtime(tmp_path, feed, keep_going=lambda _: True)
    assert sorted(report.files) == sorted(contents(tmp_path))
    assert list(report.files)[-1] == "users_99991231T235959_3.csv"


def test_each_event_comes_once_and_most_in_the_order_of_their_time(
    tmp_path: Path,
) -> None:
    report = make_realtime(tmp_path, Feed(seconds=MINUTE, rate=Fraction(50)))
    made = records(tmp_path)
    assert len({each["event_id"] for each in made}) == len(made) == 3000
    assert report.quirks.keys() == {
        *("late_events", "unordered_events", "early_cancels"),
        *("cancels", "amended_orders", "changed_profiles"),
    }
    kinds = [each["event_type"] for each in made]
    assert kinds.count("signup") == 250
    assert kinds.count("cancel") == report.quirks["cancels"]
    assert kinds.count("profile") == report.quirks["changed_profiles"]
    times = [datetime.fromisoformat(each["event_at"]) for each in made]
    assert max(times) - min(times) < timedelta(seconds=60)
    known: set[str] = set()
    for each in sorted(made, key=lambda each: each["event_at"]):
        known |= {each["user_id"]} if each["event_type"] == "signup" else set()
        assert each["user_id"] in known, "nobody does anything before they sign up"
    ordered = {each["order_id"] for each in made if each["event_type"] == "order"}
    assert {each["order_id"] for each in made} == ordered | {""}


def test_files_have_the_names_that_were_asked_for_and_are_whole(tmp_path: Path) -> None:
    seen: dict[str, list[bytes]] = {}
    feed: dict[str, Any] = {"seconds": Fraction(9), "rate": Fraction(2), "dirty": 0.1}
    for names in realtime.NAMES:
        directory = tmp_path / names
        seen[names] = []

        def told(name: str, count: int, names: str = names) -> None:
            assert count
            seen[names].append((tmp_path / names / name).read_bytes())

        make_realtime(
            directory, Feed(**feed, names=names), keep_going=lambda _: True, told=told
        )
        assert not list(directory.rglob(".*")), "a hidden file was left"
    assert list(contents(tmp_path / "stamped")) == [
        "users_20240501T000003_1.csv",
        "users_20240501T000006_2.csv",
        "users_20240501T000009_3.csv",
    ]
    assert list(contents(tmp_path / "folders")) == [
        "2024-05-01T00-00-03_1/users.csv",
        "2024-05-01T00-00-06_2/users.csv",
        "2024-05-01T00-00-09_3/users.csv",
    ]
    assert seen["stamped"] == seen["folders"] == seen["rewritten"]
    header, *_ = seen["stamped"][0].splitlines(keepends=True)
    whole = b"".join(each.removeprefix(header) for each in seen["stamped"])
    assert seen["growing"][-1] == header + whole
    assert seen["growing"][0] == seen["stamped"][0]
    assert list(contents(tmp_path / "rewritten")) == ["users.csv"]


def test_a_feed_slower_than_its_files_leaves_files_out(tmp_path: Path) -> None:
    report = make_realtime(tmp_path, Feed(rate=Fraction(1, 10), seconds=MINUTE))
    assert sum(report.files.values()) == 6
    assert report.files.keys() == contents(tmp_path).keys()


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"rate": Fraction(0)},
        {"dirty": 0.6},
        {"seconds": Fraction(0)},
        {"names": "others"},
        {"pace": Fraction(10**13)},
        {"names": "rewritten"},
    ):
        given: dict[str, Any] = {"seconds": MINUTE, **wrong}
        with pytest.raises(UsageError):
            make_realtime(tmp_path / "new", Feed(**given))
    assert not (tmp_path / "new").exists()
    make_realtime(tmp_path / "set", Feed(seconds=MINUTE))
    before = contents(tmp_path / "set")
    with pytest.raises(UsageError, match="not overwritten"):
        make_realtime(tmp_path / "set", Feed(seconds=MINUTE, seed=2))
    assert contents(tmp_path / "set") == before
