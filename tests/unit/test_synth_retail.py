"""The retail maker keeps its word: files, repeatability, what it counts, increments."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from click.testing import CliRunner

from snowmelt.cli.synth import command
from snowmelt.errors import UsageError
from snowmelt.synth.retail import Retailer, make_increment, make_retail

Record = dict[str, Any]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*.*"))
    }


def records(path: Path) -> list[Record]:
    if path.suffix == ".parquet":
        found: list[Record] = pyarrow.parquet.read_table(path).to_pylist()
        return found
    text = path.read_bytes()
    text = gzip.decompress(text) if path.suffix == ".gz" else text
    if ".csv" in path.name:
        return list(csv.DictReader(text.decode().splitlines()))
    array: list[Record] = json.loads(text)
    return array


def table(directory: Path, name: str) -> list[Record]:
    return [
        record
        for path in sorted((directory / "raw" / name).iterdir())
        for record in records(path)
    ]


def test_same_call_same_bytes_whatever_works_on_it(tmp_path: Path) -> None:
    retailer = Retailer(700, 50, 3_000, seed=8, dirty=0.1, compression="gzip")
    made = []
    for name, workers in (("a", 1), ("b", 3)):
        report = make_retail(tmp_path / name, retailer, parts=2, workers=workers)
        make_increment(tmp_path / name, retailer, increment=2, workers=workers)
        made.append((contents(tmp_path / name), report))
    assert made[0] == made[1]
    other = Retailer(700, 50, 3_000, seed=9, dirty=0.1, compression="gzip")
    make_retail(tmp_path / "c", other, parts=2)
    assert not [
        name
        for name, content in contents(tmp_path / "c").items()
        if content == made[0][0][name]
    ]


@pytest.mark.long
def test_threads_that_share_a_file_write_the_same_bytes(tmp_path: Path) -> None:
    retailer = Retailer(250_000, 5, 250_000, dirty=0.02, compression="zstd")
    made = []
    for workers in (1, 2):
        make_retail(tmp_path / str(workers), retailer, workers=workers)
        made.append(contents(tmp_path / str(workers)))
    assert made[0] == made[1]


def test_parts_do_not_change_what_is_in_them(tmp_path: Path) -> None:
    retailer = Retailer(90, 20, 700, seed=3)
    make_retail(tmp_path / "one", retailer, parts=1)
    told: list[tuple[str, int, int]] = []
    report = make_retail(
        tmp_path / "four", retailer, parts=4, told=lambda *file: told.append(file)
    )
    assert told == [(name, at, 9) for at, name in enumerate(report.files, 1)]
    for name in ("customers", "products", "transactions"):
        assert table(tmp_path / "one", name) == table(tmp_path / "four", name)
    for name, count in report.files.items():
        assert len(records(tmp_path / "four" / name)) == count, name


@pytest.mark.parametrize(
    ("compression", "names", "begins"),
    [
        ("none", ["customers_2024-12-31.csv", "products_2024-12-31.json"], b"cus"),
        (
            "gzip",
            ["customers_2024-12-31.csv.gz", "products_2024-12-31.json.gz"],
            b"\x1f\x8b\x08",
        ),
        (
            "zstd",
            ["customers_2024-12-31.csv.zst", "products_2024-12-31.json.zst"],
            b"\x28\xb5\x2f",
        ),
    ],
)
def test_files_are_compressed_as_they_are_named(
    tmp_path: Path, compression: str, names: list[str], begins: bytes
) -> None:
    make_retail(tmp_path, Retailer(20, 5, 50, compression=compression))
    made = {Path(name).name: content for name, content in contents(tmp_path).items()}
    assert list(made) == [*names, "transactions_2024-12-31.parquet"]
    assert made[names[0]].startswith(begins)
    parquet = pyarrow.parquet.ParquetFile(
        tmp_path / "raw" / "transactions" / "transactions_2024-12-31.parquet"
    )
    inside = parquet.metadata.row_group(0).column(0).compression
    assert inside == {"none": "UNCOMPRESSED"}.get(compression, compression.upper())


def test_files_have_about_the_size_that_is_asked_for(tmp_path: Path) -> None:
    retailer = Retailer(90_000, 100, 120_000, compression="gzip")
    make_retail(tmp_path, retailer, file_mb=1)
    for name in ("customers", "transactions"):
        sizes = [len(made) for file, made in contents(tmp_path / "raw" / name).items()]
        assert len(sizes) > 1
        assert all(600_000 < size < 1_700_000 for size in sizes), (name, sizes)


def test_a_clean_set_is_odd_in_spelling_alone(tmp_path: Path) -> None:
    report = make_retail(tmp_path, Retailer(300, 60, 3_000, seed=4))
    assert {quirk for quirk, made in report.quirks.items() if made} == {
        *("ages_as_floats", "mixed_case_emails", "types_respelled", "other_genders"),
        *("stocks_as_text", "dates_with_zone"),
    }
    customers = {each["customer_id"] for each in table(tmp_path, "customers")}
    products = {each["product_id"] for each in table(tmp_path, "products")}
    sold = table(tmp_path, "transactions")
    assert (len(customers), len(products)) == (300, 60)
    assert len({each["transaction_id"] for each in sold}) == len(sold) == 3_000
    assert {each["customer_id"] for each in sold} <= customers
    assert {each["product_id"] for each in sold} <= products
    assert min(each["total_amount"] for each in sold) > 0
    days = [each["transaction_date"][:10] for each in sold]
    assert days == sorted(days)
    assert (days[0], days[-1]) == ("2024-01-01", "2024-12-30")
    stocks = {type(each["stock_quantity"]) for each in table(tmp_path, "products")}
    assert stocks == {int, str}


def test_an_increment_follows_a_set(tmp_path: Path) -> None:
    retailer = Retailer(2_000, 1_000, 3_000, seed=4)
    make_retail(tmp_path / "set", retailer)
    for number in (1, 2):
        report = make_increment(tmp_path / str(number), retailer, increment=number)
        assert report.quirks["new_customers"] == 2
        assert report.quirks["new_products"] == 1
        assert report.quirks["changed_customers"] >= 1
        assert report.quirks["changed_products"] >= 1
        assert (
            report.files[
                f"raw/transactions/transactions_2024-12-31T0{number}00.parquet"
            ]
            == 3
        )
    known = {each["customer_id"]: each for each in table(tmp_path / "set", "customers")}
    first, second = (table(tmp_path / number, "customers") for number in "12")
    new = [each["customer_id"] for each in first if each["customer_id"] not in known]
    later = {each["customer_id"] for each in second} - known.keys()
    assert len(new) == 2
    assert not later & set(new)
    changed = [each for each in first if each["customer_id"] in known]
    assert all(each["email"] != known[each["customer_id"]]["email"] for each in changed)
    sold = table(tmp_path / "1", "transactions")
    assert {each["customer_id"] for each in sold} & later, "one came too early"
    assert all(each["transaction_date"].startswith("2024-12-31") for each in sold)
    assert sold[0]["transaction_id"] == "T10000003001"


@pytest.mark.parametrize("customers", [1, 2])
def test_the_smallest_sets_have_each_kind_of_dirt(
    tmp_path: Path, customers: int
) -> None:
    retailer = Retailer(customers, 1, 1, dirty=0.01)
    quirks = make_retail(tmp_path, retailer).quirks
    by_chance = {
        *("ages_as_floats", "mixed_case_emails", "types_respelled", "other_genders"),
        *("stocks_as_text", "dates_with_zone"),
    }
    assert {quirk for quirk, made in quirks.items() if not made} <= by_chance
    assert len(quirks) == 27


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    retailer = Retailer(5, 5, 5)
    for wrong in (
        replace(retailer, customers=0),
        replace(retailer, products=0),
        replace(retailer, transactions=0),
        replace(retailer, days=0),
        replace(retailer, days=3_000_000),
        replace(retailer, dirty=0.6),
        replace(retailer, compression="lzma"),
    ):
        with pytest.raises(UsageError):
            make_retail(tmp_path / "new", wrong)
    with pytest.raises(UsageError):
        make_retail(tmp_path / "new", retailer, parts=0)
    for increment in (0, 90_000_000):
        with pytest.raises(UsageError):
            make_increment(tmp_path / "new", retailer, increment=increment)
    assert not (tmp_path / "new").exists()
    make_retail(tmp_path / "set", retailer)
    before = contents(tmp_path / "set")
    with pytest.raises(UsageError, match="not overwritten"):
        make_retail(tmp_path / "set", retailer)
    assert contents(tmp_path / "set") == before


def test_the_command_writes_a_set_and_its_increments(tmp_path: Path) -> None:
    words = ["retail", str(tmp_path), "--customers", "5", "--products", "5"]
    words += ["--transactions", "20", "--dirty", "0.1", "--json"]
    for more, count in (([], 3), (["--increment", "1"], 3)):
        done = CliRunner().invoke(command, [*words, *more])
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert told["name"] == "retail"
        assert len(told["files"]) == count
        assert told["quirks"]["duplicate_transactions"] == 1
    assert len(contents(tmp_path)) == 6
