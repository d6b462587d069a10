"""Traces of the olist template against lines that are worked out by hand."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from asking import ask, published
from trace_oracle import Origin, Origins, records

from shop import Shop
from snowmelt.service.commands import OwnCommands
from snowmelt.service.places import Places
from snowmelt.service.tracing import Tracing, find_model
from snowmelt.synth.olist import make_olist
from snowmelt.trace.backward import Backward
from snowmelt.trace.closure import RECORDS
from snowmelt.trace.models import BRONZE
from snowmelt.trace.origins import records_of_roots

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


def traced(commands: OwnCommands, model: str) -> Lines:
    """Return the files and lines that every row of a model is traced to."""
    parts = commands._parts
    with Tracing(parts).opened() as (session, models):
        node = find_model(session, models, model)
        backward = Backward(session, models)
        backward.trace(node, "true")
        assert backward.coarse == []
        assert backward.decided == {}
        columns = ", ".join(f"cast({each} as varchar)" for each in KEYS[model])
        roots = {
            row[0]: row[1:]
            for row in session.rows(f"select rowid, {columns} from {node.key}")
        }
        found: Lines = {key: set() for key in roots.values()}
        names: dict[int, str] = dict(
            session.rows("select load_seq, file_name from snowmelt.load_history")
        )
        places = Places(parts, session)
        for relation in backward.closure.relations:
            if relation.kind != BRONZE:
                continue
            by_root = records_of_roots(backward.closure, relation)
            split = {
                row: divmod(row, RECORDS) for rows in by_root.values() for row in rows
            }
            lines = places.find(relation.key, split.values())
            for root, rows in by_root.items():
                for row in rows:
                    line = lines[split[row]].line
                    assert line is not None, (names[split[row][0]], lines[split[row]])
                    found[roots[root]].add((names[split[row][0]], line))
    return found


def compare(shop: Shop, commands: OwnCommands, rows_min: int) -> None:
    origins = Origins(shop.root / "landing")
    compared = 0
    for model in KEYS:
        expected: Lines = getattr(origins, model)()
        found = traced(commands, model)
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
