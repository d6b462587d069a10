"""The storefront maker keeps its word: shapes, repeatability, what it counts."""

from __future__ import annotations

import csv
import functools
import io
import json
from pathlib import Path
from typing import Any

import pytest

from snowmelt.errors import UsageError
from snowmelt.synth import storefront
from snowmelt.synth.storefront import make_storefront
from snowmelt.warehouse.duckdb.scratch import scratch

Record = dict[str, Any]


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*.*"))
    }


def records(path: Path) -> list[Record]:
    """Read a file in the shape that its name stands for: the days take turns."""
    text = path.read_text()
    if path.suffix == ".csv":
        return list(csv.DictReader(io.StringIO(text)))
    if text.startswith("["):
        found: list[Record] = json.loads(text)
        return found
    if "\n{" in text:
        return [json.loads(line) for line in text.splitlines()]
    columns = json.loads(text)
    labels = list(columns["sale_id"])
    assert labels == [str(number) for number in range(len(labels))]
    assert all(list(values) == labels for values in columns.values())
    return [
        {name: values[label] for name, values in columns.items()} for label in labels
    ]


def test_same_call_same_bytes_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, threads in (("a", 1), ("b", 4)):
        monkeypatch.setattr(
            storefront, "scratch", functools.partial(scratch, threads=threads)
        )
        report = make_storefront(tmp_path / name, customers=700, seed=8, dirty=0.1)
        made.append((contents(tmp_path / name), report))
    assert made[0] == made[1]
    make_storefront(tmp_path / "c", customers=700, seed=9, dirty=0.1)
    other = contents(tmp_path / "c")
    assert other.keys() == made[0][0].keys()
    assert not [name for name in other if other[name] == made[0][0][name]]


def test_each_file_is_in_its_shape_and_has_the_records_that_are_told(
    tmp_path: Path,
) -> None:
    report = make_storefront(tmp_path, customers=400, seed=1, dirty=0.1, days=4)
    assert set(report.files) == set(contents(tmp_path))
    for name, count in report.files.items():
        assert len(records(tmp_path / name)) == count, name
    begins = [
        (tmp_path / f"raw/sales/sales_2024-05-0{day}.json").read_text()[:12]
        for day in (1, 2, 3, 4)
    ]
    assert begins == ['{"sale_id": ', '[\n{"sale_id"', '{"sale_id":{', '{"sale_id": ']
    (_, _, by_column) = (
        records(tmp_path / f"raw/sales/sales_2024-05-0{day}.json") for day in (1, 2, 3)
    )
    assert {each["sale_date"] for each in by_column} == {1714694400000}


def test_a_clean_set_has_no_dirt_and_no_orphans(tmp_path: Path) -> None:
    report = make_storefront(tmp_path, customers=50, seed=4)
    assert {quirk for quirk, made in report.quirks.items() if made} == {
        *("changed_customers", "changed_prices", "early_sales"),
        *("resent_customers", "resent_products"),
    }
    known = {
        table: {
            each[key]
            for path in (tmp_path / "raw" / table).iterdir()
            for each in records(path)
        }
        for table, key in (("customers", "customer_id"), ("products", "product_id"))
    }
    assert len(known["customers"]) == 50
    sold = [
        each
        for path in sorted((tmp_path / "raw" / "sales").iterdir())
        for each in records(path)
    ]
    assert [each["sale_id"] for each in sold] == list(range(1, 501))
    for sale in sold:
        assert str(sale["customer_id"]) in known["customers"]
        assert str(sale["product_id"]) in known["products"]
        assert 1 <= sale["quantity"] <= 100


def test_files_sent_again_have_the_bytes_of_their_day(tmp_path: Path) -> None:
    make_storefront(tmp_path, customers=20, seed=4, dirty=0.2)
    for table in ("customers", "products"):
        stem = f"raw/{table}/{table}_2024-05-0"
        files = contents(tmp_path)
        assert files[f"{stem}1_again.csv"] == files[f"{stem}1.csv"]
        assert files[f"{stem}4.csv"] == files[f"{stem}3.csv"]
    sales = tmp_path / "raw" / "sales"
    first, again = (
        records(sales / f"sales_2024-05-01{suffix}.json") for suffix in ("", "_again")
    )
    assert first == again


@pytest.mark.parametrize("customers", [1, 2, 3])
def test_the_smallest_sets_have_each_kind_of_dirt(
    tmp_path: Path, customers: int
) -> None:
    quirks = make_storefront(tmp_path, customers=customers, seed=1, dirty=0.01).quirks
    missing = {quirk for quirk, made in quirks.items() if not made}
    assert missing <= ({"early_sales"} if customers == 1 else set())


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"customers": 0},
        {"customers": 5, "dirty": 0.6},
        {"customers": 5, "days": 2},
    ):
        with pytest.raises(UsageError):
            make_storefront(tmp_path / "new", **{"seed": 1, **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()
    make_storefront(tmp_path / "set", customers=5, seed=1)
    before = contents(tmp_path / "set")
    with pytest.raises(UsageError, match="not overwritten"):
        make_storefront(tmp_path / "set", customers=5, seed=2)
    assert contents(tmp_path / "set") == before
