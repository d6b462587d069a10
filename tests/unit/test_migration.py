"""A file that an older Snowmelt wrote opens here, and says what it said."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from snowmelt.clock import SystemClock
from snowmelt.errors import UnreachableError
from snowmelt.events import Events
from snowmelt.pipe.history import live_loads, next_load_seq, settled_files
from snowmelt.project.project import load_project
from snowmelt.service.commands import OwnCommands
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.warehouse.duckdb.backup import read_manifest
from snowmelt.warehouse.duckdb.migration import SCHEMA_VERSION
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import (
    STORAGE_VERSION,
    DuckDBWarehouse,
    Limits,
    open_warehouse,
)

VERSION_1 = Path(__file__).with_name("schema_1.sql")
VERSION_2 = Path(__file__).with_name("schema_2.sql")
VERSION_3 = Path(__file__).with_name("schema_3.sql")
VERSION_4 = Path(__file__).with_name("schema_4.sql")
VERSION_5 = Path(__file__).with_name("schema_5.sql")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
PROJECT = {
    "snowmelt.yml": "{version: 1, name: old, landing: {settle: 0s, refresh_every: 1h}}",
    "dbt_project.yml": "{name: old, version: 1.0.0, profile: snowmelt}",
    "pipes/orders.yml": """
name: orders
pattern: orders*.csv
on_error: continue
contract:
  columns:
    - {name: id, type: integer}
    - {name: name, type: varchar}
    - {name: amount, type: double}
""",
}
CAST = {"column_name": "amount", "category": "CAST", "error": "'x' is no double"}


@dataclass(frozen=True)
class Load:
    """A row of a version-1 load history, where it differs from the usual one."""

    seq: int
    name: str
    status: str = "Loaded"
    counts: tuple[int, int, int] = (2, 2, 0)
    superseded_by: int | None = None
    duplicate_of: int | None = None
    replay_of: int | None = None

    def row(self) -> tuple[Any, ...]:
        parsed, rows, errors = self.counts
        problem = ("'x' is no double", 3, 20, "amount") if errors else (None,) * 4
        at = NOON + timedelta(minutes=self.seq)
        return (
            *(self.name, "/shop/landing", at, rows, parsed, 40, *problem, errors),
            *("continue", self.status, "bronze", "orders", "orders"),
            *(at - timedelta(seconds=9), self.seq, f"sha-{self.seq}", NOON),
            *(self.superseded_by, self.duplicate_of, self.replay_of),
            *('["id", "name", "amount"]', at - timedelta(seconds=1)),
        )


LOADS = [
    Load(1, "orders_1.csv", superseded_by=3),
    Load(2, "orders_2.csv", "Partially loaded", (3, 1, 2)),
    Load(3, "orders_1.csv"),
    Load(4, "orders_3.csv", "Load failed", (2, 0, 1)),
    Load(5, "orders_1_copy.csv", "Load skipped", (0, 0, 0), duplicate_of=3),
    Load(6, "orders_2.csv", counts=(1, 1, 0), replay_of=2),
]


def write_version_1(path: Path) -> None:
    """Make a warehouse as version 1 made it: its own tables, one pipe, six loads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(str(path), config=config) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(VERSION_1.read_text())
        connection.execute(
            "insert into snowmelt.meta values "
            "('schema_version', '1'), ('created_by', 'snowmelt 0.1.0')"
        )
        places = ", ".join("?" * len(LOADS[0].row()))
        for load in LOADS:
            connection.execute(
                f"insert into snowmelt.load_history values ({places})", load.row()
            )
            connection.execute(
                "insert into snowmelt.staged_files "
                "select $1, 40, $2, $2, 'orders', 'digest', $3, $2 "
                "where $4 is null and $5 is null",
                [
                    *(load.name, load.seq, load.status),
                    *(load.superseded_by, load.replay_of),
                ],
            )
        for seq, row, line, replayed_by in (
            (2, 2, 3, None),
            (2, 3, 4, 6),
            (4, 1, 2, None),
        ):
            connection.execute(
                "insert into snowmelt.rejects values "
                "($1, 'orders', $2, $3, $4, 20, 'amount', 'CAST', $5, $6, $7, $8)",
                [
                    *(seq, next(x.name for x in LOADS if x.seq == seq), row, line),
                    *(CAST["error"], json.dumps([CAST]), b"2,b\xff,x", replayed_by),
                ],
            )
        connection.execute(
            'create table bronze."orders__all" (id integer, name varchar, '
            "amount double, _file varchar, _file_row bigint, _load_seq bigint, "
            "_version_at timestamptz, _loaded_at timestamptz)"
        )
        for load in LOADS:
            connection.execute(
                'insert into bronze."orders__all" '
                "select row, 'n', 1.5, $1, row, $2, $3, $3 "
                "from range(1, $4 + 1) as rows (row)",
                [load.name, load.seq, NOON, load.counts[1]],
            )
        connection.execute(
            'create view bronze."orders" as select arrived."id", arrived."name", '
            'arrived."amount", arrived."_file", arrived."_file_row", '
            'arrived."_load_seq", arrived."_version_at", arrived."_loaded_at" '
            'from bronze."orders__all" as arrived where not exists ('
            "select 1 from snowmelt.load_history as history "
            "where history.superseded_by is not null "
            "and history.load_seq = arrived._load_seq)"
        )
        connection.execute(
            "insert into snowmelt.attempts values ('orders_9.csv', 'orders', $1)",
            [NOON],
        )
        connection.execute(
            "insert into snowmelt.run_history values ('run-1', 'SUCCEEDED', 'news', "
            "$1, $1, 6, '[]', 'digest', 3, 4, null)",
            [NOON],
        )


def write_version_2(path: Path) -> None:
    """Make a warehouse as version 2 made it, with one run of two nodes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(str(path), config=config) as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(VERSION_2.read_text())
        connection.execute(
            "insert into snowmelt.meta values "
            "('schema_version', '2'), ('created_by', 'snowmelt 0.1.0')"
        )
        connection.execute(
            "insert into snowmelt.run_history values ('run-1', 'SUCCEEDED', 'news', "
            "$1, $1, 6, '', 'digest', 1, 1, null)",
            [NOON],
        )
        connection.execute(
            "insert into snowmelt.node_history values "
            "('run-1', 'orders', 'model', 'success', 0.5, null, 'OK'), "
            "('run-1', 'not_null_orders_id', 'test', 'pass', 0.1, 0, null)"
        )


def write_version_3(path: Path) -> None:
    """Make a warehouse as version 3 made it: its own tables, and nothing in them."""
    write_empty(path, "3", VERSION_3)


def write_version_4(path: Path) -> None:
    """Make a warehouse as version 4 made it: its own tables, and nothing in them."""
    write_empty(path, "4", VERSION_4)


def write_version_5(path: Path) -> None:
    """Make a warehouse as version 5 made it: its own tables, and nothing in them."""
    write_empty(path, "5", VERSION_5)


def write_empty(path: Path, version: str, tables: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"storage_compatibility_version": STORAGE_VERSION}
    with duckdb.connect(str(path), config=config) as connection:
        connection.execute(tables.read_text())
        connection.execute(
            "insert into snowmelt.meta values ('schema_version', $1)", [version]
        )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_version_1(tmp_path / "shop" / ".snowmelt" / "warehouse.duckdb")
    for name, text in PROJECT.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "shop"


@contextmanager
def open_project(root: Path) -> Iterator[Loop]:
    with opened(load_project(root), SystemClock(), Events()) as parts:
        loop = Loop(parts, publishes=False)
        try:
            yield loop
        finally:
            loop.close()


def open_file(path: Path) -> DuckDBWarehouse:
    return open_warehouse(path, folders=[], limits=Limits(threads=1))


def relations(warehouse: DuckDBWarehouse) -> dict[str, list[tuple[Any, ...]]]:
    """Return the schemas, and what the system schema is made of.

    Bronze is made with the first pipe, in the schema that the project names.
    """
    with warehouse.snapshot() as session:
        return {
            "schemas": session.rows(
                "select schema_name from duckdb_schemas() "
                "where not internal and schema_name <> 'bronze' order by all"
            ),
            "columns": session.rows(
                "select table_name, column_index, column_name, data_type, is_nullable, "
                "column_default from duckdb_columns() where schema_name = 'snowmelt' "
                "and not internal order by all"
            ),
            "indexes": session.rows(
                "select table_name, index_name, is_unique, expressions "
                "from duckdb_indexes() order by all"
            ),
            "macros": session.rows(
                "select function_name, parameters from duckdb_functions() "
                "where schema_name = 'snowmelt' and not internal order by all"
            ),
        }


@pytest.mark.parametrize(
    "write",
    [
        *(write_version_1, write_version_2, write_version_3, write_version_4),
        write_version_5,
    ],
)
def test_a_migrated_file_is_made_like_a_new_one(
    tmp_path: Path, write: Callable[[Path], None]
) -> None:
    write(tmp_path / "old" / "warehouse.duckdb")
    old = open_file(tmp_path / "old" / "warehouse.duckdb")
    new = open_file(tmp_path / "new.duckdb")
    try:
        ensure_system_tables(old)
        ensure_system_tables(new)
        for kind, made in relations(new).items():
            assert relations(old)[kind] == made, kind
            assert made, kind
    finally:
        old.close()
        new.close()


def test_runs_that_version_2_recorded_were_made_by_dbt(tmp_path: Path) -> None:
    write_version_2(tmp_path / "old" / "warehouse.duckdb")
    warehouse = open_file(tmp_path / "old" / "warehouse.duckdb")
    try:
        ensure_system_tables(warehouse)
        with warehouse.snapshot() as session:
            assert session.rows(
                "select run_id, state, read_through, way, fallback_reason "
                "from snowmelt.run_history"
            ) == [("run-1", "SUCCEEDED", 6, "dbt", None)]
            assert session.rows(
                "select node, status, seconds, form, rows_out, started_at "
                "from snowmelt.node_history order by resource_type"
            ) == [
                ("orders", "success", 0.5, "dbt", None, None),
                ("not_null_orders_id", "pass", 0.1, "dbt", None, None),
            ]
    finally:
        warehouse.close()


def test_a_migrated_file_answers_as_before(root: Path) -> None:
    with open_project(root) as loop:
        commands = OwnCommands(loop, serving=False)
        loads = commands.history(None, None, 50)["loads"]
        assert [load["load_seq"] for load in loads] == [6, 5, 4, 3, 2, 1]
        assert {load["status"] for load in loads} == {each.status for each in LOADS}
        assert all(
            each["first_commit_time"] == each["last_load_time"] for each in loads
        )
        assert all(load["etag"] is None for load in loads)

        rejects = commands.rejects(None, None, 50)
        found = [(each["file_name"], each["file_row"]) for each in rejects["rejects"]]
        assert found == [("orders_2.csv", 2), ("orders_3.csv", 1)]
        assert rejects["rejects"][0]["errors"] == [CAST]

        (pipe,) = commands.status()["pipes"]
        counted = ("files_loaded", "files_failed", "files_skipped", "row_count")
        assert [pipe[name] for name in counted] == [2, 1, 1, 4]
        assert pipe["open_rejects"] == 1
        with loop.parts.warehouse.snapshot() as session:
            assert session.value("select count(*) from bronze.orders") == 4
            kept = session.rows(
                "select line = row_start_line, timestamp, replayed_at is not null "
                "from snowmelt.rejects order by load_seq, file_row"
            )
        assert kept == [
            (True, NOON + timedelta(seconds=119), False),
            (True, NOON + timedelta(seconds=119), True),
            (True, NOON + timedelta(seconds=239), False),
        ]


def test_a_migrated_file_knows_what_was_loaded(root: Path) -> None:
    warehouse = open_file(root / ".snowmelt" / "warehouse.duckdb")
    try:
        ensure_system_tables(warehouse)
        with warehouse.session() as session:
            assert next_load_seq(session) == 7
            live = live_loads(session, "orders", ["orders_1.csv"], ["sha-2"])
            assert [(load.load_seq, load.row_parsed) for load in live] == [
                (2, 3),
                (3, 2),
            ]
            known = settled_files(session, ["orders_1.csv", "orders_3.csv", "none.csv"])
            assert sorted(known) == ["orders_1.csv", "orders_3.csv"]
            assert known["orders_3.csv"].settled == "Load failed"
            assert session.rows(
                "select distinct etag, version_id from snowmelt.staged_files"
            ) == [("", "")]
    finally:
        warehouse.close()


def test_a_migrated_file_goes_on_loading(root: Path) -> None:
    with open_project(root) as loop:
        (root / "landing" / "orders_9.csv").write_text("id,name,amount\n1,a,2.5\n")
        loop.ask_refresh()
        for _ in range(1000):
            loop.turn()
            if loop.is_quiet():
                break
            loop.wake.wait(0.02)
            loop.wake.clear()
        commands = OwnCommands(loop, serving=False)
        (newest, *_) = commands.history(None, None, 50)["loads"]
        assert (newest["file_name"], newest["load_seq"]) == ("orders_9.csv", 7)
        assert newest["status"] == "Loaded"
        assert newest["first_commit_time"] == newest["last_load_time"]


def test_the_file_is_kept_as_it_was_before_it_is_migrated(root: Path) -> None:
    warehouse = open_file(root / ".snowmelt" / "warehouse.duckdb")
    ensure_system_tables(warehouse)
    ensure_system_tables(warehouse)
    warehouse.close()
    (kept,) = (root / ".snowmelt" / "backups").iterdir()
    assert kept.name.endswith("-schema1")
    manifest = read_manifest(kept)
    assert (manifest["warehouse_version"], manifest["last_load_seq"]) == (1, 6)
    with duckdb.connect(str(kept / "warehouse.duckdb"), read_only=True) as connection:
        width = len(connection.sql("from snowmelt.load_history").columns)
    assert width == len(LOADS[0].row())


def test_a_migration_that_fails_changes_nothing(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / ".snowmelt" / "warehouse.duckdb"
    broken = (
        "alter table snowmelt.rejects add column one int;\nselect no_such_column;\n"
    )
    (tmp_path / "from_1.sql").write_text(broken)
    with monkeypatch.context() as patch:
        patch.setattr("snowmelt.warehouse.duckdb.migration.STEPS", tmp_path)
        warehouse = open_file(path)
        with pytest.raises(duckdb.BinderException):
            ensure_system_tables(warehouse)
        warehouse.close()
    warehouse = open_file(path)
    ensure_system_tables(warehouse)
    with warehouse.session() as session:
        version = session.value(
            "select value from snowmelt.meta where key = 'schema_version'"
        )
        assert int(version) == SCHEMA_VERSION
        assert "one" not in session.table("from snowmelt.rejects").columns
    warehouse.close()


def test_a_newer_file_is_refused(tmp_path: Path) -> None:
    warehouse = open_file(tmp_path / "new.duckdb")
    try:
        ensure_system_tables(warehouse)
        with warehouse.session() as session:
            session.execute(
                "update snowmelt.meta set value = $1 where key = 'schema_version'",
                [str(SCHEMA_VERSION + 1)],
            )
        with pytest.raises(UnreachableError, match="newer snowmelt"):
            ensure_system_tables(warehouse)
    finally:
        warehouse.close()
