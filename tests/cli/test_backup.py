"""A backup is whole or not there, made while files are loaded, and can be put back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from shop import SNOWMELT, Shop
from snowmelt.clock import SystemClock
from snowmelt.errors import EngineError, UnreachableError, UsageError
from snowmelt.events import Events
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.external import kept_files, require_unchanged
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened
from snowmelt.service.parts import Parts
from snowmelt.warehouse.duckdb.backup import Counts, backup, read_manifest, restore

PROJECT = {
    "snowmelt.yml": "{version: 1, name: small, landing: {settle: 0s}}",
    "dbt_project.yml": "{name: small, version: 1.0.0, profile: snowmelt}",
    "pipes/t.yml": "{name: t, pattern: 't*.csv', on_error: continue, "
    "contract: {columns: [{name: id, type: integer}]}}",
}
CLOCK = SystemClock()
# Owns the project at argv[1] and makes a backup at argv[2], but is killed when
# function argv[3] of the backup's module is called for the argv[4]th time.
KILLED = """
import os, signal, sys
from pathlib import Path
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.opening import opened
from snowmelt.warehouse.duckdb import backup as module

root, target, name, left = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
original = getattr(module, name)

def counted(*arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **named)

setattr(module, name, counted)
with opened(load_project(root), SystemClock(), Events()) as parts:
    module.backup(parts.warehouse, root, Path(target), SystemClock())
"""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    root = tmp_path / "shop"
    for name, text in PROJECT.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "models").mkdir()
    return Shop(root)


@contextmanager
def owned(root: Path) -> Iterator[Parts]:
    with opened(load_project(root), CLOCK, Events()) as parts:
        yield parts


def load(parts: Parts, number: int) -> None:
    """Copy one file of ten records and one that is refused, as a batch of its own."""
    name = f"t_{number}.csv"
    records = "".join(f"{number * 10 + n}\n" for n in range(10))
    (parts.project.landing / name).write_text(f"id\n{records}x{number}\n")
    (pipe,) = parts.project.pipes
    staged = parts.stage.look(name)
    assert staged is not None
    with parts.loading:
        parts.copier.copy(pipe, [Pending(staged, pipe.name, CLOCK.now())])


def counts(path: Path) -> tuple[Any, ...]:
    """Return what one consistent state has in step: loads, rows, rejects."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute(
            "select count(*), coalesce(max(load_seq), 0), "
            "coalesce(sum(row_count), 0), coalesce(sum(error_count), 0), "
            "(select count(*) from bronze.t__all), "
            "(select count(*) from snowmelt.rejects) from snowmelt.load_history"
        ).fetchone()
    assert found is not None
    return found


def digest(path: Path) -> list[tuple[Any, ...]]:
    """Return every table's rows as one number, independent of their order."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute(
            "select schema_name, table_name from duckdb_tables() order by all"
        ).fetchall()
        return [
            (
                schema,
                table,
                *connection.execute(
                    f'select count(*), sum(hash(row)) from {schema}."{table}" as row'
                ).fetchall(),
            )
            for schema, table in tables
        ]


def test_a_backup_made_while_files_are_loaded_is_one_state(
    shop: Shop, tmp_path: Path
) -> None:
    stop = threading.Event()
    loaded: list[int] = []

    def go_on(parts: Parts) -> None:
        while not stop.is_set():
            load(parts, len(loaded))
            loaded.append(len(loaded))

    with owned(shop.root) as parts:
        loader = threading.Thread(target=go_on, args=[parts])
        loader.start()
        try:
            for number in range(4):
                before = len(loaded)
                target = tmp_path / f"backup-{number}"
                manifest = backup(parts.warehouse, shop.root, target, CLOCK)
                files, last, rows, errors, there, rejects = counts(
                    target / "warehouse.duckdb"
                )
                assert files == last == manifest["last_load_seq"] >= before
                assert rows == there == files * 10
                assert errors == rejects == files
                assert manifest["row_counts"]["bronze.t__all"] == rows
                assert {"folder": str(target), **read_manifest(target)} == manifest
        finally:
            stop.set()
            loader.join()
        assert len(loaded) > before
    assert not [each for each in tmp_path.iterdir() if each.name.startswith(".")]


def test_a_backup_during_a_run_has_the_loads_and_not_the_run(
    shop: Shop, tmp_path: Path
) -> None:
    with owned(shop.root) as parts, parts.warehouse.session() as run:
        with run.transaction():
            run.execute("create schema gold")
            run.execute("create table gold.half_built as select 1 as one")
            load(parts, 0)
            manifest = backup(parts.warehouse, shop.root, tmp_path / "b", CLOCK)
        assert manifest["last_load_seq"] == 1
        assert run.value("select count(*) from gold.half_built") == 1
    with duckdb.connect(str(tmp_path / "b" / "warehouse.duckdb")) as copy:
        assert copy.sql("select count(*) from bronze.t__all").fetchall() == [(10,)]
        assert not copy.sql("from duckdb_tables() where table_name = 'half_built'")


def test_the_warehouse_stays_its_owners_after_a_backup(
    shop: Shop, tmp_path: Path
) -> None:
    """Closing any descriptor of a file gives up the process's locks on it."""
    opening = "import duckdb, sys; duckdb.connect(sys.argv[1])"
    with owned(shop.root) as parts:
        backup(parts.warehouse, shop.root, tmp_path / "b", CLOCK)
        other = subprocess.run(
            [sys.executable, "-c", opening, str(parts.project.warehouse_path)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "Conflicting lock" in other.stderr


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        ("_copy_once", 1),
        ("_open_and_count", 1),
        ("_copy_project", 1),
        ("_sha256", 2),
        ("_write", 1),
        ("_sync", 3),
    ],
)
def test_a_backup_that_is_killed_leaves_nothing_under_its_name(
    shop: Shop, tmp_path: Path, function: str, calls: int
) -> None:
    with owned(shop.root) as parts:
        load(parts, 0)
    target = tmp_path / "backups" / "monday"
    killed = subprocess.run(
        [
            *(sys.executable, "-c", KILLED, str(shop.root), str(target)),
            *(function, str(calls)),
        ],
        check=False,
        capture_output=True,
    )
    assert killed.returncode == -9, killed.stderr
    assert not target.exists()
    with owned(shop.root) as parts:
        load(parts, 1)
        backup(parts.warehouse, shop.root, target, CLOCK)
    assert counts(target / "warehouse.duckdb")[:2] == (2, 2)
    assert [each.name for each in target.parent.iterdir()] == ["monday"]


def test_a_backup_that_cannot_be_written_leaves_nothing(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with owned(shop.root) as parts:
        with monkeypatch.context() as patch:
            patch.setattr("snowmelt.warehouse.duckdb.backup._copy_project", refuse)
            with pytest.raises(Exception, match="No space left"):
                backup(parts.warehouse, shop.root, tmp_path / "b" / "c", CLOCK)
        assert list((tmp_path / "b").iterdir()) == []
        (tmp_path / "b" / "mine.txt").write_text("mine")
        with pytest.raises(UsageError, match="something here already"):
            backup(parts.warehouse, shop.root, tmp_path / "b", CLOCK)


def test_a_copy_that_counts_otherwise_is_no_backup(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with owned(shop.root) as parts:
        load(parts, 0)
        monkeypatch.setattr(
            "snowmelt.warehouse.duckdb.backup._open_and_count",
            lambda _: Counts(last_load_seq=0, rows={}),
        )
        with pytest.raises(EngineError, match="changed each time"):
            backup(parts.warehouse, shop.root, tmp_path / "b" / "c", CLOCK)
    assert list((tmp_path / "b").iterdir()) == []


def test_what_was_put_back_is_equal_and_goes_on_loading(
    shop: Shop, tmp_path: Path
) -> None:
    target, path = tmp_path / "b", shop.root / ".snowmelt" / "warehouse.duckdb"
    with owned(shop.root) as parts:
        load(parts, 0)
        load(parts, 1)
        backup(parts.warehouse, shop.root, target, CLOCK)
        load(parts, 2)
    with pytest.raises(UsageError, match="a warehouse is here already"):
        restore(target, shop.root, path, CLOCK)
    assert counts(path)[1] == 3

    told = restore(target, shop.root, path, CLOCK, force=True)
    assert counts(Path(told["kept"]))[1] == 3
    assert digest(path) == digest(target / "warehouse.duckdb")
    assert (told["written"], told["differing"]) == ([], [])
    with owned(shop.root) as parts:
        load(parts, 2)
        with parts.warehouse.snapshot() as session:
            newest = session.rows(
                "select file_name, load_seq from snowmelt.load_history "
                "order by load_seq desc limit 1"
            )
    assert newest == [("t_2.csv", 3)]
    assert counts(path)[2] == 30


def test_a_lost_project_gets_its_settings_and_pipes_back(
    shop: Shop, tmp_path: Path
) -> None:
    target, other = tmp_path / "b", tmp_path / "other"
    with owned(shop.root) as parts:
        load(parts, 0)
        backup(parts.warehouse, shop.root, target, CLOCK)
    (other / "pipes").mkdir(parents=True)
    (other / "pipes" / "t.yml").write_text(PROJECT["pipes/t.yml"] + "\n# mine\n")
    told = restore(target, other, other / ".snowmelt" / "warehouse.duckdb", CLOCK)
    assert (told["written"], told["differing"]) == (["snowmelt.yml"], ["pipes/t.yml"])
    assert (other / "pipes" / "t.yml").read_text().endswith("# mine\n")
    assert load_project(other).settings.name == "small"
    assert counts(other / ".snowmelt" / "warehouse.duckdb")[:2] == (1, 1)


def test_a_backup_that_is_not_what_was_written_is_refused(
    shop: Shop, tmp_path: Path
) -> None:
    made, path = tmp_path / "b", tmp_path / "new" / "w.duckdb"
    with owned(shop.root) as parts:
        backup(parts.warehouse, shop.root, made, CLOCK)

    def spoiled(name: str) -> Path:
        return Path(shutil.copytree(made, tmp_path / name))

    changed = spoiled("changed")
    with (changed / "warehouse.duckdb").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    missing = spoiled("missing")
    (missing / "project" / "snowmelt.yml").unlink()
    no_backup = spoiled("no_backup")
    (no_backup / "manifest.json").write_text("{}")
    for source in (changed, missing, no_backup):
        with pytest.raises(UsageError):
            restore(source, tmp_path / "new", path, CLOCK)
    newer = spoiled("newer")
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(
        json.dumps(manifest | {"warehouse_version": 99})
    )
    with pytest.raises(UnreachableError, match="newer snowmelt"):
        restore(newer, tmp_path / "new", path, CLOCK)
    assert not (tmp_path / "new").exists()


@pytest.mark.long
def test_backup_and_restore_as_a_user_types_them(shop: Shop, tmp_path: Path) -> None:
    shop.land_bytes("t_1.csv", b"id\n1\n2\n")
    assert shop("run").code in (0, 1)
    made = shop("backup", "../monday", "--json")
    assert made.code == 0, made.stderr
    assert made.document["folder"] == str(tmp_path / "monday")
    assert made.document["row_counts"]["bronze.t__all"] == 2
    again = shop("backup", "../monday")
    assert again.code == 2
    assert "something here already" in again.stderr

    refused = shop("restore", "../monday")
    assert refused.code == 2
    assert "--force" in refused.stderr
    put_back = shop("restore", "../monday", "--force")
    assert put_back.code == 0, put_back.stderr
    assert "is kept" in put_back.stderr
    rows = shop("sql", "select count(*) from bronze.t", "--json").document["rows"]
    assert rows == [[2]]

    (tmp_path / "fresh").mkdir()
    fresh = shop("restore", "../monday", "--project-dir", str(tmp_path / "fresh"))
    assert fresh.code == 0, fresh.stderr
    assert (tmp_path / "fresh" / "pipes" / "t.yml").exists()


@pytest.mark.long
def test_a_service_makes_backups_and_keeps_others_from_restoring(
    shop: Shop, tmp_path: Path
) -> None:
    shop.land_bytes("t_1.csv", b"id\n1\n2\n")
    service = subprocess.Popen(
        [SNOWMELT, "up"],
        cwd=shop.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            if (shop.root / ".snowmelt" / "service.sock").exists():
                break
            CLOCK.wait(threading.Event(), 0.1)
        assert shop("status", "--json").document["service"]["running"]
        made = shop("backup", "../b", "--json")
        assert made.code == 0, made.stderr
        refused = shop("restore", "../b", "--force")
        assert refused.code == 4
        assert "a service runs here" in refused.stderr
        assert shop("status", "--json").document["service"]["running"]
    finally:
        service.terminate()
        service.wait(timeout=30)


def test_a_warehouse_that_another_process_owns_is_not_replaced(
    shop: Shop, tmp_path: Path
) -> None:
    path = shop.root / ".snowmelt" / "warehouse.duckdb"
    with owned(shop.root) as parts:
        backup(parts.warehouse, shop.root, tmp_path / "b", CLOCK)
    holding = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); "
        "sys.stdout.write('held'); sys.stdout.flush(); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", holding, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.read(4) == b"held"
        refused = shop("restore", str(tmp_path / "b"), "--force")
        assert refused.code == 4
        assert "another process owns" in refused.stderr
    finally:
        holder.communicate(b"")
    assert not list(path.parent.glob("*.before-*"))
    assert not list(path.parent.glob(".*.arriving"))


def make_external(shop: Shop) -> None:
    """Have bronze be a view of the files."""
    path = shop.root / "pipes" / "t.yml"
    path.write_text(path.read_text().replace("on_error: continue", "external: true"))


def load_external(parts: Parts, name: str, content: bytes) -> None:
    (parts.project.landing / name).write_bytes(content)
    (pipe,) = parts.project.pipes
    staged = parts.stage.look(name)
    assert staged is not None
    with parts.loading:
        parts.copier.copy(pipe, [Pending(staged, pipe.name, CLOCK.now())])


def test_the_files_that_bronze_reads_are_in_a_backup(
    shop: Shop, tmp_path: Path
) -> None:
    make_external(shop)
    everything = "select id, _file, _load_seq from bronze.t__all order by all"
    with owned(shop.root) as parts:
        load_external(parts, "t_1.csv", b"id\n1\n")
        (parts.project.landing / "t_1.csv").unlink()
        load_external(parts, "t_1.csv", b"id\n2\n")
        with parts.warehouse.session() as session:
            rows = session.rows(everything)
        backup(parts.warehouse, shop.root, tmp_path / "backup", CLOCK)
        load_external(parts, "t_2.csv", b"id\n3\n")
    assert rows == [(1, "t_1.csv", 1), (2, "t_1.csv", 2)]
    shutil.rmtree(shop.root / "landing")
    path = shop.root / ".snowmelt" / "warehouse.duckdb"
    restore(tmp_path / "backup", shop.root, path, CLOCK, force=True)
    other = tmp_path / "other"
    shutil.copytree(shop.root, other, ignore=shutil.ignore_patterns(".snowmelt"))
    restored = other / ".snowmelt" / "warehouse.duckdb"
    restore(tmp_path / "backup", other, restored, CLOCK)
    for root in (shop.root, other):
        with owned(root) as parts, parts.warehouse.session() as session:
            assert session.rows(everything) == rows
            require_unchanged(kept_files(session), parts.project.external)
    # what the warehouse before reads is kept as it is
    (before,) = (shop.root / ".snowmelt").glob("external.before-*")
    assert len([each for each in before.rglob("*") if each.is_file()]) == 3


def test_a_backup_of_what_was_written_over_is_refused(
    shop: Shop, tmp_path: Path
) -> None:
    make_external(shop)
    with owned(shop.root) as parts:
        load_external(parts, "t_1.csv", b"id\n1\n")
        with (parts.project.landing / "t_1.csv").open("ab") as file:
            file.write(b"2\n")
        with pytest.raises(EngineError, match=r"t_1\.csv: bronze is a view of it"):
            backup(parts.warehouse, shop.root, tmp_path / "backup", CLOCK)
    assert not (tmp_path / "backup").exists()
