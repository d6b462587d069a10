"""Traces of the olist template against lines that are worked out by hand.

The short form of this is in test_synth_origins.py.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from asking import ask, published
from trace_oracle import Origin, Origins, records
from traced import traced

from shop import Shop
from snowmelt.service.commands import OwnCommands
from snowmelt.synth.olist import make_olist

KEYS = {
    "fct_orders": ("order_id",),
    "fct_order_items": ("order_id", "order_item_id"),
    "orders_by_state": ("month", "customer_state"),
    "category_sales": ("category",),
}
Lines = dict[tuple[str, ...], set[Origin]]


@dataclass
class History:
    """What lands on the shop, in the order in which it lands."""

    shop: Shop
    files: Path
    lots: random.Random

    def land(self, path: Path, *, bad: int = 2) -> None:
        """Land a file with some records that have a field too many."""
        lines = path.read_bytes().split(b"\n")
        whole = [
            number
            for number, line in enumerate(lines[1:-1], start=1)
            if line.count(b'"') == 0 and line.count(b",") > 1
        ]
        for place in sorted(self.lots.sample(whole, min(bad, len(whole)))):
            lines[place] += b",one more"
        self.shop.land_bytes(path.name, b"\n".join(lines))

    def correct(self, path: Path) -> None:
        """Land a file again under its name, its records in another order."""
        header, *rows = path.read_text().rstrip("\n").split("\n")
        assert '"' not in "".join(rows), "each record is a line"
        self.lots.shuffle(rows)
        rows = [row.replace("delivered", "shipped") for row in rows[5:]]
        self.shop.land_bytes(path.name, "\n".join([header, *rows, ""]).encode())

    def send_again(self, path: Path, name: str, change: Callable[[str], str]) -> None:
        """Land some of a file's records once more, changed, in a file of their own."""
        (_, header), *rows = records(path)
        kept = self.lots.sample(rows, len(rows) // 5)
        text = "".join(
            change(",".join(fields)) + "\n"
            for _, fields in kept
            if not set(',"\0') & set("".join(fields))
        )
        self.shop.land_bytes(name, (",".join(header) + "\n" + text).encode())


def live_through(history: History, commands: OwnCommands) -> None:
    files = sorted(history.files.glob("*.csv"))
    first = [path for path in files if not path.stem.endswith("_0002")]
    for path in first:
        history.land(path, bad=3 if "translation" not in path.name else 0)
    published(commands)
    for path in files:
        if path not in first:
            history.land(path)
    orders, items, reviews = (
        history.files / f"olist_{name}_dataset_0001.csv"
        for name in ("orders", "order_items", "order_reviews")
    )
    history.shop.land_bytes("olist_orders_dataset_copy.csv", _landed(history, "orders"))
    published(commands)
    history.correct(orders)
    history.send_again(
        items,
        "olist_order_items_dataset_late.csv",
        lambda line: re.sub(r",[\d.]+$", ",0.01", line),
    )
    history.send_again(  # answered before: these lose, although they come later
        reviews,
        "olist_order_reviews_dataset_late.csv",
        lambda line: re.sub(r",\d{4}(-[^,]*)$", r",2001\1", line),
    )
    published(commands)


def _landed(history: History, name: str) -> bytes:
    path = history.shop.root / "landing" / f"olist_{name}_dataset_0001.csv"
    return path.read_bytes()


def traced_lines(commands: OwnCommands, model: str) -> Lines:
    """Return the files and lines that every row of a model is traced to."""
    found: Lines = {}
    for key, places in traced(commands, model, KEYS[model]).items():
        assert all(place.line is not None for place in places), places
        found[key] = {(place.file, place.line or 0) for place in places}
    return found


def compare(shop: Shop, commands: OwnCommands, rows_min: int) -> None:
    origins = Origins(shop.root / "landing")
    compared = 0
    for model in KEYS:
        expected: Lines = getattr(origins, model)()
        found = traced_lines(commands, model)
        assert found.keys() == expected.keys(), model
        for key, lines in expected.items():
            assert found[key] == lines, (model, key, found[key] ^ lines)
        compared += len(expected)
    assert compared >= rows_min, compared
    met = dict(
        ask(commands, "select status, count(*) from snowmelt.load_history group by all")
    )
    assert met["Partially loaded"] > 5
    assert met["Load skipped"] == 1
    assert ask(
        commands,
        "select count(*) > 0 from snowmelt.load_history "
        "where superseded_by is not null",
    ) == [[True]]


@pytest.mark.long
def test_a_thousand_rows_are_made_of_the_lines_worked_out_by_hand(
    tmp_path: Path, built_shop: Shop
) -> None:
    make_olist(tmp_path / "files", orders=450, seed=5, parts=2)
    history = History(built_shop, tmp_path / "files", random.Random(5))
    with built_shop.commands() as commands:
        live_through(history, commands)
        compare(built_shop, commands, 1_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_many_thousand_rows_are_made_of_the_lines_worked_out_by_hand(
    tmp_path: Path, built_shop: Shop, seed: int
) -> None:
    make_olist(tmp_path / "files", orders=6_000, seed=seed, parts=2)
    history = History(built_shop, tmp_path / "files", random.Random(seed))
    with built_shop.commands() as commands:
        live_through(history, commands)
        compare(built_shop, commands, 12_000)
