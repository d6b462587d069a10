"""Pipes of snapshots: each file is the whole truth."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_shop import Shop, columns, open_shop

PIPE = {
    "name": "stock",
    "pattern": "stock_*.csv",
    "mode": "snapshot",
    "on_error": "continue",
    "contract": columns("id integer"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [PIPE]) as shop:
        yield shop


def live(shop: Shop) -> list[int]:
    return [row[0] for row in shop.rows("select id from bronze.stock order by id")]


def body(*ids: int) -> bytes:
    return b"id\n" + b"".join(b"%d\n" % each for each in ids)


def test_rows_that_the_newest_file_lacks_are_gone(shop: Shop) -> None:
    shop.land("stock_2026-11-01.csv", body(1, 2, 3))
    shop.load()
    shop.land("stock_2026-11-02.csv", body(2, 3, 4))
    shop.load()
    assert live(shop) == [2, 3, 4]
    assert shop.rows("select count(*) from bronze.stock__all") == [(6,)]


def test_a_snapshot_that_comes_late_changes_nothing(shop: Shop) -> None:
    shop.land("stock_2026-11-02.csv", body(2))
    shop.load()
    shop.land("stock_2026-11-01.csv", body(1))
    shop.load()
    assert live(shop) == [2]
    (late,) = shop.history("stock_2026-11-01.csv")
    (newest,) = shop.history("stock_2026-11-02.csv")
    assert late["status"] == "Loaded"
    assert late["superseded_by"] == newest["load_seq"]


def test_the_same_truth_on_another_day_is_the_truth_of_that_day(shop: Shop) -> None:
    for day, ids in (("01", (1,)), ("02", (2,)), ("03", (1,))):
        shop.land(f"stock_2026-11-{day}.csv", body(*ids))
        shop.load()
    assert live(shop) == [1]
    assert len(shop.history("stock_2026-11-03.csv")) == 1


def test_a_corrected_snapshot_takes_the_place_of_its_first_version(shop: Shop) -> None:
    shop.land("stock_2026-11-01.csv", body(1))
    shop.land("stock_2026-11-02.csv", body(2))
    shop.load()
    shop.land("stock_2026-11-01.csv", body(7))
    shop.load()
    assert live(shop) == [2]
    shop.land("stock_2026-11-02.csv", body(8))
    shop.load()
    assert live(shop) == [8]


def test_a_snapshot_that_fails_leaves_the_one_before_it(shop: Shop) -> None:
    shop.land("stock_2026-11-01.csv", body(1))
    shop.land("stock_2026-11-02.csv", b"no\nheader\n")
    shop.load()
    assert live(shop) == [1]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_order_the_newest_is_live(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)
    days = list(range(1, 9))
    chance.shuffle(days)
    for day in days:
        shop.land(f"stock_2026-11-{day:02}.csv", body(day, 100))
        if chance.random() < 0.5:
            shop.load()
    shop.load()
    assert live(shop) == [8, 100]


def test_an_empty_snapshot_empties(shop: Shop) -> None:
    shop.land("stock_2026-11-01.csv", body(1))
    shop.land("stock_2026-11-02.csv", body())
    shop.load()
    assert live(shop) == []
