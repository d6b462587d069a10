"""Large Parquet files are read as their rows are appended: what may go wrong then."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_shop import Shop, open_shop

from snowmelt.bronze import append, parquet
from snowmelt.bronze.append import Rows
from snowmelt.pipe.definition import Pipe
from snowmelt.warehouse.port import Session

RECORDS, BROKEN = 20_000, [7, 9_999, 20_000]
PIPE: dict[str, Any] = {
    "name": "large",
    "pattern": "*.parquet",
    "on_error": "continue",
    "file_format": {"type": "parquet"},
    "contract": {
        "columns": [
            {"name": "number", "type": "bigint"},
            {"name": "name", "type": "varchar", "nullable": False},
        ]
    },
}


def content() -> bytes:
    """Return a file of which three records break the contract."""
    numbers = range(1, RECORDS + 1)
    rng = random.Random(1)
    names = [None if n in BROKEN else f"n{n} {rng.random()}" for n in numbers]
    written = io.BytesIO()
    table = pa.table({"number": pa.array(numbers), "name": pa.array(names)})
    pq.write_table(table, written, row_group_size=3_000, compression="none")
    return written.getvalue()


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """A shop to which each file is a large one."""
    monkeypatch.setattr(parquet, "_VIEWED_BYTES", 1)
    with open_shop(tmp_path / "shop", [PIPE]) as opened_shop:
        yield opened_shop


def before_rows(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> list[int]:
    """Do something each time before rows are read from a view; return the calls."""
    require_same, calls = append._require_same, []

    def require(content: Any) -> None:
        calls.append(1)
        require_same(content)
        if len(calls) == 1:
            act()

    monkeypatch.setattr(append, "_require_same", require)
    return calls


def require_loaded(shop: Shop) -> None:
    """Require the account of the file: once, and right."""
    load = shop.history("file.parquet")[-1]
    kept = RECORDS - len(BROKEN)
    assert (load["status"], load["row_count"]) == ("Partially loaded", kept)
    assert [each.file_row for each in shop.rejects(load["load_seq"])] == BROKEN
    ((right, count),) = shop.rows(
        "select count(*) filter (_file_row = number and starts_with(name, 'n' || "
        "number)), count(*) from bronze.large__all"
    )
    assert (right, count) == (kept, kept)


def test_rows_come_straight_from_the_file(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = before_rows(monkeypatch, lambda: None)
    shop.land("file.parquet", content())
    shop.load()
    require_loaded(shop)
    assert len(calls) == 2, "the rows were not read from a view"


def test_a_broken_page_is_found_as_it_is_read(shop: Shop) -> None:
    """The names are text, of which a changed byte may be another text: not here."""
    raw = bytearray(content())
    at = raw.index(b"n500 ")
    raw[at : at + 1] = b"\xff"
    shop.land("file.parquet", bytes(raw))
    shop.load()
    (load,) = shop.history("file.parquet")
    assert (load["status"], load["row_count"]) == ("Load failed", 0)
    assert "UTF" in load["first_error_message"]
    assert shop.rows("select count(*) from bronze.large__all") == [(0,)]


def test_another_file_in_its_place_is_loaded_and_not_the_first(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = io.BytesIO()
    pq.write_table(pa.table({"number": [1], "name": ["other"]}), other)

    def replace() -> None:
        shop.land("file.parquet", other.getvalue())

    before_rows(monkeypatch, replace)
    shop.land("file.parquet", content())
    shop.load()
    (load,) = shop.history("file.parquet")
    assert (load["status"], load["row_count"]) == ("Loaded", 1)
    assert shop.rows("select number, name from bronze.large__all") == [(1, "other")]


def test_what_takes_too_long_does_not_keep_others_waiting(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stopped, and read again beside the others, into a table of its own."""
    append_in_time = append._append

    def append_slowly(session: Session, pipe: Pipe, rows: Rows, now: datetime) -> int:
        if rows.viewed:
            session.execute("select sum(n) from range(1_000_000_000_000) as r (n)")
        return append_in_time(session, pipe, rows, now)

    monkeypatch.setattr(append, "_VIEWED_SECONDS", 0.1)
    monkeypatch.setattr(append, "_append", append_slowly)
    calls = before_rows(monkeypatch, lambda: None)
    shop.land("file.parquet", content())
    shop.load()
    require_loaded(shop)
    assert len(calls) == 1, "it was not stopped"
