"""The Olist maker keeps its word: shape, soundness, repeatability."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from olist_reading import CRLF, GROWING, HEADERS, contents, load, number, rows, table

from snowmelt.errors import UsageError
from snowmelt.synth import olist
from snowmelt.synth.making import Report
from snowmelt.synth.olist import make_olist
from snowmelt.warehouse.duckdb.scratch import scratch


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    directory = tmp_path_factory.mktemp("clean")
    return directory, make_olist(directory, orders=4000, seed=3)


@pytest.mark.long
def test_same_call_same_bytes_whatever_the_threads_and_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, threads, chunk in (("a", 1, 100_000), ("b", 4, 100_000), ("c", 4, 313)):
        monkeypatch.setattr(
            olist, "scratch", functools.partial(scratch, threads=threads)
        )
        monkeypatch.setattr(olist, "CHUNK_ORDERS", chunk)
        report = make_olist(tmp_path / name, orders=2500, seed=8, dirty=0.05, parts=2)
        made.append((contents(tmp_path / name), report))
    assert made[0] == made[1]
    assert made[0] == made[2]


def test_another_seed_makes_other_data(tmp_path: Path) -> None:
    make_olist(tmp_path / "a", orders=60, seed=1)
    make_olist(tmp_path / "b", orders=60, seed=2)
    a, b = contents(tmp_path / "a"), contents(tmp_path / "b")
    assert a.keys() == b.keys()
    same = {name for name in a if a[name] == b[name]}
    assert same == {"product_category_name_translation.csv"}
    orders = [table(tmp_path / name, "orders") for name in "ab"]
    ids = [{row["order_id"] for row in found} for found in orders]
    assert not ids[0] & ids[1]


def test_names_headers_and_terminators_are_the_published_ones(
    clean: tuple[Path, Report],
) -> None:
    directory, report = clean
    assert set(report.files) == {f"{stem}.csv" for stem in HEADERS}
    assert {path.name for path in directory.iterdir()} == set(report.files)
    for stem, header in HEADERS.items():
        raw = (directory / f"{stem}.csv").read_bytes()
        end = b"\r\n" if stem in CRLF else b"\n"
        mark = b"\xef\xbb\xbf" if stem.startswith("product_category") else b""
        assert raw.startswith(mark + header.encode() + end)
        assert raw.endswith(end)
        assert len(rows(directory / f"{stem}.csv")) == report.files[f"{stem}.csv"]
        if stem in CRLF:
            assert raw.count(b"\n") == raw.count(b"\r\n")
        else:
            outside = re.sub(rb'"[^"]*"', b"", raw)
            assert b"\r" not in outside
    assert report.files["olist_products_dataset.csv"] == 4000 // 3
    assert report.files["olist_sellers_dataset.csv"] == 4000 // 32
    assert report.files["olist_orders_dataset.csv"] == 4000


def test_clean_data_load_typed_without_a_reject(
    clean: tuple[Path, Report],
) -> None:
    directory, report = clean
    with scratch() as connection:
        for name, records in report.files.items():
            load(connection, directory / name, "loaded")
            assert number(connection, "select count(*) from loaded") == records
            assert number(connection, "select count(*) from reject_errors") == 0


def test_clean_data_are_referentially_sound(
    clean: tuple[Path, Report],
) -> None:
    directory, report = clean
    with scratch() as connection:
        for name in report.files:
            short = name.removeprefix("olist_").removesuffix("_dataset.csv")
            load(connection, directory / name, short.removesuffix(".csv"))
        for child, parent, key in (
            ("orders", "customers", "customer_id"),
            ("customers", "orders", "customer_id"),
            ("order_items", "orders", "order_id"),
            ("order_items", "products", "product_id"),
            ("order_items", "sellers", "seller_id"),
            ("order_payments", "orders", "order_id"),
            ("order_reviews", "orders", "order_id"),
        ):
            orphans = f"select count(*) from {child} anti join {parent} using ({key})"
            assert number(connection, orphans) == 0, (child, parent)
        for name, key in (
            ("orders", "order_id"),
            ("customers", "customer_id"),
            ("products", "product_id"),
            ("sellers", "seller_id"),
            ("order_items", "(order_id, order_item_id)"),
            ("order_payments", "(order_id, payment_sequential)"),
            ("order_reviews", "(review_id, order_id)"),
        ):
            repeated = f"select count(*) - count(distinct {key}) from {name}"
            assert number(connection, repeated) == 0, name
        assert (
            number(
                connection,
                "select count(*) from (select order_id, sum(price + freight_value) a "
                "from order_items group by 1) join (select order_id, "
                "sum(payment_value) b from order_payments group by 1) "
                "using (order_id) where a <> b",
            )
            == 0
        )
        assert (
            number(
                connection,
                "select count(*) from customers anti join geolocation "
                "on customer_zip_code_prefix = geolocation_zip_code_prefix",
            )
            == 0
        )
        assert (
            number(
                connection,
                "select count(*) from orders where order_approved_at < "
                "order_purchase_timestamp or order_delivered_carrier_date < "
                "order_approved_at or order_delivered_customer_date < "
                "order_delivered_carrier_date",
            )
            == 0
        )


def test_ids_times_and_prefixes_are_written_as_published(
    clean: tuple[Path, Report],
) -> None:
    directory, _ = clean
    for name in GROWING:
        for row in table(directory, name):
            for column, value in row.items():
                if column.endswith("_id") and column != "order_item_id":
                    assert re.fullmatch("[0-9a-f]{32}", value), (column, value)
                elif column.endswith("prefix"):
                    assert re.fullmatch("[0-9]{5}", value)
                elif column.endswith(("_estimated_delivery_date", "_creation_date")):
                    assert re.fullmatch(r"201[678]-\d\d-\d\d 00:00:00", value)
                elif column.endswith(("_date", "_at", "_timestamp")):
                    assert re.fullmatch(r"(201\d-\d\d-\d\d \d\d:\d\d:\d\d)?", value)
                elif column in ("price", "freight_value", "payment_value"):
                    assert re.fullmatch(r"\d+\.(\d|\d[1-9])", value), value
    towns: dict[str, set[str]] = {}
    for row in table(directory, "geolocation"):
        plain = unicodedata.normalize("NFD", row["geolocation_city"])
        plain = "".join(c for c in plain if not unicodedata.combining(c))
        towns.setdefault(row["geolocation_zip_code_prefix"], set()).add(plain)
    assert {len(names) for names in towns.values()} == {1}


def test_every_quirk_is_there_and_counted_right(
    clean: tuple[Path, Report],
) -> None:
    directory, report = clean
    orders, customers = table(directory, "orders"), table(directory, "customers")
    positions, payments = (
        table(directory, "order_items"),
        table(directory, "order_payments"),
    )
    reviews, products = table(directory, "order_reviews"), table(directory, "products")
    points = table(directory, "geolocation")
    states_of: dict[str, set[str]] = {}
    for row in points:
        prefix = row["geolocation_zip_code_prefix"]
        states_of.setdefault(prefix, set()).add(row["geolocation_state"])
    translated = {
        row["product_category_name"]
        for row in rows(directory / "product_category_name_translation.csv")
    }
    words = [
        row["review_comment_title"] + row["review_comment_message"] for row in reviews
    ]
    by_order = Counter(row["order_id"] for row in payments)
    categories = {row["product_category_name"] for row in products} - {""}
    counted = {
        "byte_order_marks": 1,
        "crlf_files": 3,
        "repeat_orders": len(orders)
        - len({row["customer_unique_id"] for row in customers}),
        "zip_leading_zero": sum(
            row["customer_zip_code_prefix"].startswith("0") for row in customers
        ),
        "delivered_without_date": sum(
            row["order_status"] == "delivered"
            and row["order_delivered_customer_date"] == ""
            for row in orders
        ),
        "orders_without_items": len(orders)
        - len({row["order_id"] for row in positions}),
        "orders_without_payment": len(orders) - len(by_order),
        "orders_paid_in_parts": sum(count > 1 for count in by_order.values()),
        "voucher_payments": sum(row["payment_type"] == "voucher" for row in payments),
        "crlf_in_review_text": sum(
            "\r\n" in row["review_comment_message"] for row in reviews
        ),
        "quotes_in_review_text": sum('"' in text for text in words),
        "commas_in_review_text": sum("," in text for text in words),
        "orders_with_two_reviews": len(reviews)
        - len({row["order_id"] for row in reviews}),
        "repeated_review_ids": len(reviews)
        - len({row["review_id"] for row in reviews}),
        "products_without_category": sum(
            row["product_category_name"] == "" for row in products
        ),
        "products_without_measures": sum(
            row["product_weight_g"] == "" for row in products
        ),
        "categories_without_translation": len(categories - translated),
        "geolocation_duplicate_rows": len(points)
        - len({tuple(row.values()) for row in points}),
        "geolocation_towns_with_accents": sum(
            not row["geolocation_city"].isascii() for row in points
        ),
        "prefixes_of_two_states": sum(len(states) > 1 for states in states_of.values()),
    }
    assert {quirk for quirk, count in counted.items() if count == 0} == set()
    assert {**counted, "late_orders": 0} == report.quirks


def test_shares_are_believable(clean: tuple[Path, Report]) -> None:
    directory, _ = clean
    orders, customers = table(directory, "orders"), table(directory, "customers")
    states = Counter(row["customer_state"] for row in customers)
    assert 0.38 < states["SP"] / len(customers) < 0.46
    assert len(states) >= 24
    statuses = Counter(row["order_status"] for row in orders)
    assert 0.96 < statuses["delivered"] / len(orders) < 0.98
    assert set(statuses) == {
        *("delivered", "shipped", "canceled", "unavailable"),
        *("invoiced", "processing", "created", "approved"),
    }
    late = sum(
        row["order_delivered_customer_date"] > row["order_estimated_delivery_date"]
        for row in orders
    )
    assert 0.055 < late / len(orders) < 0.105
    days = Counter(row["order_purchase_timestamp"][:10] for row in orders)
    assert days.most_common(1)[0][0] == "2017-11-24"
    years = Counter(day[:4] for day in days.elements())
    assert years["2016"] < years["2017"] < years["2018"]
    bought = [row["order_purchase_timestamp"] for row in orders]
    assert bought == sorted(bought)
    assert bought[0] >= "2016-09-01"
    assert bought[-1] < "2018-10-18"


def test_parts_together_are_the_same_orders(
    tmp_path: Path, clean: tuple[Path, Report]
) -> None:
    directory, report = clean
    parts = 4
    made = make_olist(tmp_path, orders=4000, seed=3, parts=parts)
    assert made.quirks == report.quirks
    seen: list[set[str]] = []
    for name in GROWING:
        stem = f"olist_{name}_dataset"
        pieces = [rows(tmp_path / f"{stem}_{n:04d}.csv") for n in range(1, parts + 1)]
        whole = [tuple(row.values()) for row in table(directory, name)]
        assert [tuple(row.values()) for piece in pieces for row in piece] == whole
        if name == "orders":
            seen = [{row["order_id"] for row in piece} for piece in pieces]
            assert [len(ids) for ids in seen] == [1000] * 4
        elif name not in ("customers",):
            for ids, piece in zip(seen, pieces, strict=True):
                assert {row["order_id"] for row in piece} <= ids
    for stem in HEADERS.keys() - {f"olist_{name}_dataset" for name in GROWING}:
        assert (tmp_path / f"{stem}.csv").read_bytes() == (
            directory / f"{stem}.csv"
        ).read_bytes()
    expected = HEADERS.keys() - {f"olist_{name}_dataset" for name in GROWING}
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"{stem}.csv" for stem in expected),
        *(f"olist_{g}_dataset_{n:04d}.csv" for g in GROWING for n in (1, 2, 3, 4)),
    }


@pytest.mark.parametrize(
    "name",
    ["olist_orders_dataset.csv", "late/olist_order_items_dataset_late.csv"],
)
def test_a_file_that_is_there_is_never_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match="not overwritten"):
        make_olist(tmp_path, orders=5, seed=1, dirty=0.1)
    assert contents(tmp_path) == {name: b"mine"}


@pytest.mark.parametrize(
    ("where", "orders", "dirty_share", "parts"),
    [
        ("orders", 0, 0.0, 1),
        ("parts", 1, 0.0, 0),
        ("dirty", 1, -0.01, 1),
        ("dirty", 1, 0.51, 1),
        ("dirty", 1, float("nan"), 1),
    ],
)
def test_numbers_out_of_range_are_refused(
    tmp_path: Path, where: str, orders: int, dirty_share: float, parts: int
) -> None:
    with pytest.raises(UsageError) as refused:
        make_olist(
            tmp_path / "new", orders=orders, seed=1, dirty=dirty_share, parts=parts
        )
    assert refused.value.where == where
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "set").write_text("mine")
    with pytest.raises(UsageError, match="no directory"):
        make_olist(tmp_path / "set", orders=5, seed=1)


@pytest.mark.parametrize("dirty_share", [0.0, 0.5])
def test_more_parts_than_orders_leave_parts_with_a_header_only(
    tmp_path: Path, dirty_share: float
) -> None:
    report = make_olist(tmp_path, orders=2, seed=1, dirty=dirty_share, parts=4)
    assert rows(tmp_path / "olist_orders_dataset_0002.csv") == []
    assert report.files["olist_orders_dataset_0002.csv"] == 0
