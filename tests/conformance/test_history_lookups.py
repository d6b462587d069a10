"""Looking up one file costs the same after a million; and finds the same.

The engine takes an index only for a query that is written for it, so its own account
of each query is read here. That indexes answer rightly after commits, rollbacks,
deletions, and a file that was opened anew, is compared with reading everything.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from snowmelt.landing.stage import StagedFile
from snowmelt.pipe import history
from snowmelt.pipe.history import (
    LOOKUP_MAX,
    LoadRecord,
    LoadStatus,
    insert_loads,
    live_loads,
    next_load_seq,
    settle_files,
    settled_files,
    supersede,
)
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import DuckDBWarehouse, Limits, open_warehouse
from snowmelt.warehouse.port import Row, Session

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def open_file(path: Path) -> DuckDBWarehouse:
    warehouse = open_warehouse(path, folders=[], limits=Limits(threads=1))
    ensure_system_tables(warehouse)
    return warehouse


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    opened = open_file(tmp_path / "w.duckdb")
    yield opened
    opened.close()


def record(seq: int, name: str, sha: str, **given: Any) -> LoadRecord:
    usual: dict[str, Any] = {
        "stage_location": "/landing",
        "last_load_time": NOON,
        "row_count": 2,
        "row_parsed": 2,
        "file_size": 9,
        "first_error_message": None,
        "first_error_line_number": None,
        "first_error_character_pos": None,
        "first_error_column_name": None,
        "error_count": 0,
        "error_limit": "continue",
        "status": LoadStatus.LOADED,
        "table_schema_name": "bronze",
        "table_name": "t",
        "pipe_name": "t",
        "pipe_received_time": NOON,
        "version_at": NOON,
        "superseded_by": None,
        "duplicate_of": None,
        "replay_of": None,
        "header": None,
        "started_at": NOON,
    }
    known = {"load_seq": seq, "file_name": name, "content_sha256": sha}
    return LoadRecord(**usual | known | given)


def staged(name: str, size: int) -> StagedFile:
    return StagedFile(name, size, mtime_ns=size, inode=1, ctime_ns=size)


class Explained:
    """A session that notes how the engine carries out each query."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.scans: list[str] = []

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        ((_, plan),) = self._session.rows(
            f"explain (analyze, format json) {sql}", parameters
        )
        self.scans.append("index" if '"Index Scan"' in plan else "whole")
        return self._session.rows(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def test_what_a_batch_looks_up_is_looked_up_by_index(
    warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with warehouse.session() as session:
        for first in (0, 3000, 6000):
            insert_loads(
                session,
                [record(n, f"t_{n}", f"sha-{n}") for n in range(first, first + 3000)],
            )
            settle_files(
                session,
                [(staged(f"t_{n}", 1), "t", "d", "Loaded", n) for n in range(100)],
            )
        asked: Any = Explained(session)
        monkeypatch.setattr(history, "ROWS_PER_LOOKUP", 0)
        for count in (1, LOOKUP_MAX, LOOKUP_MAX + 1, 1000):
            names = [f"t_{n}" for n in range(count)]
            contents = [f"sha-{n}" for n in range(count)]
            assert len(live_loads(asked, "t", names, contents)) == count
            assert len(settled_files(asked, names)) == min(count, 100)
            assert set(asked.scans) == {"index"}, count
        asked.scans.clear()
        monkeypatch.setattr(history, "ROWS_PER_LOOKUP", 3000)
        live_loads(asked, "t", [f"t_{n}" for n in range(3 * LOOKUP_MAX)], [])
        assert asked.scans == ["whole"], "three lookups cost as much as 9,000 rows"
        asked.scans.clear()
        live_loads(asked, "t", [f"t_{n}" for n in range(2 * LOOKUP_MAX)], [])
        assert asked.scans == ["index", "index"]


Facts = tuple[int, str, str | None, int, bool]
"""(load_seq, file_name, content_sha256, row_parsed, replay) of a live load."""


def find_by_index(
    session: Session, names: Sequence[str], contents: Sequence[str]
) -> list[Facts]:
    return [
        (
            *(load.load_seq, load.file_name, load.content_sha256),
            *(load.row_parsed, load.replay),
        )
        for load in live_loads(session, "t", names, contents)
    ]


def find_by_reading_all(
    session: Session, names: Sequence[str], contents: Sequence[str]
) -> list[Facts]:
    rows = session.rows(
        "select load_seq, file_name, content_sha256, "
        "case when status = 'Load skipped' then 0 else row_parsed end, "
        "replay_of is not null from snowmelt.load_history "
        "where pipe_name = 't' and superseded_by is null and status <> 'Load failed' "
        "order by load_seq"
    )
    return [
        (row[0], row[1], row[2], row[3], row[4])
        for row in rows
        if row[1] in names or (row[2] in contents and row[3] > 0)
    ]


class Undone(Exception):
    """Rolls a transaction back."""


def commit_something(session: Session, rng: random.Random) -> None:
    """Load, settle and supersede a few files, as one batch does; or undo it."""
    first = next_load_seq(session)
    chosen = [
        record(
            first + n,
            f"t_{rng.randrange(40)}",
            f"sha-{rng.randrange(40)}",
            pipe_name=rng.choice("ttttu"),
            status=rng.choice(list(LoadStatus)),
            row_parsed=rng.choice((0, 2, 2)),
            duplicate_of=rng.choice((None, None, rng.randrange(first))),
            replay_of=rng.choice((None, None, None, 1)),
        )
        for n in range(rng.randint(1, 4))
    ]
    with suppress(Undone), session.transaction():
        insert_loads(session, chosen)
        settle_files(
            session,
            {
                each.file_name: (
                    staged(each.file_name, each.load_seq),
                    *("t", "digest", str(each.status), each.load_seq),
                )
                for each in chosen
            }.values(),
        )
        live = find_by_reading_all(session, [each.file_name for each in chosen], [])
        old = [load_seq for load_seq, *_ in live if load_seq < first]
        supersede(session, dict.fromkeys(old, first))
        if rng.randrange(5) == 0:
            raise Undone


@pytest.mark.parametrize("seed", range(3))
def test_a_lookup_finds_what_reading_everything_finds(
    seed: int, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    names = [f"t_{n}" for n in range(45)]
    contents = [f"sha-{n}" for n in range(45)]
    for _ in range(3):
        warehouse = open_file(tmp_path / "w.duckdb")
        with warehouse.session() as session:
            for _ in range(25):
                commit_something(session, rng)
                some = rng.sample(names, 3), rng.sample(contents, 3)
                assert find_by_index(session, *some) == find_by_reading_all(
                    session, *some
                )
            everything = session.rows(
                "select file_name, file_size from snowmelt.staged_files"
            )
            found = settled_files(session, names)
            assert sorted(
                (name, known.size) for name, known in found.items()
            ) == sorted(everything)
            assert find_by_index(session, names, contents) == find_by_reading_all(
                session, names, contents
            )
        warehouse.close()
