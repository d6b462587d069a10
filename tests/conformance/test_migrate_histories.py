"""Whatever came, came again, went backwards or was replayed: the same rows count there.

Random histories are loaded here, moved in between and at the end. The view there tells
versions apart by what was shipped; here load history does. Of JSON one value may be
copied wrongly on its way: then that is found.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moved_project import BUCKET, Move, opened_shop
from small_shop import Shop, columns

from moved_account import read_there
from s3_server import S3Server, started_server
from snowmelt.deploy.migration.proof import Proof
from snowmelt.service.commands import OwnCommands

LONG_AGO = 1_700_000_000
CONTRACT = columns("id integer, word varchar, body json")
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
        move.account.reorders = rng.random() < 0.5
        final = lived_through(move, rng)
        for pipe in PIPES:
            name = pipe["name"]
            asked = (
                "select id, word, body::varchar, _file, _file_row::bigint "
                "from {}.{} order by 1, 2, 4, 5"
            )
            here = [
                (number, word, body and read_there(str(body))[0], *rest)
                for number, word, body, *rest in shop.rows(asked.format("bronze", name))
            ]
            there = [
                (number, word, body and read_there(str(body))[0], *rest)
                for number, word, body, *rest in move.account.ask(
                    asked.format("shop.bronze", name)
                )
            ]
            assert there == here, (seed, name)
            assert final[name].is_alike, final[name]


@pytest.mark.parametrize(
    "seed", [pytest.param(n, marks=pytest.mark.long) for n in range(25, 45)]
)
def test_one_value_that_was_copied_wrongly_is_found(
    tmp_path: Path, server: S3Server, seed: int
) -> None:
    """In its table, and in no other, as long as its row is not taken back."""
    rng = random.Random(seed)
    at, texts = rng.randint(0, 20), []

    def transit(text: str) -> str:
        texts.append(text)
        return text.replace('"n"', '"m"') if len(texts) == at + 1 else text

    with opened_shop(tmp_path, server, PIPES) as shop:
        move = Move(shop, server)
        move.account.transit = transit
        move.account.reorders = rng.random() < 0.5
        final = lived_through(move, rng)
    wrong = {name for name, proof in final.items() if not proof.is_alike}
    there = [
        row
        for pipe in PIPES
        for row in move.account.ask(
            f"select distinct (body->>'pipe') from shop.bronze.{pipe['name']}__all "
            "where (body->'m') is not null"
        )
    ]
    assert wrong == {name for (name,) in there}
    assert wrong <= {json.loads(text)["pipe"] for text in texts[at : at + 1]}
    for name in wrong:
        of_values = final[name].values
        assert of_values is not None
        assert of_values.both[0] != of_values.both[1]
        assert final[name].shipped[0] == final[name].shipped[1]


def lived_through(move: Move, rng: random.Random) -> dict[str, Proof]:
    """Load this and that, move in between and at the end; return the last proof."""
    for _ in range(4):
        for _ in range(rng.randint(1, 8)):
            land_something(move.shop, rng)
        move.shop.load()
        if rng.random() < 0.5:
            again(move.shop, rng)
        if rng.random() < 0.4:
            move.move()
    return move.move()


def land_something(shop: Shop, rng: random.Random) -> None:
    """Land a file: of any pipe, under any of few names, older or newer than others."""
    pipe = rng.choice(PIPES)["name"]
    name = rng.choice(NAMES.get(pipe, ("a.csv", "b.csv", "sub/c.csv")))
    number = rng.choice((0, 1, 2, 3)) if rng.random() < 0.3 else rng.randint(1, 5)
    lines = [
        f"{rng.randint(1, 9)},{rng.choice('xyzü')},{body(pipe, rng)}"
        for _ in range(number)
    ]
    if rng.random() < 0.3:
        lines.append("no,number,")
    content = "\n".join(["id,word,body", *lines, ""])
    path = shop.land(f"{pipe}/{name}", content.encode())
    moment = LONG_AGO + rng.randint(0, 10**6)
    os.utime(path, (moment, moment))


def body(pipe: str, rng: random.Random) -> str:
    """Return a value of JSON as a field of CSV."""
    told = json.dumps({"pipe": pipe, "n": [rng.randint(1, 3), {"b": "ü", "a": None}]})
    return '"' + told.replace('"', '""') + '"'


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
