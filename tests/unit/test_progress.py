"""What a command says while files load, where stderr is no terminal."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from snowmelt.clock import SystemClock
from snowmelt.events import CopyStarted, FileSettled
from snowmelt.observe.progress import Progress

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MEGABYTE = 1_000_000


class Watch(SystemClock):
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


def settled(pipe: str, megabytes: float) -> FileSettled:
    return FileSettled(
        pipe_name=pipe,
        file_name="a.csv",
        status="Loaded",
        row_count=10,
        error_count=0,
        first_error=None,
        row_parsed=10,
        file_bytes=int(megabytes * MEGABYTE),
        load_seq=1,
        started_at=NOW,
        ended_at=NOW,
    )


def begun(pipe: str, files: int, megabytes: int, left: int) -> CopyStarted:
    """A batch of one megabyte a file; `left` of the same wait behind it."""
    return CopyStarted(pipe, files, megabytes * MEGABYTE, left, left * MEGABYTE, NOW)


def test_what_is_left_is_told_with_the_time_it_takes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watch = Watch()
    with Progress(watch) as progress:
        progress(begun("orders", 2, 2, left=8))
        watch.seconds += 4
        progress(settled("orders", 1))
        assert capsys.readouterr().err == (
            "settled: 1 file, 10 rows loaded; 9 left, 9.0 MB, about 36 s\n"
        )
        watch.seconds += 1
        progress(settled("orders", 1))
        assert capsys.readouterr().err == "", "a line every two seconds"
        progress(begun("items", 1, 100, left=0))
        watch.seconds += 5
        progress(begun("orders", 1, 1, left=7))
        progress(settled("orders", 1))
        # 3 MB in 10 s, 107 MB to come
        assert capsys.readouterr().err == (
            "settled: 3 files, 30 rows loaded; 8 left, 107.0 MB, about 6 min\n"
        )
        for _ in range(7):
            progress(settled("orders", 1))
        progress(settled("items", 100))
        watch.seconds += 1000  # nothing waits: that time counts for nothing
        capsys.readouterr()
        progress(begun("orders", 1, 1, left=1))
        watch.seconds += 2
        progress(settled("orders", 1))
        assert capsys.readouterr().err == (
            "settled: 12 files, 120 rows loaded; 1 left, 1.0 MB, about 2 s\n"
        )
        progress(begun("orders", 1, 1, left=0))
        progress(settled("orders", 1))
    assert capsys.readouterr().err == "settled: 13 files, 130 rows loaded\n"
