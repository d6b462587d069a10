"""What is in the landing folder is what is in bronze, once, however it came there.

The model is simple: after every load, the live rows of a pipe are the rows of the
distinct contents that lie in its folder. Files are renamed, swapped, rotated, copied,
corrected and touched, many of them between two loads.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_shop import Shop, columns, open_shop

PIPE = {
    "name": "t",
    "pattern": "t*.csv",
    "on_error": "continue",
    "contract": columns("id integer"),
}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path / "shop", [PIPE]) as opened:
        yield opened


def content(*ids: int) -> bytes:
    return b"id\n" + b"".join(b"%d\n" % each for each in ids)


def live(shop: Shop) -> list[int]:
    return [row[0] for row in shop.rows("select id from bronze.t order by id")]


def lying(shop: Shop) -> list[int]:
    """Return what the folder says: each distinct content's records, once."""
    distinct = {path.read_bytes() for path in shop.parts.project.landing.glob("*.csv")}
    return sorted(int(each) for text in distinct for each in text.split()[1:])


def test_a_rotated_log_keeps_its_rows(shop: Shop) -> None:
    shop.land("t.csv", content(1, 2))
    shop.load()
    landing = shop.parts.project.landing
    (landing / "t.csv").rename(landing / "t_1.csv")
    shop.land("t.csv", content(3))
    shop.load()
    assert live(shop) == [1, 2, 3]


def test_swapped_files_keep_their_rows(shop: Shop) -> None:
    shop.land("t_1.csv", content(1))
    shop.land("t_2.csv", content(2))
    shop.load()
    shop.land("t_1.csv", content(2))
    shop.land("t_2.csv", content(1))
    shop.load()
    assert live(shop) == [1, 2]


def test_a_touched_copy_stands_in_when_its_original_is_corrected(shop: Shop) -> None:
    shop.land("t_1.csv", content(1))
    shop.load()
    copy = shop.land("t_2.csv", content(1))
    shop.load()
    os.utime(copy)
    shop.load()
    shop.land("t_1.csv", content(3))
    shop.load()
    assert live(shop) == [1, 3]


def test_a_correction_under_an_old_modification_time_is_seen(shop: Shop) -> None:
    path = shop.land("t.csv", content(1))
    before = path.stat()
    shop.load()
    path.write_bytes(content(7))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    shop.load()
    assert live(shop) == [7]


def change(shop: Shop, rng: random.Random) -> None:
    """Do one thing to the folder that users and their tools do."""
    landing = shop.parts.project.landing
    names = [f"t_{number}.csv" for number in range(4)]
    there = [name for name in names if (landing / name).exists()]
    name = rng.choice(names)
    kind = rng.choice(["write", "write", "copy", "swap", "rotate", "touch"])
    if kind == "write" or not there:
        shop.land(name, content(*rng.sample(range(8), rng.randint(1, 2))))
        return
    other = rng.choice(there)
    if kind == "copy":
        shop.land(name, (landing / other).read_bytes())
    elif kind == "touch":
        os.utime(landing / other)
    elif kind == "swap":
        first, second = rng.choice(there), other
        one, two = (landing / first).read_bytes(), (landing / second).read_bytes()
        shop.land(first, two)
        shop.land(second, one)
    else:
        (landing / other).replace(landing / name)
        shop.land(other, content(rng.randint(10, 99)))


@pytest.mark.parametrize(
    "seed",
    [*range(2), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(2, 40))],
)
def test_bronze_is_what_lies_in_the_folder(shop: Shop, seed: int) -> None:
    rng = random.Random(seed)
    for step in range(40):
        for _ in range(rng.randint(1, 4)):
            change(shop, rng)
        shop.load()
        assert live(shop) == lying(shop), f"seed {seed}, step {step}"
