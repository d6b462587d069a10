"""Whatever came, came again, went backwards or was replayed: the same rows count there.

Random histories are loaded here, moved in between and at the end. The view there tells
versions apart by what was shipped; here load history does.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moved_project import BUCKET, Move, opened_shop
from small_shop import Shop, columns

from s3_server import S3Server, started_server
from snowmelt.service.commands import OwnCommands

LONG_AGO = 1_700_000_000
CONTRACT = columns("id integer, word varchar")
PIPES: list[dict[str, Any]] = [
    {"name": "newest", "on_error": "continue"},
    {"name": "each", "on_error": "continue", "on_same_name_changed": "append"},
    {"name": "first", "on_same_name_changed": "ignore"},
    {"name": "whole", "mode": "snapshot"},
    {"name": "dated", "path_date": False, "on_error": "continue"},
]
for pipe in PIPES:
    pipe.pop("path_date", None)
    pipe["pattern"] = f"{pipe['name']}/**/*.csv"
    pipe["contract"] = CONTRACT
NAMES = {
    "dated": ("2024-06-01/a.csv", "2024-06-02/a.csv", "2999-01-01/a.csv"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with started_server() as running:
        running.s3.create_bucket(Bucket=BUCKET)
        yield running


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.long) for n in range(25)]
)
def test_the_same_rows_count_there(tmp_path: Path, server: S3Server, seed: int) -> None:
    rng = random.Random(seed)
    with opened_shop(tmp_path, server, PIPES) as shop:
        move = Move(shop, server)
        for _ in range(4):
            for _ in range(rng.randint(1, 8)):
                land_something(shop, rng)
            shop.load()
            if rng.random() < 0.5:
                again(shop, rng)
            if rng.random() < 0.4:
                move.move()
        final = move.move()
        for pipe in PIPES:
            name = pipe["name"]
            asked = "select id, word, _file, _file_row::bigint from {}.{} order by all"
            here = shop.rows(asked.format("bronze", name))
            there = move.account.ask(asked.format("shop.bronze", name))
            assert there == here, (seed, name)
            assert final[name].is_alike, final[name]


def land_something(shop: Shop, rng: random.Random) -> None:
    """Land a file: of any pipe, under any of few names, older or newer than others."""
    pipe = rng.choice(PIPES)["name"]
    name = rng.choice(NAMES.get(pipe, ("a.csv", "b.csv", "sub/c.csv")))
    number = rng.choice((0, 1, 2, 3)) if rng.random() < 0.3 else rng.randint(1, 5)
    lines = [f"{rng.randint(1, 9)},{rng.choice('xyzü')}" for _ in range(number)]
    if rng.random() < 0.3:
        lines.append("no,number")
    path = shop.land(f"{pipe}/{name}", "\n".join(["id,word", *lines, ""]).encode())
    moment = LONG_AGO + rng.randint(0, 10**6)
    os.utime(path, (moment, moment))


def again(shop: Shop, rng: random.Random) -> None:
    """Load a file again, or what was refused of one."""
    commands = OwnCommands(shop.loop, serving=False)
    files = sorted(
        path.relative_to(shop.parts.project.landing).as_posix()
        for path in shop.parts.project.landing.rglob("*.csv")
        if path.parts[-2] != "whole"
    )
    if files and rng.random() < 0.7:
        commands.reload([rng.choice(files)])
        shop.load()
