"""The crm-erp maker keeps its word: shapes, repeatability, what it counts."""

from __future__ import annotations

import csv
import functools
import io
from pathlib import Path

import pytest

from snowmelt.errors import UsageError
from snowmelt.synth import crm_erp
from snowmelt.synth.crm_erp import make_crm_erp
from snowmelt.warehouse.duckdb.scratch import scratch

FILES = {
    *(f"source_crm/{name}.csv" for name in ("cust_info", "prd_info", "sales_details")),
    *(f"source_erp/{name}.csv" for name in ("CUST_AZ12", "LOC_A101", "PX_CAT_G1V2")),
}


def contents(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*.*"))
    }


def records(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_same_call_same_bytes_whatever_the_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, threads in (("a", 1), ("b", 4)):
        monkeypatch.setattr(
            crm_erp, "scratch", functools.partial(scratch, threads=threads)
        )
        report = make_crm_erp(tmp_path / name, customers=900, seed=8, dirty=0.1)
        made.append((contents(tmp_path / name), report))
    assert made[0] == made[1]
    make_crm_erp(tmp_path / "c", customers=900, seed=9, dirty=0.1)
    other = contents(tmp_path / "c")
    assert other.keys() == made[0][0].keys() == FILES
    same = {name for name in other if other[name] == made[0][0][name]}
    assert same == {"source_erp/PX_CAT_G1V2.csv"}, "categories are what they are"


@pytest.mark.parametrize("dirty", [0.0, 0.3])
def test_each_file_has_the_records_that_are_told(tmp_path: Path, dirty: float) -> None:
    whole = make_crm_erp(tmp_path / "whole", customers=60, seed=1, dirty=dirty)
    parts = make_crm_erp(tmp_path / "parts", customers=60, seed=1, dirty=dirty, parts=3)
    found = {name: records(text) for name, text in contents(tmp_path / "whole").items()}
    assert {name: len(rows) for name, rows in found.items()} == whole.files
    split = contents(tmp_path / "parts")
    assert {name: len(records(text)) for name, text in split.items()} == parts.files
    sales = [
        row
        for part in (1, 2, 3)
        for row in records(split[f"source_crm/sales_details_000{part}.csv"])
    ]
    good = [row for row in sales if row["sls_ord_num"].startswith("SO")]
    days = [row["sls_ship_dt"] for row in good if row["sls_ship_dt"] != "0"]
    assert days == sorted(days)
    if not dirty:
        assert sales == found["source_crm/sales_details.csv"]
    for name, text in contents(tmp_path / "whole").items():
        ends = text.count(b"\r\n") if "erp" in name else text.count(b"\n")
        assert ends == whole.files[name] + 1, name
        assert (b"\r" in text) == ("erp" in name)


def test_a_clean_set_agrees_with_itself(tmp_path: Path) -> None:
    report = make_crm_erp(tmp_path, customers=50, seed=4)
    assert {quirk for quirk, made in report.quirks.items() if made} == {
        *("categories_without_product", "crlf_files", "earlier_product_versions"),
    }
    found = {
        Path(name).stem: records(text) for name, text in contents(tmp_path).items()
    }
    customers = {row["cst_id"]: row["cst_key"] for row in found["cust_info"]}
    assert len(customers) == 50 == len(set(customers.values()))
    for table in ("CUST_AZ12", "LOC_A101"):
        assert [row["CID"] for row in found[table]] == list(customers.values())
    numbers = {row["prd_key"][6:] for row in found["prd_info"]}
    categories = {row["prd_key"][:5].replace("-", "_") for row in found["prd_info"]}
    assert categories <= {row["ID"] for row in found["PX_CAT_G1V2"]}
    lines = found["sales_details"]
    assert len({(row["sls_ord_num"], row["sls_prd_key"]) for row in lines}) == len(
        lines
    )
    for row in lines:
        assert row["sls_cust_id"] in customers
        assert row["sls_prd_key"] in numbers
        amount = int(row["sls_quantity"]) * round(float(row["sls_price"]) * 100)
        assert round(float(row["sls_sales"]) * 100) == amount
        assert row["sls_order_dt"] < row["sls_ship_dt"] < row["sls_due_dt"]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_smallest_set_has_each_kind_of_dirt(tmp_path: Path, seed: int) -> None:
    quirks = make_crm_erp(tmp_path, customers=20, seed=seed, dirty=0.01).quirks
    clean = make_crm_erp(tmp_path / "clean", customers=20, seed=seed).quirks
    assert len(quirks) > 50
    assert all(quirks.values()), quirks
    assert set(clean) < set(quirks)


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    for wrong in (
        {"customers": 19},
        {"customers": 50, "dirty": 0.6},
        {"customers": 50, "parts": 0},
    ):
        with pytest.raises(UsageError):
            make_crm_erp(tmp_path / "new", **{"seed": 1, **wrong})  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()
    make_crm_erp(tmp_path / "set", customers=20, seed=1)
    before = contents(tmp_path / "set")
    with pytest.raises(UsageError, match="not overwritten"):
        make_crm_erp(tmp_path / "set", customers=20, seed=2)
    assert contents(tmp_path / "set") == before
