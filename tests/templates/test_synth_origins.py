"""Traces against what the makers of files say: which lines make each row of gold.

A maker knows it by construction, and asks nothing of a trace. Sets are dirty: records
are broken, or there twice, or late; files are sent again, and one is corrected.
"""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest
from asking import land_folder, published
from test_olist_external import as_pipes
from traced import Place, traced, traced_one

from shop import Shop
from snowmelt.errors import UsageError
from snowmelt.service.commands import OwnCommands
from snowmelt.synth import olist
from snowmelt.synth.olist import make_olist
from snowmelt.synth.storefront import make_storefront

Wanted = dict[str, dict[tuple[str, ...], set[Place]]]
OLIST = {
    *("gold.fct_orders", "gold.fct_order_items", "gold.dim_products"),
    *("gold.orders_by_state", "gold.category_sales", "gold.customer_activity"),
    *("gold.monthly_metrics", "gold.seller_performance"),
}
STOREFRONT = {
    *("silver.sales_enriched", "gold.client_activity", "gold.product_sales"),
    "gold.sales_by_country",
}


class Origins:
    """What a maker wrote: the columns of each model's key, and places by key."""

    def __init__(self, path: Path, named: Callable[[str], str]) -> None:
        self.keys: dict[str, tuple[str, ...]] = {}
        self.places: Wanted = defaultdict(dict)
        for text in path.read_text("utf-8").splitlines():
            told = json.loads(text)
            model, key = told["model"], told["key"]
            assert self.keys.setdefault(model, tuple(key)) == tuple(key)
            places = {
                Place(named(each["file"]), each["record"], each["line"])
                for each in told["rows"]
            }
            assert len(places) == len(told["rows"]), "each once"
            self.places[model][tuple(map(str, key.values()))] = places


def compare(commands: OwnCommands, origins: Origins, rows_min: int) -> Counter[str]:
    """Compare all rows of all models; return how many rows and lines of each."""
    met: Counter[str] = Counter()
    for model, wanted in origins.places.items():
        found = traced(commands, model, origins.keys[model])
        assert found.keys() == wanted.keys(), model
        for key, places in wanted.items():
            assert found[key] == places, (model, key, found[key] ^ places)
        met[model] = len(wanted)
    assert sum(met.values()) >= rows_min, met
    _ask_one_by_one(commands, origins)
    return met


def _ask_one_by_one(commands: OwnCommands, origins: Origins) -> None:
    lots = random.Random(1)
    for model, wanted in origins.places.items():
        key = lots.choice(sorted(wanted))
        named = dict(zip(origins.keys[model], key, strict=True))
        assert traced_one(commands, model, named) == wanted[key], (model, key)


def live_through(shop: Shop, commands: OwnCommands, files: Path) -> None:
    """Land a set as it comes, then what is late or sent again, under names alone."""
    proper = sorted(files.glob("*.csv"))
    first = [path for path in proper if path.stem.endswith("_0001")]
    for path in first:  # these are published before the others come
        shop.land(path)
    published(commands)
    rest = [path for path in proper if path not in first]
    for folder in ("late", "resent", "corrected"):
        rest += sorted((files / folder).glob("*.csv"))
    for path in rest:
        shop.land(path)
    published(commands)


def statuses(commands: OwnCommands) -> Counter[str]:
    rows = commands.query("select status from snowmelt.load_history", None)["rows"]
    return Counter(status for (status,) in rows)


def check_olist(shop: Shop, root: Path, *, orders: int, seed: int, rows: int) -> None:
    files, told = root / "files", root / "origins.jsonl"
    report = make_olist(
        files, orders=orders, seed=seed, dirty=0.2, parts=2, origins=told
    )
    with shop.commands() as commands:
        live_through(shop, commands, files)
        origins = Origins(told, lambda name: name.rpartition("/")[2])
        assert set(origins.places) == OLIST
        compare(commands, origins, rows)
        met = statuses(commands)
    assert met["Partially loaded"] > 5
    assert met["Load skipped"] == report.quirks["resent_files"]
    for kind in ("duplicate_rows", "removed_records", "corrected_records"):
        assert report.quirks[kind] > 1, kind
    assert any("_late" in p.file for p in _all_places(origins))


def _all_places(origins: Origins) -> set[Place]:
    return {
        place
        for wanted in origins.places.values()
        for places in wanted.values()
        for place in places
    }


@pytest.mark.long
def test_a_thousand_rows_of_a_marketplace(tmp_path: Path, built_shop: Shop) -> None:
    check_olist(built_shop, tmp_path, orders=330, seed=3, rows=1_000)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4, 8))
def test_many_thousand_rows_of_a_marketplace(
    tmp_path: Path, built_shop: Shop, seed: int
) -> None:
    check_olist(built_shop, tmp_path, orders=4_000, seed=seed, rows=10_000)


@pytest.mark.long
def test_rows_whose_bronze_is_a_view_of_the_files(
    tmp_path: Path, built_once: Path
) -> None:
    """Of external pipes a file is read where it lies, for rows and for lines."""
    root, files, told = (tmp_path / name for name in ("shop", "files", "origins.jsonl"))
    shutil.copytree(built_once, root, symlinks=True)
    shop = as_pipes(root, "external: true")
    make_olist(files, orders=120, seed=6, parts=2, origins=told)
    with shop.commands() as commands:
        live_through(shop, commands, files)
        # emptied, and sent again as it was: a third version, and the same lines
        payments = files / "olist_order_payments_dataset_0001.csv"
        shop.land_bytes(payments.name, payments.read_bytes().splitlines(True)[0])
        published(commands)
        shop.land(payments)
        published(commands)
        assert set(statuses(commands)) == {"Loaded"}
        kept = "select count(*) > 10 from snowmelt.external_files"
        assert commands.query(kept, None)["rows"] == [[True]]
        origins = Origins(told, lambda name: name.rpartition("/")[2])
        compare(commands, origins, 380)
        version = next(iter(origins.places["gold.fct_orders"]))[0]
        asked = ("silver.orders", [f"order_id={version}"], 20)
        (row,) = commands.trace(*asked)["versions"]["rows"]
        assert row["state"] == "counts"


def check_storefront(
    shop: Shop, root: Path, *, customers: int, seed: int, rows: int
) -> None:
    files, told = root / "files", root / "origins.jsonl"
    made = make_storefront(
        files, customers=customers, seed=seed, dirty=0.2, origins=told
    )
    with shop.commands() as commands:
        for table in ("sales", "customers", "products"):
            land_folder(shop, files, f"{table}_*")
        published(commands)
        origins = Origins(told, str)
        assert set(origins.places) == STOREFRONT
        met = compare(commands, origins, rows)
    assert made.quirks["duplicate_sales"] > 1
    assert met["silver.sales_enriched"] == 10 * customers
    lines = Counter(place.line is None for place in _all_places(origins))
    assert lines[True] > 10, "an array of JSON has no lines"
    assert lines[False] > 10


@pytest.mark.long
@pytest.mark.parametrize(("customers", "seed"), [(25, 2), (90, 3), (1_000, 4)])
def test_many_rows_of_a_shop(
    tmp_path: Path, warm_storefront: Path, customers: int, seed: int
) -> None:
    shutil.copytree(warm_storefront, tmp_path / "shop", symlinks=True)
    shop = Shop(tmp_path / "shop")
    rows = 11 * customers
    check_storefront(shop, tmp_path, customers=customers, seed=seed, rows=rows)


# The file itself.


def test_origins_are_the_same_however_the_work_is_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = []
    for chunk in (100_000, 60):
        monkeypatch.setattr(olist, "CHUNK_ORDERS", chunk)
        told = tmp_path / f"{chunk}.jsonl"
        files = tmp_path / str(chunk)
        make_olist(files, orders=200, seed=8, dirty=0.1, parts=3, origins=told)
        texts.append(told.read_text("utf-8"))
    assert texts[0] == texts[1]


@pytest.mark.parametrize("dirty", [0.0, 0.1])
def test_what_is_named_stands_there(tmp_path: Path, dirty: float) -> None:
    """Each line that is named holds the order's id: no counting is trusted."""
    told = tmp_path / "origins.jsonl"
    make_olist(tmp_path, orders=200, seed=4, dirty=dirty, origins=told)
    lines = {
        str(path.relative_to(tmp_path)): path.read_bytes().split(b"\n")
        for path in tmp_path.rglob("*.csv")
    }
    looked_at = 0
    for text in told.read_text("utf-8").splitlines():
        row = json.loads(text)
        if row["model"] != "gold.fct_orders":
            continue
        order = row["key"]["order_id"].encode()
        for each in row["rows"]:
            if "customers" not in each["file"]:
                assert order in lines[each["file"]][each["line"] - 1], each
                looked_at += 1
    assert looked_at > 700


def test_a_file_of_origins_is_not_overwritten(tmp_path: Path) -> None:
    told = tmp_path / "origins.jsonl"
    told.write_text("mine\n")
    with pytest.raises(UsageError, match="not overwritten"):
        make_olist(tmp_path / "a", orders=10, seed=1, origins=told)
    with pytest.raises(UsageError, match="not overwritten"):
        make_storefront(tmp_path / "b", customers=3, seed=1, origins=told)
    assert told.read_text() == "mine\n"
    assert not (tmp_path / "a").exists()
