"""The Olist maker gives an exact account of the dirt it makes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from olist_reading import GROWING, load, number, rows

from snowmelt.synth.making import Report
from snowmelt.synth.olist import make_olist
from snowmelt.warehouse.duckdb.scratch import scratch


@pytest.fixture(scope="module", params=[1, 3])
def dirty(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Report]:
    directory = tmp_path_factory.mktemp("dirty")
    return directory, make_olist(
        directory, orders=3000, seed=5, dirty=0.06, parts=request.param
    )


def test_a_strict_load_rejects_each_broken_record_once(
    dirty: tuple[Path, Report],
) -> None:
    directory, report = dirty
    refused: Counter[str] = Counter()
    for name, records in report.files.items():
        with scratch() as connection:
            columns = load(connection, directory / name, "loaded")
            loaded = number(connection, "select count(*) from loaded")
            rejected = number(
                connection,
                "select count(distinct (file_id, line_byte_position)) "
                "from reject_errors",
            )
            assert loaded + rejected == records, name
            if name.startswith(("resent/", "olist_geo", "olist_pro", "product_")):
                continue
            kinds = connection.execute(
                "select error_type::varchar, any_value(column_name), "
                "any_value(error_message) from reject_errors "
                "group by line_byte_position, error_type"
            ).fetchall()
            empty = number(
                connection, f"select count(*) from loaded where {columns[0]} is null"
            )
        refused["broken_empty_id"] += empty
        refused.update(_kind_of(*kind) for kind in kinds)
        if name.startswith(("late/", "corrected/")):
            assert (rejected, empty) == (0, 0), name
    broken = {q: n for q, n in report.quirks.items() if q.startswith("broken_")}
    assert min(broken.values()) > 0
    assert refused == broken


def _kind_of(error: str, column: str, message: str) -> str:
    if error == "CAST":
        is_time = column.endswith(("_date", "_at", "_timestamp"))
        return "broken_impossible_date" if is_time else "broken_text_in_number"
    return {
        "MISSING COLUMNS": "broken_too_few_fields",
        "TOO MANY COLUMNS": "broken_too_many_fields",
        "INVALID ENCODING": "broken_invalid_utf8",
        "UNQUOTED VALUE": "broken_text_after_quote",
    }.get(error, f"{error}: {message}")


def test_good_records_of_a_dirty_set_are_the_clean_set(
    dirty: tuple[Path, Report], tmp_path: Path
) -> None:
    directory, report = dirty
    make_olist(tmp_path, orders=3000, seed=5)
    duplicates = 0
    for name in GROWING:
        stem = f"olist_{name}_dataset"
        good: Counter[tuple[object, ...]] = Counter()
        with scratch() as connection:
            for path in [
                *directory.glob(f"{stem}*.csv"),
                directory / "late" / f"{stem}_late.csv",
            ]:
                key = load(connection, path, "loaded")[0]
                good.update(
                    connection.execute(
                        f"from loaded where {key} is not null"
                    ).fetchall()
                )
            load(connection, tmp_path / f"{stem}.csv", "loaded")
            wanted = connection.execute("from loaded").fetchall()
        assert set(good) == set(wanted), name
        assert len(wanted) == len(set(wanted))
        duplicates += good.total() - len(wanted)
    assert duplicates == report.quirks["duplicate_rows"] > 0


def test_late_orders_are_in_the_late_files_only(
    dirty: tuple[Path, Report],
) -> None:
    directory, report = dirty
    late = {
        row["order_id"]
        for row in rows(directory / "late/olist_orders_dataset_late.csv")
    }
    assert len(late) == report.quirks["late_orders"] > 0
    for name in ("orders", "order_items", "order_payments", "order_reviews"):
        for path in directory.glob(f"olist_{name}_dataset*.csv"):
            text = path.read_bytes()
            assert not [order for order in late if order.encode() in text], path
        found = rows(directory / f"late/olist_{name}_dataset_late.csv")
        assert {row["order_id"] for row in found} <= late


def test_resent_files_have_the_same_bytes_under_another_name(
    dirty: tuple[Path, Report],
) -> None:
    directory, report = dirty
    copies = sorted((directory / "resent").iterdir())
    assert len(copies) == report.quirks["resent_files"] == 2
    for copy in copies:
        source = directory / copy.name.replace("_copy.csv", ".csv")
        assert copy.read_bytes() == source.read_bytes()
        assert report.files[f"resent/{copy.name}"] == report.files[source.name]


def test_the_corrected_file_bears_the_name_of_one_already_written(
    dirty: tuple[Path, Report],
) -> None:
    directory, report = dirty
    (corrected,) = (directory / "corrected").iterdir()
    assert report.quirks["corrected_files"] == 1
    with scratch() as connection:
        load(connection, directory / corrected.name, "first")
        load(connection, corrected, "later")
        key = "order_id, payment_sequential"
        first = f"(select distinct * from first where {key.split(',')[0]} is not null)"
        changed = number(
            connection,
            f"select count(*) from later join {first} as first using ({key}) "
            "where first.payment_value <> later.payment_value",
        )
        removed = number(
            connection, f"select count(*) from {first} anti join later using ({key})"
        )
        added = number(
            connection, f"select count(*) from later anti join first using ({key})"
        )
    assert changed == report.quirks["corrected_records"] > 0
    assert removed == report.quirks["removed_records"] > 0
    assert added == 0


@pytest.mark.parametrize("orders", [3, 4, 50])
def test_a_tiny_dirty_set_has_one_of_each_kind(tmp_path: Path, orders: int) -> None:
    quirks = make_olist(tmp_path, orders=orders, seed=1, dirty=0.001).quirks
    dirt = {
        *("broken_text_in_number", "broken_impossible_date", "broken_invalid_utf8"),
        *("broken_too_many_fields", "broken_too_few_fields", "broken_empty_id"),
        *("broken_text_after_quote", "duplicate_rows", "late_orders"),
        *("resent_files", "corrected_files", "corrected_records", "removed_records"),
    }
    assert {kind for kind in dirt if quirks.get(kind, 0) < 1} == set()


def test_dirt_is_about_the_share_asked_for(
    dirty: tuple[Path, Report],
) -> None:
    _, report = dirty
    records = sum(
        count for name, count in report.files.items() if name.startswith("olist_")
    ) - sum(
        report.files[f"olist_{name}_dataset.csv"]
        for name in ("geolocation", "products", "sellers")
    )
    broken = sum(n for q, n in report.quirks.items() if q.startswith("broken_"))
    assert 0.8 < broken / (records * 0.03) < 1.2
    assert 0.75 < report.quirks["duplicate_rows"] / (records * 0.015) < 1.25
    assert 0.5 < report.quirks["late_orders"] / (3000 * 0.015) < 1.5
