"""A warehouse is written anew whole or not at all, whenever the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from snowmelt.clock import SystemClock
from snowmelt.errors import EngineError, InUseError
from snowmelt.warehouse.duckdb import compaction
from snowmelt.warehouse.duckdb.compaction import Compacted
from snowmelt.warehouse.duckdb.system import ensure_system_tables
from snowmelt.warehouse.duckdb.warehouse import Limits, compacting_path, open_warehouse

MEMORY = 400_000_000
# Compacts argv[1], and is killed at the n-th line, argv[2], that the module runs.
KILLED = """
import os, signal, sys
from pathlib import Path
from snowmelt.warehouse.duckdb import compaction
left = int(sys.argv[2])
def watch(frame, event, argument):
    global left
    if frame.f_code.co_filename != compaction.__file__:
        return None
    if event == "line":
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return watch
sys.settrace(watch)
compaction.compact(Path(sys.argv[1]), threads=1, memory_bytes=400_000_000)
sys.settrace(None)
print(int(sys.argv[2]) - left)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A warehouse of which half was deleted."""
    path = tmp_path / "warehouse.duckdb"
    warehouse = open_warehouse(path, folders=[], limits=Limits(threads=1))
    ensure_system_tables(warehouse, SystemClock())
    with warehouse.session() as session:
        session.execute("create schema bronze")
        session.execute(
            "create table bronze.t__all as select i, hash(i)::varchar as told, "
            "i // 1000 as _load_seq from range(300000) as numbers (i)"
        )
        session.execute("create view bronze.t as select i, told from bronze.t__all")
        session.execute(
            "insert into snowmelt.staged_files select 'f' || i, i, i, i, 't', '', "
            "'Loaded', i, '', '' from range(1000) as numbers (i)"
        )
        warehouse.checkpoint()
        session.execute("delete from bronze.t__all where i < 280000")
        warehouse.checkpoint()
    warehouse.close()
    return path


def content(path: Path) -> list[object]:
    """Return what a warehouse says, opened as its next owner does."""
    warehouse = open_warehouse(path, folders=[], limits=Limits(threads=1))
    with warehouse.session() as session:
        found: list[object] = [
            session.rows("select count(*), sum(hash(told)) from bronze.t"),
            session.rows("select * from bronze.t__all limit 3"),
            session.rows(
                "select load_seq from snowmelt.staged_files where file_name = 'f77'"
            ),
            session.rows("select count(*) from snowmelt.copy_history"),
            session.rows("select index_name from duckdb_indexes() order by 1"),
            session.rows("select value from snowmelt.meta order by key"),
        ]
    warehouse.close()
    return found


def compact(path: Path) -> Compacted:
    return compaction.compact(path, threads=1, memory_bytes=MEMORY)


def test_what_was_deleted_takes_no_room(path: Path) -> None:
    before = content(path)
    done = compact(path)
    assert done.bytes_after == path.stat().st_size < done.bytes_before / 2
    assert content(path) == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


def test_killed_at_any_line_the_warehouse_is_whole(path: Path) -> None:
    before, kept = content(path), path.read_bytes()
    lines = int(_compact_until(path, 0).stdout)
    for line in range(1, lines, max(lines // 12, 1)):
        path.write_bytes(kept)
        ended = _compact_until(path, line)
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        assert content(path) == before, f"killed at line {line} of {lines}"
        left = sorted(each.name for each in path.parent.iterdir())
        assert left in ([path.name], [path.name, "tmp"]), left


def _compact_until(path: Path, line: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(line)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def interfere(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[..., None]
) -> None:
    original = getattr(compaction, name)

    def acting(*given: object) -> object:
        found = original(*given)
        act(*given)
        return found

    monkeypatch.setattr(compaction, name, acting)


def test_a_copy_that_lacks_a_row_is_not_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(source: object, arriving: Path) -> None:
        with duckdb.connect(str(arriving)) as copy:
            copy.execute("delete from bronze.t__all where i = 290000")

    before = content(path)
    interfere(monkeypatch, "_write", lose)
    with pytest.raises(EngineError, match=r"bronze\.t__all"):
        compact(path)
    assert content(path) == before
    assert not compacting_path(path).exists()


def test_what_is_committed_meanwhile_is_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the copy and the swap another process may own the file for a moment."""

    def write(_: object) -> None:
        monkeypatch.undo()
        with duckdb.connect(str(path)) as other:
            other.execute("create table bronze.mine as select 1 as one")

    interfere(monkeypatch, "_state", write)
    with pytest.raises(InUseError, match="meanwhile"):
        compact(path)
    with duckdb.connect(str(path)) as other:
        assert other.execute("select one from bronze.mine").fetchall() == [(1,)]


def test_a_warehouse_in_use_is_left_alone(path: Path) -> None:
    holding = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(1, flush=True); "
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holding, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(InUseError, match="owns"):
            compact(path)
        other.communicate()
