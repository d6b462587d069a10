"""A query in a child takes no more than it may, and nothing of ours goes with it."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest

from snowmelt.warehouse.duckdb import question_parent
from snowmelt.warehouse.duckdb.question_parent import (
    ChildError,
    ChildQuestion,
    asking_child,
)

FOR_EVER = "select sum(a.range + b.range) from range(1000000000) a, range(1000000) b"
EATERS = [
    "select count(distinct range::varchar || repeat('x', 999)) from range(3_000_000)",
    "select repeat('x', 900_000_000) || repeat('y', 900_000_000)",
]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("published") / "published.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema gold")
        connection.execute(
            "create table gold.orders as select range as id, 1.50::decimal(9, 2) as "
            "amount, timestamptz '2026-01-02 03:04:05+00' as at from range(5000)"
        )
    return path


def question(database: Path, sql: str, **given: Any) -> ChildQuestion:
    asked = ChildQuestion(str(database), sql, 100, 20.0, 1 << 28)
    return replace(asked, **given)


def answer(asked: ChildQuestion) -> list[dict[str, Any]]:
    with asking_child(asked) as lines:
        return list(lines)


def test_it_answers_as_the_warehouse_does(database: Path) -> None:
    head, rows, end = answer(
        question(database, "select * from gold.orders order by id limit 2")
    )
    assert head["columns"] == ["id", "amount", "at"]
    assert head["types"] == ["BIGINT", "DECIMAL(9,2)", "TIMESTAMP WITH TIME ZONE"]
    assert rows["rows"][1] == [1, "1.50", "2026-01-02T03:04:05+00:00"]
    assert end == {"more": False}


def test_rows_have_a_limit(database: Path) -> None:
    said = answer(question(database, "select * from gold.orders"))
    assert sum(len(each["rows"]) for each in said if "rows" in each) == 100
    assert said[-1] == {"more": True}


def test_what_runs_for_ever_is_killed_in_time(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(question_parent, "_GRACE_SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(ChildError) as error:
        answer(question(database, FOR_EVER, seconds=1.0))
    assert error.value.kind in ("time", "killed")
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("sql", EATERS)
def test_what_eats_memory_ends_alone(database: Path, sql: str) -> None:
    before = own_memory()
    with pytest.raises(ChildError) as error:
        answer(question(database, sql, memory_bytes=1 << 27))
    assert error.value.kind in ("memory", "killed")
    assert own_memory() - before < 1 << 26
    assert answer(question(database, "select 1"))[-1] == {"more": False}


def own_memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def test_nothing_of_ours_goes_with_it(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No environment, no open file of ours, no network where the kernel lets us."""
    monkeypatch.setenv("SNOWMELT_SECRET", "a-secret")
    found: dict[str, Any] = {}
    asked = question(database, FOR_EVER, seconds=20.0)
    began = threading.Event()

    def ask() -> None:
        with pytest.raises(ChildError), asking_child(asked) as lines:
            began.set()
            list(lines)

    thread = threading.Thread(target=ask)
    thread.start()
    began.wait(10)
    child = wait_for_child()
    try:
        for _ in range(200):
            names = [fd.resolve().name for fd in Path(f"/proc/{child}/fd").iterdir()]
            if database.name in names:
                break
            threading.Event().wait(0.02)
        found["environ"] = Path(f"/proc/{child}/environ").read_bytes()
        found["limits"] = Path(f"/proc/{child}/limits").read_text()
        net = Path(f"/proc/{child}/ns/net").readlink()
        devices = Path(f"/proc/{child}/net/dev").read_text().splitlines()[2:]
    finally:
        os.kill(child, 9)
        thread.join()
    assert b"a-secret" not in found["environ"]
    assert found["environ"] == b"LANG=C.UTF-8\0"
    assert database.name in names
    lines = found["limits"].splitlines()
    limits = {line[:26].strip(): line[26:].split() for line in lines}
    assert limits["Max file size"][:2] == ["0", "0"]
    assert limits["Max open files"][:2] == ["64", "64"]
    assert limits["Max core file size"][:2] == ["0", "0"]
    assert int(limits["Max address space"][0]) < 2 << 30
    if net != Path("/proc/self/ns/net").readlink():
        assert [line.split(":")[0].strip() for line in devices] == ["lo"]


def wait_for_child() -> int:
    own = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    for _ in range(300):
        tasks = Path("/proc/self/task").iterdir()
        for task in tasks:
            for child in (task / "children").read_text().split():
                words = Path(f"/proc/{child}/cmdline").read_bytes()
                if b"question_child" in words:
                    return int(child)
        threading.Event().wait(0.02)
    raise AssertionError(own)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "copy (select 1) to '/tmp/snowmelt-question.csv'",
        "attach '/tmp/snowmelt-question.db'",
        "set memory_limit = '100GB'",
        "select * from read_csv('https://127.0.0.1:1/x.csv')",
    ],
)
def test_even_unjudged_it_can_do_nothing(database: Path, sql: str) -> None:
    """The judge is not the only wall: the child's engine refuses by itself."""
    with pytest.raises(ChildError):
        answer(question(database, sql))
    assert not Path("/tmp/snowmelt-question.csv").exists()


def test_a_file_is_written_where_it_may_be_and_no_larger(
    database: Path, tmp_path: Path
) -> None:
    target = tmp_path / "answer.parquet"
    sql = f"copy (select * from gold.orders) to '{target}' (format parquet)"
    said = answer(question(database, sql, target=str(target), file_bytes=1 << 20))
    assert said == [{"written": True}]
    count = duckdb.sql(f"select count(*) from '{target}'").fetchone()
    assert count == (5000,)
    target.unlink()
    with pytest.raises(ChildError):
        answer(question(database, sql, target=str(target), file_bytes=500))
