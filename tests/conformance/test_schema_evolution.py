"""Columns that a contract does not name, lacks, or has with another type."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_shop import Shop, columns, open_shop

import snowmelt.bronze
from shop import Shop as DbtShop
from snowmelt.bronze.rejects import RejectFilter
from snowmelt.bronze.replay import Replayer
from snowmelt.errors import ConfigError, UsageError
from snowmelt.project.new import make_project
from snowmelt.service.checking import check_file
from snowmelt.service.commands import OwnCommands
from snowmelt.service.drifting import approve, drift_document, reject
from snowmelt.service.explaining import explain
from snowmelt.service.operating import Operating
from snowmelt.transform.sources import SOURCES_FILE
from snowmelt.warehouse.duckdb.scratch import scratch

CONTRACT = "id integer not null, name varchar, note varchar optional"
Records = list[dict[str, Any]]
EVOLUTION = (
    "select column_name, column_type, evolution_type, evolution_mode, file_name, "
    "query_id, load_seq, triggering_time from snowmelt.schema_evolution order by rowid"
)


def as_csv(records: Records) -> bytes:
    names = list(dict.fromkeys(name for record in records for name in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def as_ndjson(records: Records) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def as_parquet(records: Records) -> bytes:
    with tempfile.TemporaryDirectory() as folder, scratch() as session:
        source, target = Path(folder, "a.json"), Path(folder, "a.parquet")
        source.write_bytes(as_ndjson(records))
        session.execute(
            f"copy (from read_json('{source}')) to '{target}' (format parquet)"
        )
        return target.read_bytes()


WRITERS = {"csv": as_csv, "json": as_ndjson, "parquet": as_parquet}


@pytest.fixture(params=list(WRITERS))
def kind(request: pytest.FixtureRequest) -> str:
    """Return each format in turn that has a reader."""
    folder = Path(snowmelt.bronze.__file__).parent
    if not list(folder.glob(f"{request.param}*.py")):
        pytest.skip(f"{request.param} has no reader")
    return str(request.param)


def a_pipe(mode: str, kind: str = "csv", contract: str = CONTRACT) -> dict[str, Any]:
    return {
        "name": "orders",
        "pattern": "orders/*",
        "on_error": "continue",
        "schema_evolution": mode,
        "file_format": {"type": kind},
        "contract": columns(contract),
    }


@contextmanager
def opened_shop(
    root: Path, mode: str, kind: str = "csv", contract: str = CONTRACT
) -> Iterator[Shop]:
    with open_shop(root, [a_pipe(mode, kind, contract)]) as shop:
        yield shop


def land(shop: Shop, kind: str, name: str, records: Records) -> str:
    """Put records into the landing folder and load; return the file's name."""
    shop.land(f"orders/{name}", WRITERS[kind](records))
    shop.load()
    return f"orders/{name}"


def bronze(shop: Shop) -> list[dict[str, Any]]:
    """Return the live rows without the load columns, by file and ordinal."""
    with shop.parts.warehouse.snapshot() as session:
        table = session.table("select * from bronze.orders order by _file, _file_row")
    return [
        {
            name: value
            for name, value in zip(table.columns, row, strict=True)
            if not name.startswith("_") or name == "_rescued"
        }
        for row in table.rows
    ]


def states(shop: Shop) -> dict[str, str]:
    return {
        str(each["file_name"]): str(each["state"])
        for each in shop.parts.pending.states()
    }


def the_load(shop: Shop, file: str) -> dict[str, Any]:
    (load,) = shop.history(file)
    return load


A = {"id": 1, "name": "a"}
NEW = {"id": 2, "name": "b", "colour": "red", "Size": 7}


def test_none_leaves_new_columns_out(tmp_path: Path, kind: str) -> None:
    with opened_shop(tmp_path, "none", kind) as shop:
        land(shop, kind, "a", [NEW])
        assert bronze(shop) == [{"id": 2, "name": "b", "note": None}]
        assert shop.rows(EVOLUTION) == []


def test_new_columns_are_added_in_the_commit_of_the_rows(
    tmp_path: Path, kind: str
) -> None:
    size = 7 if kind == "parquet" else "7"
    with opened_shop(tmp_path, "add_new_columns", kind) as shop:
        land(shop, kind, "a", [A])
        file = land(shop, kind, "b", [NEW])
        load = the_load(shop, file)
        expected = [
            {"id": 1, "name": "a", "note": None, "colour": None, "size": None},
            {"id": 2, "name": "b", "note": None, "colour": "red", "size": size},
        ]
        assert bronze(shop) == expected
        evolved = shop.rows(EVOLUTION)
        seq = load["load_seq"]
        size_type = "bigint" if kind == "parquet" else "varchar"
        assert [row[:-1] for row in evolved] == [
            ("colour", "varchar", "ADD_COLUMN", "COPY", file, str(seq), seq),
            ("size", size_type, "ADD_COLUMN", "COPY", file, str(seq), seq),
        ]
        assert {row[-1] for row in evolved} == {load["last_load_time"]}
        assert sources(tmp_path)[:5] == ["id", "name", "note", "colour", "size"]
    with opened_shop(tmp_path, "add_new_columns", kind) as shop:
        land(shop, kind, "c", [A | {"colour": "blue"}])
        expected.append(
            {"id": 1, "name": "a", "note": None, "colour": "blue", "size": None}
        )
        assert bronze(shop) == expected
        assert shop.rows(EVOLUTION) == evolved
        assert sources(tmp_path)[:5] == ["id", "name", "note", "colour", "size"]


def sources(root: Path) -> list[str]:
    """Return the columns that dbt is told of."""
    text = (root / "models" / SOURCES_FILE).read_text()
    (table,) = yaml.safe_load(text)["sources"][0]["tables"]
    return [column["name"] for column in table["columns"]]


def test_files_of_one_batch_add_what_each_brings(tmp_path: Path, kind: str) -> None:
    with opened_shop(tmp_path, "add_new_columns", kind) as shop:
        for name, record in (
            ("a", A | {"x": "1"}),
            ("b", A | {"y": "2"}),
            ("c", A | {"x": "3", "y": "4"}),
            ("d", {"id": 9, "name": "d"}),
        ):
            shop.land(f"orders/{name}", WRITERS[kind]([record]))
        shop.load()
        assert [(row["x"], row["y"]) for row in bronze(shop)] == [
            ("1", None),
            (None, "2"),
            ("3", "4"),
            (None, None),
        ]
        assert sorted(row[0] for row in shop.rows(EVOLUTION)) == ["x", "y"]


def test_a_file_that_fails_adds_no_column(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "add_new_columns") as shop:
        land(shop, "csv", "a", [A])
        file = land(shop, "csv", "b", [{"id": "no", "name": "b", "colour": "red"}])
        assert the_load(shop, file)["status"] == "Load failed"
        assert bronze(shop) == [{"id": 1, "name": "a", "note": None}]
        assert shop.rows(EVOLUTION) == []


def test_a_column_the_failed_file_shares_comes_with_the_one_that_loads(
    tmp_path: Path,
) -> None:
    with opened_shop(tmp_path, "add_new_columns") as shop:
        shop.land("orders/a", b"id,name,colour\nno,a,red\n")
        shop.land("orders/b", b"id,name,colour,size\n2,b,blue,L\n")
        shop.load()
        assert bronze(shop) == [
            {"id": 2, "name": "b", "note": None, "colour": "blue", "size": "L"}
        ]
        assert {row[4] for row in shop.rows(EVOLUTION)} == {"orders/b"}


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("id,name,unit price", "'unit price' is no name of a column"),
        ("id,name,_file", "names that begin with _ are kept for load columns"),
        ("id,name,", "a column has no name"),
        ("id,name,X,x", "column 'X' is there twice"),
        ("id,name," + ",".join(f"c{n}" for n in range(101)), "more than 100"),
    ],
)
def test_what_cannot_be_added_fails_and_is_not_tried_for_ever(
    tmp_path: Path, header: str, problem: str
) -> None:
    content = f"{header}\n{','.join('1' for _ in header.split(','))}\n".encode()
    with opened_shop(tmp_path, "add_new_columns") as shop:
        shop.land("orders/a", content)
        shop.load()
        load = the_load(shop, "orders/a")
        assert load["status"] == "Load failed"
        assert problem in load["first_error_message"]
        shop.load()
    with opened_shop(tmp_path, "add_new_columns") as shop:
        shop.load()
        assert the_load(shop, "orders/a") == load
    with opened_shop(tmp_path, "rescue") as shop:  # the pipe changed: tried again
        shop.load()
        assert shop.history("orders/a")[-1]["status"] == "Loaded"


def test_rescue_keeps_what_the_contract_does_not_name(
    tmp_path: Path, kind: str
) -> None:
    size = "7" if kind == "csv" else 7
    with opened_shop(tmp_path, "rescue", kind) as shop:
        land(shop, kind, "a", [NEW, {"id": 3, "name": "c"}])
        land(shop, kind, "b", [A])
        rows = bronze(shop)
        rescued = [row.pop("_rescued") for row in rows]
        assert rows == [
            {"id": 2, "name": "b", "note": None},
            {"id": 3, "name": "c", "note": None},
            {"id": 1, "name": "a", "note": None},
        ]
        assert json.loads(rescued[0]) == {"colour": "red", "Size": size}
        assert rescued[1:] == [None, None]
        assert shop.rows(EVOLUTION) == []


def test_rescue_takes_any_name_and_any_text(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "rescue") as shop:
        shop.land(
            "orders/a",
            'id,unit "price",name,,x,x,_file\n1,"2 ""€""",a,u,one,two,f\n'
            "no,1,b,2,3,4,5\n2,,b,,,,\n".encode(),
        )
        shop.load()
        first, second = bronze(shop)
        assert json.loads(first["_rescued"]) == {
            'unit "price"': '2 "€"',
            "_4": "u",
            "x": "one",
            "x_6": "two",
            "_file": "f",
        }
        assert second["_rescued"] is None
        load = the_load(shop, "orders/a")
        assert (load["row_count"], load["error_count"]) == (2, 1)


def test_fail_on_new_columns_names_them(tmp_path: Path, kind: str) -> None:
    with opened_shop(tmp_path, "fail_on_new_columns", kind) as shop:
        good = land(shop, kind, "a", [A])
        file = land(shop, kind, "b", [NEW])
        load = the_load(shop, file)
        assert (load["status"], load["row_count"]) == ("Load failed", 0)
        assert load["first_error_message"].startswith(
            "columns 'colour', 'Size' are not in the contract"
        )
        assert the_load(shop, good)["status"] == "Loaded"
        shop.load()
        assert the_load(shop, file) == load


@pytest.mark.parametrize(
    "mode", ["none", "add_new_columns", "rescue", "fail_on_new_columns"]
)
def test_a_file_without_a_required_column_fails(tmp_path: Path, mode: str) -> None:
    with opened_shop(tmp_path, mode) as shop:
        file = land(shop, "csv", "a", [{"name": "a"}])
        load = the_load(shop, file)
        assert load["status"] == "Load failed"
        assert (
            "required column 'id' is not in the header" in (load["first_error_message"])
        )
        other = land(shop, "csv", "b", [{"x": "a", "y": 1}])
        assert (
            "none of the contract's columns"
            in (the_load(shop, other)["first_error_message"])
        )


def test_a_held_file_waits_over_a_restart_and_blocks_nobody(
    tmp_path: Path, kind: str
) -> None:
    with opened_shop(tmp_path, "hold", kind) as shop:
        shop.land("orders/a", WRITERS[kind]([NEW]))
        shop.land("orders/b", WRITERS[kind]([A]))
        shop.load()
        assert states(shop) == {"orders/a": "held"}
        assert bronze(shop) == [{"id": 1, "name": "a", "note": None}]
        assert shop.history("orders/a") == []
        shown = drift_document(shop.parts, None)["held"]
        shop.load()
        assert drift_document(shop.parts, "orders")["held"] == shown
    with opened_shop(tmp_path, "hold", kind) as shop:
        shop.load()
        assert states(shop) == {"orders/a": "held"}
        assert drift_document(shop.parts, None)["held"] == shown
        (held,) = shown
        size = "bigint" if kind == "parquet" else "varchar"
        assert held["new"] == [
            {"column_name": "colour", "column_type": "varchar", "samples": ["red"]},
            {"column_name": "Size", "column_type": size, "samples": ["7"]},
        ]
        assert (held["missing"], held["retyped"], held["waits"]) == ([], [], True)
        assert held["reason"] == "columns 'colour', 'Size' are not in the contract"
        assert "held" in explain(shop.parts, "orders/a")["answer"]


def test_approving_adds_the_columns_and_loads_the_file_at_once(
    tmp_path: Path, kind: str
) -> None:
    size, size_type = (7, "bigint") if kind == "parquet" else ("7", "varchar")
    with opened_shop(tmp_path, "hold", kind) as shop:
        file = land(shop, kind, "a", [NEW])
        document = approve(shop.loop, file, None)
        assert document["approved"][0]["added"] == [
            {"column_name": "colour", "column_type": "varchar"},
            {"column_name": "size", "column_type": size_type},
        ]
        (load,) = document["loads"]
        assert (load["file_name"], load["status"]) == (file, "Loaded")
        expected = [{"id": 2, "name": "b", "note": None, "colour": "red", "size": size}]
        assert bronze(shop) == expected
        assert states(shop) == {}
        assert [row[:5] for row in shop.rows(EVOLUTION)] == [
            ("colour", "varchar", "ADD_COLUMN", "APPROVED", file),
            ("size", size_type, "ADD_COLUMN", "APPROVED", file),
        ]
        assert shop.rows(
            "select decided, decided_at is not null from snowmelt.held_files"
        ) == [("released", True)]
        assert sources(tmp_path)[3:5] == ["colour", "size"]
    with opened_shop(tmp_path, "hold", kind) as shop:
        land(shop, kind, "b", [NEW | {"id": 4}])
        assert bronze(shop) == [*expected, expected[0] | {"id": 4}]
        assert len(shop.history(file)) == 1


def test_an_approval_without_its_load_is_loaded_by_the_next_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        file = land(shop, "csv", "a", [NEW])
        monkeypatch.setattr("snowmelt.service.drifting._load", lambda *_: None)
        approve(shop.loop, file, None)
        assert bronze(shop) == []
    with opened_shop(tmp_path, "hold") as shop:
        shop.load()
        assert the_load(shop, file)["status"] == "Loaded"
        assert [row["colour"] for row in bronze(shop)] == ["red"]


def test_a_missing_required_column_is_held_and_approved_as_optional(
    tmp_path: Path,
) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        file = land(shop, "csv", "a", [{"name": "a"}])
        (held,) = drift_document(shop.parts, None)["held"]
        assert (held["missing"], held["new"]) == (["id"], [])
        approve(shop.loop, file, None)
        assert bronze(shop) == [{"id": None, "name": "a", "note": None}]
        assert [row[:5] for row in shop.rows(EVOLUTION)] == [
            ("id", "integer", "DROP_NOT_NULL", "APPROVED", file)
        ]
    with opened_shop(tmp_path, "hold") as shop:
        land(shop, "csv", "b", [{"name": "b"}])
        assert [row["name"] for row in bronze(shop)] == ["a", "b"]


@pytest.mark.parametrize(
    ("values", "proposed", "found"),
    [
        (["3000000000", "-3000000001"], "bigint", [1, 3_000_000_000, -3_000_000_001]),
        (["3000000000.5", "3e9"], "varchar", ["1", "3000000000.5", "3e9"]),
        (["A-1", "A-2"], "varchar", ["1", "A-1", "A-2"]),
    ],
)
def test_a_column_of_another_type_is_held_and_widened(
    tmp_path: Path, values: list[str], proposed: str, found: list[Any]
) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        land(shop, "csv", "a", [A])
        records: Records = [{"id": value, "name": "x"} for value in values]
        file = land(shop, "csv", "b", records)
        assert states(shop) == {file: "held"}
        (held,) = drift_document(shop.parts, None)["held"]
        (retyped,) = held["retyped"]
        assert retyped == {
            "column_name": "id",
            "column_type": "integer",
            "proposed_type": proposed,
            "samples": values,
        }
        approve(shop.loop, None, "orders")
        assert [row["id"] for row in bronze(shop)] == found
        assert [row[:5] for row in shop.rows(EVOLUTION)] == [
            ("id", proposed, "WIDEN_TYPE", "APPROVED", file)
        ]
    with opened_shop(tmp_path, "hold") as shop:
        land(shop, "csv", "c", [A | {"id": 5}])
        five = "5" if proposed == "varchar" else 5
        assert [row["id"] for row in bronze(shop)] == [*found, five]


def test_all_that_is_different_is_held_and_approved_at_once(
    tmp_path: Path, kind: str
) -> None:
    contract = f"{CONTRACT}, due date"
    records: Records = [{"id": "A-1", "name": "x", "colour": "red"}]
    with opened_shop(tmp_path, "hold", kind, contract) as shop:
        shop.land("orders/good", WRITERS[kind]([A | {"due": "2024-02-29"}]))
        file = land(shop, kind, "odd", records)
        (held,) = drift_document(shop.parts, None)["held"]
        assert [each["column_name"] for each in held["new"]] == ["colour"]
        assert held["missing"] == ["due"]
        assert held["retyped"] == [
            {
                "column_name": "id",
                "column_type": "integer",
                "proposed_type": "varchar",
                "samples": ["A-1"],
            }
        ]
        checked = check_file(
            shop.parts,
            shop.parts.project.landing / file,
            shop.parts.project.pipes[0],
        )
        assert (checked["would_be"], checked["drift"]["missing"]) == ("held", ["due"])
        approve(shop.loop, file, None)
        assert [row[0:3] for row in shop.rows(EVOLUTION)] == [
            ("colour", "varchar", "ADD_COLUMN"),
            ("due", "date", "DROP_NOT_NULL"),
            ("id", "varchar", "WIDEN_TYPE"),
        ]
        assert [(row["id"], row["colour"]) for row in bronze(shop)] == [
            ("1", None),
            ("A-1", "red"),
        ]


def test_one_good_value_is_no_other_type(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        shop.land("orders/a", b"id,name\nx,a\n2,b\ny,c\n")
        shop.load()
        load = the_load(shop, "orders/a")
        assert (load["row_count"], load["error_count"]) == (1, 2)


def test_a_rejected_file_failed_and_is_not_offered_again(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        file = land(shop, "csv", "a", [NEW])
        reject(shop.loop, file)
        load = the_load(shop, file)
        assert load["status"] == "Load failed"
        assert load["first_error_message"] == (
            "rejected by a person: columns 'colour', 'Size' are not in the contract"
        )
        shop.load()
        assert states(shop) == {}
    with opened_shop(tmp_path, "hold") as shop:
        shop.load()
        assert shop.history(file) == [load]
        assert shop.rows("select decided from snowmelt.held_files") == [("rejected",)]
        land(shop, "csv", "a", [A])  # another version
        assert [each["status"] for each in shop.history(file)] == [
            "Load failed",
            "Loaded",
        ]


def test_another_version_or_another_contract_is_looked_at_anew(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        land(shop, "csv", "a", [NEW])
        file = land(shop, "csv", "b", [NEW | {"id": 3}])
        land(shop, "csv", "a", [A])
        assert states(shop) == {file: "held"}
        assert [row["id"] for row in bronze(shop)] == [1]
    with opened_shop(
        tmp_path, "hold", contract=f"{CONTRACT}, colour varchar, size integer"
    ) as shop:
        shop.load()
        assert states(shop) == {}
        assert bronze(shop)[1]["size"] == 7


def test_what_cannot_be_a_column_cannot_be_approved(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        for name, content in (("a", b"id,name,_x\n1,a,2\n"), ("b", b"q,r\n1,2\n")):
            shop.land(f"orders/{name}", content)
            shop.load()
            with pytest.raises(UsageError, match="cannot be approved"):
                approve(shop.loop, f"orders/{name}", None)
        assert states(shop) == {"orders/a": "held", "orders/b": "held"}
        with pytest.raises(UsageError, match="no file is held"):
            approve(shop.loop, "orders/zzz", None)


def test_a_release_does_not_decide_about_columns(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "hold") as shop:
        file = land(shop, "csv", "a", [NEW])
        with pytest.raises(UsageError, match="drift approve"):
            Operating(shop.loop).release(file)
        shop.load()
        assert states(shop) == {file: "held"}


@pytest.mark.parametrize(
    ("before", "after", "values", "found"),
    [
        ("integer", "bigint", [1, -2], [1, -2]),
        ("integer", "double", [1, 2147483647], [1.0, 2147483647.0]),
        ("bigint", "decimal(19,0)", [2**63 - 1], [2**63 - 1]),
        ("decimal(4,2)", "decimal(9,3)", ["1.25"], ["1.250"]),
        ("date", "timestamp", ["2024-02-29"], ["2024-02-29 00:00:00"]),
        ("integer", "varchar", [7], ["7"]),
        ("decimal(4,2)", "varchar", ["1.5"], ["1.50"]),
        ("boolean", "varchar", ["true"], ["true"]),
    ],
)
def test_a_wider_type_in_the_contract_alters_the_table_in_place(
    tmp_path: Path, before: str, after: str, values: list[Any], found: list[Any]
) -> None:
    with opened_shop(tmp_path, "none", contract=f"id {before}, name varchar") as shop:
        land(shop, "csv", "a", [{"id": value, "name": "a"} for value in values])
        with shop.parts.warehouse.session() as session:
            session.execute("create schema silver")
            session.execute("create view silver.all as select * from bronze.orders")
            session.execute("create view silver.few as select id, name from silver.all")
    with opened_shop(tmp_path, "none", contract=f"id {after}, name varchar") as shop:
        expected = [str(value) for value in found]
        for relation in ("bronze.orders", "silver.all", "silver.few"):
            rows = shop.rows(f"select id::varchar, typeof(id) from {relation}")
            if after == "double":
                assert [float(row[0]) for row in rows] == found
            else:
                assert [row[0] for row in rows] == expected
            assert {row[1] for row in rows} == {after.upper()}
        (evolved,) = shop.rows(EVOLUTION)
        assert evolved[:7] == (
            "id", after, "WIDEN_TYPE", "APPROVED", None, None, None,
        )  # fmt: skip
        assert isinstance(evolved[7], datetime)
        land(shop, "csv", "b", [{"id": values[0], "name": "b"}])
        assert len(bronze(shop)) == len(values) + 1


def test_a_narrower_type_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "none", contract="id bigint, name varchar") as shop:
        land(shop, "csv", "a", [A])
    with (
        pytest.raises(ConfigError, match="does not hold each bigint") as caught,
        opened_shop(tmp_path, "none", contract="id integer, name varchar"),
    ):
        pass
    assert "a new name" in caught.value.remedy
    with opened_shop(tmp_path, "none", contract="id bigint, name varchar") as shop:
        assert [row["id"] for row in bronze(shop)] == [1]


def test_the_contract_can_take_over_an_added_column(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "add_new_columns") as shop:
        land(shop, "csv", "a", [NEW])
    with opened_shop(
        tmp_path, "none", contract=f"{CONTRACT}, colour varchar, size varchar"
    ) as shop:
        land(shop, "csv", "b", [NEW | {"Size": 9}])
        assert [row["size"] for row in bronze(shop)] == ["7", "9"]


def test_rejects_are_replayed_with_the_columns_that_evolved(tmp_path: Path) -> None:
    with opened_shop(tmp_path, "add_new_columns") as shop:
        shop.land("orders/a", b"id,name,colour\n1,a,red\n3000000000,b,blue\n")
        shop.load()
    wider = CONTRACT.replace("integer", "bigint")
    with opened_shop(tmp_path, "add_new_columns", contract=wider) as shop:
        parts = shop.parts
        replayer = Replayer(parts.warehouse, parts.clock, parts.project.spool)
        (replayed,) = replayer.replay(parts.project.pipes[0], RejectFilter())
        assert replayed.loaded == 1
        assert [(row["id"], row["colour"]) for row in bronze(shop)] == [
            (1, "red"),
            (3_000_000_000, "blue"),
        ]


@pytest.mark.parametrize(
    ("mode", "would_be", "told"),
    [
        ("none", "Loaded", None),
        ("rescue", "Loaded", None),
        ("add_new_columns", "Loaded", "would add to bronze.orders: colour (varchar)"),
        ("fail_on_new_columns", "Load failed", None),
        ("hold", "held", "columns 'colour', 'Size' are not in the contract"),
    ],
)
def test_check_says_what_would_happen_and_changes_nothing(
    tmp_path: Path, mode: str, would_be: str, told: str | None
) -> None:
    with opened_shop(tmp_path, mode) as shop:
        path = tmp_path / "orders" / "a.csv"
        path.parent.mkdir()
        path.write_bytes(as_csv([NEW]))
        document = check_file(shop.parts, path, shop.parts.project.pipes[0])
        assert document["would_be"] == would_be
        assert (document["reason"] is None) == (told is None)
        assert told is None or told in document["reason"]
        assert shop.rows(EVOLUTION) == []
        assert shop.rows("select * from snowmelt.held_files") == []
        assert "colour" not in {row[0] for row in shop.rows("describe bronze.orders")}


MODELS = {
    "silver/stg_orders.sql": "{{ config(materialized='view') }}\n"
    "select * from {{ source('bronze', 'orders') }}",
    "silver/seen.sql": "{{ config(materialized='incremental') }}\n"
    "select * from {{ ref('stg_orders') }}\n"
    "{% if is_incremental() %}\n"
    "where _load_seq > (select max(_load_seq) from {{ this }})\n"
    "{% endif %}",
    "gold/total.sql": "{{ config(materialized='table') }}\n"
    "select sum(id) as ids, count(*) as rows from {{ ref('seen') }}",
}


def test_models_go_on_when_a_column_is_added_and_when_one_is_widened(
    tmp_path: Path,
) -> None:
    make_project(tmp_path, "blank")
    for name, sql in MODELS.items():
        path = tmp_path / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(sql)
    shop = DbtShop(tmp_path)
    for name, contract, records in (
        ("a", CONTRACT, [A]),
        ("b", CONTRACT, [NEW]),
        ("c", CONTRACT.replace("integer", "bigint"), [A | {"id": 3_000_000_000}]),
    ):
        pipe = a_pipe("add_new_columns", contract=contract)
        (tmp_path / "pipes").mkdir(exist_ok=True)
        (tmp_path / "pipes" / "orders.yml").write_text(yaml.safe_dump(pipe))
        shop.land_bytes(f"orders/{name}", as_csv(records))
        with shop.commands() as commands:
            if name != "a":  # what was published before stands on the altered table
                assert asked(commands, "select count(*) from silver.stg_orders")
            run = commands.run(None)["run"]
            assert run["state"] == "SUCCEEDED", run
            total = asked(commands, "select * from gold.total")
            seen = asked(commands, "select distinct typeof(id) from silver.seen")
    assert total == [(3_000_000_003, 3)]
    assert seen == [("BIGINT",)]
    with shop.commands() as commands:
        for relation in ("silver.stg_orders", "silver.seen"):
            found = asked(
                commands, f"select id, colour, size from {relation} order by 1"
            )
            assert found == [
                (1, None, None),
                (2, "red", "7"),
                (3_000_000_000, None, None),
            ]


def asked(commands: OwnCommands, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in commands.query(sql, None)["rows"]]
