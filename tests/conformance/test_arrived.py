"""Which files are there for whoever waits: loaded since, or come again and known."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_history_lookups import NOON, open_file, record

from snowmelt.landing.s3_version import staged_version
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.history import LoadStatus, insert_loads, settle_files
from snowmelt.service.errands.arrived import arrived_document
from snowmelt.warehouse.duckdb.warehouse import DuckDBWarehouse

LATER = NOON + timedelta(hours=1, milliseconds=700)
"""When whoever waits began to."""


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    opened = open_file(tmp_path / "w.duckdb")
    yield opened
    opened.close()


def placed(name: str, after: timedelta) -> StagedFile:
    """Return a file that got its name then; it has the old time of its source."""
    ctime_ns = int((LATER + after).timestamp() * 1_000_000) * 1000
    return StagedFile(name, 9, mtime_ns=1, inode=1, ctime_ns=ctime_ns)


def put(name: str, after: timedelta) -> StagedFile:
    return staged_version(name, 9, LATER + after, f"etag of {name}")


def arrived(warehouse: DuckDBWarehouse, name: str = "*") -> dict[str, Any]:
    parts = SimpleNamespace(warehouse=warehouse, pending=SimpleNamespace(states=list))
    loop: Any = SimpleNamespace(parts=parts, lock=threading.RLock())
    return arrived_document(loop, "t", name, LATER.isoformat())


SECOND, MOMENT = timedelta(seconds=1), timedelta(milliseconds=1)


@pytest.mark.parametrize("place", [placed, put])
def test_what_came_again_since_counts_and_what_lay_there_does_not(
    warehouse: DuckDBWarehouse, place: Any
) -> None:
    files = [
        place("before", -2 * SECOND),
        place("at_once", MOMENT),
        place("after", 60 * SECOND),
    ]
    with warehouse.session() as session:
        insert_loads(session, [record(n, f.name, "s") for n, f in enumerate(files)])
        settle_files(session, [(f, "t", "d", "Loaded", 0) for f in files])
    found = arrived(warehouse)
    assert sorted(found["files"]) == ["after", "at_once"]
    assert (found["loaded"], found["failed"], found["row_count"]) == (2, 0, 4)
    assert arrived(warehouse, "at_*")["files"] == ["at_once"]


def test_what_is_loaded_since_counts_and_each_file_as_its_newest_version(
    warehouse: DuckDBWarehouse,
) -> None:
    after = LATER + MOMENT
    with warehouse.session() as session:
        insert_loads(
            session,
            [
                record(1, "good", "a", last_load_time=after),
                record(2, "old", "b"),
                record(3, "again", "c"),
                record(
                    4, "again", "d", last_load_time=NOON, status=LoadStatus.LOAD_FAILED
                ),
                record(5, "other", "e", pipe_name="o", last_load_time=after),
            ],
        )
        came = placed("again", SECOND), placed("other", SECOND)
        settle_files(
            session,
            [(came[0], "t", "d", "Load failed", 4), (came[1], "o", "d", "Loaded", 5)],
        )
    found = arrived(warehouse)
    assert (found["files"], found["failed"]) == (["good"], 1)
    assert [each["file"] for each in found["failed_loads"]] == ["again"]
