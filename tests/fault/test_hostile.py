"""Files that take too long, or kill who reads them: they cost their own pipe alone."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_shop import Shop, columns, open_shop

from snowmelt.bronze import inspecting
from snowmelt.bronze.decoding import inflate
from snowmelt.bronze.inspection import inspect
from snowmelt.landing.opened import OpenedFile

CONTRACT = columns("id integer, name varchar")
PIPES: list[dict[str, Any]] = [
    {
        "name": "slow",
        "pattern": "slow/*",
        "file_format": {"type": "auto"},
        "limits": {"load_timeout": "1s"},
    },
    {"name": "quick", "pattern": "quick/*"},
]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    pipes = [pipe | {"contract": CONTRACT} for pipe in PIPES]
    with open_shop(tmp_path / "shop", pipes) as shop:
        yield shop


def cut_off(shop: Shop, name: str, times: int) -> None:
    """Leave attempts open, as a process that was killed does."""
    for _ in range(times):
        shop.parts.attempts.begin([name])
    shop.parts.pending.interrupted[name] = times


def status(shop: Shop, name: str) -> str:
    return str(shop.history(name)[-1]["status"])


def test_a_file_that_takes_too_long_fails_and_the_others_of_its_batch_load(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = inflate
    waiting = threading.Event()

    def slow(chunks: Iterator[bytes], compression: Any) -> Iterator[bytes]:
        for chunk in original(chunks, compression):
            if b"slow" in chunk:
                waiting.wait(1.3)
            yield chunk

    monkeypatch.setattr("snowmelt.bronze.intake.inflate", slow)
    for number in range(3):
        shop.land(f"slow/{number}.csv", f"id,name\n{number},a\n".encode())
    shop.land("slow/hostile.csv", b"id,name\n9,slow\n")
    shop.load()
    assert status(shop, "slow/hostile.csv") == "Load failed"
    message = shop.history("slow/hostile.csv")[-1]["first_error_message"]
    assert "took longer than 1 s (limits.load_timeout)" in message
    assert shop.rows("select id from bronze.slow order by id") == [(0,), (1,), (2,)]
    assert shop.parts.attempts.interrupted() == {}


def test_the_engine_is_interrupted_when_the_time_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = "select count(*) from range(1000000000000) where random() < 0"

    def never(self: object, inspections: object) -> list[Any]:
        with shop.parts.warehouse.session():
            raise AssertionError("not reached")

    def ask(self: Any, inspections: object) -> list[Any]:
        self._readers["csv"]._session.execute(endless)
        return never(self, inspections)

    monkeypatch.setattr("snowmelt.bronze.reading.Reading.read", ask)
    shop.land("slow/a.csv", b"id,name\n1,a\n")
    shop.load()
    assert status(shop, "slow/a.csv") == "Load failed"


def test_other_pipes_load_while_one_is_slow(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = inflate
    go_on = threading.Event()

    def stuck(chunks: Iterator[bytes], compression: Any) -> Iterator[bytes]:
        for chunk in original(chunks, compression):
            if b"slow" in chunk:
                go_on.wait(20)
            yield chunk

    monkeypatch.setattr("snowmelt.bronze.intake.inflate", stuck)
    shop.land("slow/a.csv", b"id,name\n1,slow\n")
    shop.land("quick/a.csv", b"id,name\n1,a\n")
    shop.loop.ask_refresh()
    for _ in range(500):
        shop.loop.turn()
        if shop.rows("select count(*) from bronze.quick") == [(1,)]:
            break
        shop.loop.wake.wait(0.02)
        shop.loop.wake.clear()
    assert shop.rows("select count(*) from bronze.quick") == [(1,)]
    assert not go_on.is_set()
    go_on.set()
    shop.load()


def test_an_attempt_left_open_after_its_commit_is_over_with_the_next_listing(
    shop: Shop,
) -> None:
    shop.land("quick/a.csv", b"id,name\n1,a\n")
    shop.load()
    cut_off(shop, "quick/a.csv", 1)
    shop.load()
    assert shop.parts.attempts.interrupted() == {}
    assert shop.parts.pending.interrupted == {}
    assert len(shop.history("quick/a.csv")) == 1


def test_a_file_whose_reading_was_cut_off_is_tried_by_a_child_and_loads(
    shop: Shop,
) -> None:
    shop.land("quick/a.csv", b"id,name\n1,a\n")
    cut_off(shop, "quick/a.csv", 1)
    shop.load()
    assert status(shop, "quick/a.csv") == "Loaded"
    assert shop.parts.attempts.interrupted() == {}


def test_a_file_that_kills_its_readers_is_held(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deadly = tmp_path / "deadly"
    tries = tmp_path / "tries"
    deadly.write_text(f"#!/bin/sh\necho x >> {tries}\nkill -9 $$\n")
    deadly.chmod(0o755)
    monkeypatch.setattr("snowmelt.service.trial.sys.executable", str(deadly))
    shop.land("quick/a.csv", b"id,name\n1,a\n")
    shop.land("quick/b.csv", b"id,name\n2,b\n")
    cut_off(shop, "quick/a.csv", 1)
    shop.load()
    assert len(tries.read_text().split()) == 2
    assert shop.rows("select id from bronze.quick") == [(2,)]
    (held,) = shop.rows("select file_name, reason, detail from snowmelt.held_files")
    assert held[:2] == ("quick/a.csv", "killed_reader")
    assert "killed by SIGKILL" in held[2]
    (state,) = shop.parts.pending.states()
    assert (state["file_name"], state["state"]) == ("quick/a.csv", "held")

    shop.land("quick/a.csv", b"id,name\n3,another version\n")
    shop.load()
    assert shop.rows("select id from bronze.quick order by id") == [(2,), (3,)]


def test_a_child_reads_by_the_contract_as_it_has_evolved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What kills may be in a column that the pipe's own file does not name."""
    told = tmp_path / "told"
    child = tmp_path / "child"
    child.write_text(f"#!/bin/sh\ncat > {told}\n")
    child.chmod(0o755)
    pipe = {
        "name": "grown",
        "pattern": "*.csv",
        "schema_evolution": "add_new_columns",
        "contract": columns("id integer, name varchar"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("a.csv", b"id,name,colour\n1,a,red\n")
        shop.load()
        shop.land("b.csv", b"id,name,colour\n2,b,blue\n")
        cut_off(shop, "b.csv", 1)
        with monkeypatch.context() as patched:
            patched.setattr("snowmelt.service.trial.sys.executable", str(child))
            shop.load()
        names = [each["name"] for each in json.loads(told.read_text())["columns"]]
        assert names == ["id", "name", "colour"]
        shop.land("c.csv", b"id,name,colour\n3,c,green\n")
        cut_off(shop, "c.csv", 1)
        shop.load()
        assert status(shop, "c.csv") == "Loaded"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("json", b"[%s]" % b",".join([b'{"id": 1, "name": "a"}'] * 100_000)),
        ("csv", b"id,name\n1,a\r\n" + b'2,"b"\n' * 1_000_000),
    ],
)
def test_our_own_loops_end_when_the_time_is_over(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, kind: str, content: bytes
) -> None:
    """An array is cut into records by us; lines that end in two ways are made alike."""
    read, inspected, waiting = OpenedFile.read, inspect, threading.Event()
    offsets: list[int] = []

    def read_slowly(self: OpenedFile, offset: int, size: int) -> bytes:
        if offsets:
            offsets.append(offset)
            waiting.wait(0.4 if offset > 0 else 0)
        return read(self, offset, size)

    def inspect_first(*given: Any) -> Any:
        found = inspected(*given)
        offsets.append(-1)  # from here on reading is slow
        return found

    monkeypatch.setattr(OpenedFile, "read", read_slowly)
    monkeypatch.setattr(inspecting, "inspect", inspect_first)
    shop.land(f"slow/a.{kind}", content)
    shop.load()
    assert status(shop, f"slow/a.{kind}") == "Load failed"
    message = shop.history(f"slow/a.{kind}")[-1]["first_error_message"]
    assert "took longer than 1 s (limits.load_timeout)" in message
    last = max(offsets)
    assert 0 < last < len(content) - (1 << 20), "it was read to the end"
