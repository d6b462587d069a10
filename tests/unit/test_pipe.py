"""The pure decisions of a pipe: patterns, identity, batches, versions, on_error."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.bronze.on_error import judge
from snowmelt.landing.settle import Noticed, Sighting, sight, whole_at
from snowmelt.landing.stage import StagedFile, find_hidden
from snowmelt.pipe.batch import LoadConfig, Pending, due
from snowmelt.pipe.history import LoadStatus
from snowmelt.pipe.identity import Arrival, Identity, LiveLoad, Verdict, identify
from snowmelt.pipe.pattern import can_overlap, compile_pattern
from snowmelt.pipe.version import version_at

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("orders*.csv", "orders_1.csv", True),
        ("orders*.csv", "2024/05/orders_1.csv", True),
        ("orders*.csv", "old_orders_1.csv", False),
        ("orders*.csv", "orders/1.csv", False),
        ("crm/orders*.csv", "crm/orders_1.csv", True),
        ("crm/orders*.csv", "crm/old/orders_1.csv", False),
        ("crm/**/orders*.csv", "crm/old/2023/orders_1.csv", True),
        ("crm/**/orders*.csv", "crm/orders_1.csv", True),
        ("day_?.csv", "day_1.csv", True),
        ("day_?.csv", "day_12.csv", False),
        ("day_[0-9].csv", "day_7.csv", True),
        ("day_[!0-9].csv", "day_7.csv", False),
        ("a+b(1).csv", "a+b(1).csv", True),
        ("o*.csv", "o[1].csv", True),
    ],
)
def test_patterns_match_as_globs(pattern: str, name: str, expected: bool) -> None:
    assert (compile_pattern(pattern).fullmatch(name) is not None) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        ("olist_orders*.csv", "olist_order_items*.csv", False),
        ("olist_order*.csv", "olist_order_items*.csv", True),
        ("items*.csv", "order_items*.csv", False),
        ("*.csv", "orders.csv", True),
        ("crm/*.csv", "erp/*.csv", False),
        ("crm/**/*.csv", "orders*.csv", True),
        ("a?.csv", "ab.csv", True),
        ("a[0-4].csv", "a[5-9].csv", False),
        ("a[0-5].csv", "a[5-9].csv", True),
        ("*a", "*b", False),
        ("*a*", "*b*", True),
        ("x/*.csv", "*.csv", True),
    ],
)
def test_overlap_is_exact(one: str, two: str, expected: bool) -> None:
    assert can_overlap(one, two) is expected
    assert can_overlap(two, one) is expected


glob = st.text("ab*?/", min_size=1, max_size=6)


@given(glob, glob, st.text("ab/", min_size=1, max_size=6))
def test_a_path_that_both_match_proves_an_overlap(
    one: str, two: str, path: str
) -> None:
    both = compile_pattern(one).fullmatch(path) and compile_pattern(two).fullmatch(path)
    if both:
        assert can_overlap(one, two)


def live(
    seq: int, name: str, sha: str, parsed: int = 9, replay: bool = False
) -> LiveLoad:
    return LiveLoad(seq, name, sha, parsed, replay)


@pytest.mark.parametrize(
    ("told", "name", "sha", "loads", "expected"),
    [
        ("new", "a", "1", [], Identity(Verdict.LOAD)),
        ("again", "a", "1", [live(1, "a", "1")], Identity(Verdict.UNCHANGED)),
        ("changed", "a", "2", [live(1, "a", "1")], Identity(Verdict.LOAD, (1,))),
        (
            "changed after a replay: both loads go",
            "a",
            "2",
            [live(1, "a", "1"), live(2, "a", "r", replay=True)],
            Identity(Verdict.LOAD, (1, 2)),
        ),
        (
            "renamed copy",
            "b",
            "1",
            [live(1, "a", "1")],
            Identity(Verdict.DUPLICATE, (), 1),
        ),
        (
            "a corrected file that equals another's content ends its own version",
            "a",
            "2",
            [live(1, "a", "1"), live(2, "b", "2")],
            Identity(Verdict.DUPLICATE, (1,), 2),
        ),
        ("empty twin", "b", "1", [live(1, "a", "1", parsed=0)], Identity(Verdict.LOAD)),
        (
            "replayed bytes are no file's content",
            "b",
            "r",
            [live(2, "a", "r", replay=True)],
            Identity(Verdict.LOAD),
        ),
    ],
)
def test_identity(
    told: str, name: str, sha: str, loads: list[LiveLoad], expected: Identity
) -> None:
    assert identify(Arrival(name, sha), loads) == expected, told


def pending(name: str, size: int = 10, age: float = 0, cut_off: int = 0) -> Pending:
    file = StagedFile(name, size, 1_000_000_000 - int(age * 1e9), 1, 1)
    return Pending(file, "orders", NOON - timedelta(seconds=age), cut_off)


def names(batch: list[Pending]) -> list[str]:
    return [each.file.name for each in batch]


def test_a_lone_file_is_due_at_once_and_the_oldest_goes_first() -> None:
    config = LoadConfig()
    assert names(due([pending("a")], NOON, config)) == ["a"]
    assert names(due([pending("a"), pending("b", age=5)], NOON, config)) == ["b", "a"]
    assert due([], NOON, config) == []


def test_a_full_batch_does_not_linger() -> None:
    config = LoadConfig(batch_files_max=2, linger="1m")
    assert due([pending("a")], NOON, config) == []
    three = [pending(name) for name in "abc"]
    assert names(due(three, NOON, config)) == ["a", "b"]
    heavy = LoadConfig(batch_bytes_max=15, linger="1m")
    assert names(due(three, NOON, heavy)) == ["a"]
    assert names(due([pending("a", age=61)], NOON, config)) == ["a"]


def test_a_file_larger_than_a_batch_goes_alone() -> None:
    config = LoadConfig(batch_bytes_max=5)
    assert names(due([pending("a"), pending("b")], NOON, config)) == ["a"]


def test_a_file_whose_attempt_was_cut_off_goes_alone() -> None:
    files = [pending("a", age=9), pending("b", cut_off=1), pending("c", cut_off=2)]
    assert names(due(files, NOON, LoadConfig())) == ["a"], "the others go first"
    assert names(due(files[1:], NOON, LoadConfig())) == ["b"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("orders_2024-05-31.csv", datetime(2024, 5, 31, tzinfo=UTC)),
        ("orders_20240531.csv", datetime(2024, 5, 31, tzinfo=UTC)),
        ("2024/05/31/orders.csv", NOON),
        ("2023-01-01/orders_2024_05_31.csv", datetime(2024, 5, 31, tzinfo=UTC)),
        ("orders_20240531T2359.csv", datetime(2024, 5, 31, 23, 59, tzinfo=UTC)),
        (
            "orders_2024-05-31_12-30-15.csv",
            datetime(2024, 5, 31, 12, 30, 15, tzinfo=UTC),
        ),
        ("orders_2024-05-01_2024-06-01.csv", datetime(2024, 6, 1, tzinfo=UTC)),
        ("orders_20240501_20240601.csv", datetime(2024, 6, 1, tzinfo=UTC)),
        ("orders_20241331.csv", NOON),
        ("orders_99991231.csv", NOON),
        ("orders_120240531.csv", NOON),
        ("orders.csv", NOON),
    ],
)
def test_the_version_is_the_date_in_the_path(name: str, expected: datetime) -> None:
    assert version_at(name, NOON) == expected


@pytest.mark.parametrize(
    ("on_error", "parsed", "errors", "expected"),
    [
        ("continue", 10, 0, LoadStatus.LOADED),
        ("continue", 0, 0, LoadStatus.LOADED),
        ("continue", 10, 9, LoadStatus.PARTIALLY_LOADED),
        ("continue", 10, 10, LoadStatus.LOAD_FAILED),
        ("skip_file", 10, 1, LoadStatus.LOAD_FAILED),
        ("skip_file_3", 10, 2, LoadStatus.PARTIALLY_LOADED),
        ("skip_file_3", 10, 3, LoadStatus.LOAD_FAILED),
        ("skip_file_10%", 100, 10, LoadStatus.PARTIALLY_LOADED),
        ("skip_file_10%", 100, 11, LoadStatus.LOAD_FAILED),
        ("skip_file_0%", 100, 1, LoadStatus.LOAD_FAILED),
    ],
)
def test_on_error_has_snowflakes_meaning(
    on_error: str, parsed: int, errors: int, expected: LoadStatus
) -> None:
    assert judge(on_error, parsed, errors) is expected


def staged(age: float) -> StagedFile:
    return StagedFile("a", 1, int((NOON.timestamp() - age) * 1e9), 1, 1)


@pytest.mark.parametrize(
    ("age", "noticed", "seconds"),
    [
        (0, Noticed.PLACED, 0),
        (0, Noticed.CLOSED, 0.2),
        (0, Noticed.FOUND, 2),
        (100, Noticed.FOUND, -98),
        (-50, Noticed.FOUND, 2),
    ],
)
def test_a_file_is_whole_when_it_has_rested(
    age: float, noticed: Noticed, seconds: float
) -> None:
    sighting = Sighting(staged(age), NOON, noticed)
    whole = whole_at(sighting, timedelta(seconds=2))
    assert (whole - NOON).total_seconds() == pytest.approx(seconds, abs=1e-3)


@pytest.mark.parametrize(
    ("settle", "seconds"), [(0, 0), (0.1, 0.1), (2, 0.2), (2.5, 2.5), (60, 60)]
)
def test_a_longer_settle_is_for_writers_that_close_a_file_and_go_on(
    settle: float, seconds: float
) -> None:
    sighting = Sighting(staged(100), NOON, Noticed.CLOSED)
    whole = whole_at(sighting, timedelta(seconds=settle))
    assert (whole - NOON).total_seconds() == pytest.approx(seconds, abs=1e-3)


def test_a_file_that_changes_starts_to_rest_anew() -> None:
    first = sight(None, staged(0), NOON, Noticed.CLOSED)
    later = NOON + timedelta(seconds=1)
    assert sight(first, staged(0), later, Noticed.FOUND) == first
    grown = StagedFile("a", 2, first.file.mtime_ns, 1, 1)
    again = Sighting(grown, later, Noticed.FOUND)
    assert sight(first, grown, later, Noticed.FOUND) == again


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("a.csv", False),
        (".a.csv", True),
        ("a.csv.tmp", True),
        ("a.csv.PART", True),
        ("a.crdownload", True),
        ("_SUCCESS", True),
        ("a.csv~", True),
        ("temporary.csv", False),
    ],
)
def test_unfinished_names_are_left_alone(name: str, hidden: bool) -> None:
    assert (find_hidden([name]) is not None) is hidden
