"""Who is told what of memory that was short."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from snowmelt.events import (
    CopyFinished,
    CopyStarted,
    Event,
    Events,
    RunFinished,
    RunStarted,
    Spilled,
)
from snowmelt.observe.spills import SpillWatch
from snowmelt.warehouse.duckdb.warehouse import Limits, open_warehouse

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def test_each_that_is_under_way_is_told_the_most_there_was() -> None:
    on_disk = 0
    told: list[Event] = []
    events = Events()
    events.subscribe(told.append)
    watch = SpillWatch(lambda: on_disk, 100, events)
    watch(CopyStarted("a", 1, 1, 0, 0, NOW))
    watch.look()
    watch(RunStarted("r1", "new rows", NOW))
    on_disk = 7
    watch.look()
    on_disk = 0
    watch(CopyFinished("a", 1, "a.csv", NOW, NOW, None))
    watch(CopyStarted("b", 1, 1, 0, 0, NOW))
    watch.look()
    watch(CopyFinished("b", 1, "b.csv", NOW, NOW, None))
    watch(RunFinished("r1", "SUCCEEDED", 1.0, None, "new rows", NOW, NOW, ()))
    watch.close()
    assert told == [
        Spilled("a", None, 7, 100, NOW, NOW),
        Spilled(None, "r1", 7, 100, NOW, NOW),
    ]


def test_what_a_killed_process_spilled_is_cleared_away(tmp_path: Path) -> None:
    left = tmp_path / "tmp" / "duckdb_temp_storage_DEFAULT-0.tmp"
    other = tmp_path / "tmp" / "mine.csv"
    left.parent.mkdir()
    left.write_bytes(b"left")
    other.write_bytes(b"mine")
    warehouse = open_warehouse(tmp_path / "w.duckdb", folders=[], limits=Limits())
    assert warehouse.spilled_bytes() == 0
    warehouse.close()
    assert (left.exists(), other.exists()) == (False, True)
