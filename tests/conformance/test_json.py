"""JSON files: every record has an account, and nothing is lost or altered silently."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from input_case import Case
from json_inputs import KEYS, L1, L2, LINES, SHAPES, VALUES
from parquet_inputs import write
from small_shop import Shop, columns, open_shop

from snowmelt.bronze.json import JsonReader
from snowmelt.bronze.json_record import Judge
from snowmelt.bronze.json_spool import JsonSpool
from snowmelt.bronze.rejects import RejectFilter
from snowmelt.bronze.replay import Replayer
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.file_format import JsonFormat
from snowmelt.service.checking import check_file

CASES = [*LINES, *KEYS, *VALUES, *SHAPES]


def contract(text: str) -> dict[str, Any]:
    """Write a contract briefly; `p varchar @a.b` has a path."""
    made = columns(text)
    for column, part in zip(made["columns"], text.split(", "), strict=True):
        if " @" in part:
            column["path"] = part.partition(" @")[2]
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A project with a pipe for every case, all of them loaded."""
    pipes: list[dict[str, Any]] = [
        {
            "name": case.name,
            "pattern": f"{case.name}/**/*",
            "on_error": case.on_error,
            "file_format": case.file_format,
            "limits": case.limits,
            "contract": contract(case.contract),
        }
        for case in CASES
    ]
    root = tmp_path_factory.mktemp("json") / "shop"
    with open_shop(root, pipes) as shop:
        for case in CASES:
            shop.land(f"{case.name}/file.json", case.content)
        shop.load()
        yield shop


def shown(value: object) -> object:
    """Return a value as cases have it: times as text."""
    plain = isinstance(value, int | float | Decimal | str | None)
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(tz=None).isoformat(" ")
    return value if plain else str(value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_file_loads_as_promised(shop: Shop, case: Case) -> None:
    file_name = f"{case.name}/file.json"
    (load,) = shop.history(file_name)
    message = load["first_error_message"]
    counts = (load["row_parsed"], load["row_count"], load["error_count"])
    assert (load["status"], counts) == (case.status, case.counts), message
    assert (case.says or "") in (message or "")
    assert (message is None) == (case.status == "Loaded")

    rejects = shop.rejects(load["load_seq"])
    assert tuple(
        (each.file_row, each.line, each.column_name, each.raw) for each in rejects
    ) == tuple(case.rejects)
    for each in rejects:
        at = each.byte_offset
        assert case.content[at : at + len(each.raw)] == each.raw
    rows = shop.bronze(case.name, file_name)
    assert {n: tuple(map(shown, row)) for n, row in rows.items()} == case.rows


def test_every_error_of_a_record_is_kept(shop: Shop) -> None:
    (load,) = shop.history("lines_several_errors/file.json")
    (reject,) = shop.rejects(load["load_seq"])
    assert [error["column_name"] for error in reject.errors] == ["id", "amount"]


def test_the_position_of_a_reject_put_together_from_columns(tmp_path: Path) -> None:
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "json", "orient": "columns"},
        "contract": contract("id integer, name varchar optional"),
    }
    content = b'{\n"id": {"a": 1,\n  "b": "x"},\n"name": {"b": "n", "a": "\\"}{,"}}'
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t/file.json", content)
        shop.load()
        (load,) = shop.history("t/file.json")
        (reject,) = shop.rejects(load["load_seq"])
        assert (reject.file_row, reject.line, reject.column_name) == (2, 3, "id")
        assert content[reject.byte_offset :].startswith(b'"x"')
        assert json.loads(reject.raw) == {"id": "x", "name": "n"}
        assert shop.bronze("t", "t/file.json") == {1: (1, '"}{,')}


MANY_TEXTS = [f"absent{number}" for number in range(12)]


@pytest.mark.parametrize("type_name", ["csv", "json"])
def test_rows_keep_the_order_of_the_file(tmp_path: Path, type_name: str) -> None:
    count = 400_000
    if type_name == "csv":
        content = "id,name\n" + "".join(f"{n},{'x' * 40}\n" for n in range(count))
    else:
        content = "".join(
            f'{{"id": {n}, "name": "{"x" * 40}"}}\n' for n in range(count)
        )
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "file_format": {
            "type": type_name,
            "null_if": MANY_TEXTS,
            "trim_space": True,
        },
        "contract": contract("id integer, name varchar"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t/file", content.encode())
        shop.load()
        assert shop.rows(
            'select count(*), count(*) filter (id = _file_row - 1) from bronze."t"'
        ) == [(count, count)]


def test_an_ordinary_file_is_read_in_bulk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("records were judged one by one")

    monkeypatch.setattr(Judge, "resolve", refuse)
    monkeypatch.setattr(JsonSpool, "exact", refuse)
    lines = [
        f'{{"id": {number}, "name": "a, b", "amount": {value}, "x": {{"id": 1}}}}'
        for number, value in enumerate(["1.5", '"x"', "null", '""', "1e3"] * 100)
    ]
    lines.append('{"name": "b", "id": 7}')
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "json"},
        "contract": contract("id integer, name varchar, amount double"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t/file", "\n".join(lines).encode())
        shop.load()
        (load,) = shop.history("t/file")
        assert (load["row_count"], load["error_count"]) == (401, 100)


def test_broken_files_leave_the_others_of_a_batch_alone(tmp_path: Path) -> None:
    contents = {
        "good": L1 + b"\n" + L2,
        "cast": L1 + b'\n{"id": "x"}\n',
        "cut": b"[" + L1,
        "malformed": b'{"id": \n' + L2,
        "no": b"\x00\x00",
        "long": b'{"id": 1, "name": "' + b"x" * (70 << 20) + b'"}\n' + L2,
        "array": b"[" + L1 + b"]",
        "other": b'{"ID": 5, "NAME": "e", "AMOUNT": 5}',
        "empty": b"",
        "blank": b"\n" + L2,
    }
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "json"},
        "contract": contract(
            "id integer, name varchar optional, amount double optional"
        ),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        batch = []
        for name, content in contents.items():
            shop.land(f"t/{name}", content)
            staged = shop.parts.stage.look(f"t/{name}")
            assert staged is not None
            batch.append(Pending(staged, "t", shop.parts.clock.now()))
        shop.parts.copier.copy(shop.parts.project.pipes[0], batch)
        ends = {name: shop.history(f"t/{name}")[-1] for name in contents}
        assert {
            name: (load["status"], load["row_count"], load["error_count"])
            for name, load in ends.items()
        } == {
            "good": ("Loaded", 2, 0),
            "cast": ("Partially loaded", 1, 1),
            "cut": ("Load failed", 0, 0),
            "malformed": ("Partially loaded", 1, 1),
            "no": ("Load failed", 0, 0),
            "long": ("Load failed", 0, 0),
            "array": ("Loaded", 1, 0),
            "other": ("Loaded", 1, 0),
            "empty": ("Load failed", 0, 0),
            "blank": ("Loaded", 1, 0),
        }
        assert "has no end within" in ends["long"]["first_error_message"]
        assert shop.bronze("t", "t/other") == {1: (5, "e", 5.0)}


NAMES = [
    "o[1].json",
    "o1.json",
    "o*.json",
    "it's.json",
    "day=5/x.json",
    "{a,b}.json",
    "x.json.gz",
    "x.json.zst",
    "naïve-🧊.json",
]


@pytest.mark.parametrize("type_name", ["json", "parquet"])
def test_each_name_loads_exactly_that_file(tmp_path: Path, type_name: str) -> None:
    pipe = {
        "name": "t",
        "pattern": "t/**/*",
        "file_format": {"type": type_name},
        "contract": contract("id integer"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        for number, name in enumerate(NAMES):
            content = b'{"id": %d}\n' % number
            if type_name == "parquet":
                content = write({"id": pa.array([number], pa.int32())})
            shop.land(f"t/{name}", content)
        shop.load()
        for number, name in enumerate(NAMES):
            (load,) = shop.history(f"t/{name}")
            assert load["status"] == "Loaded", load["first_error_message"]
            assert shop.bronze("t", f"t/{name}") == {1: (number,)}


LINES_ = L1 + b"\n" + L2 + b"\n"
ALIKE = {
    "lines": LINES_,
    "array": b"[" + L1 + b",\n" + L2 + b"]",
    "bom": b"\xef\xbb\xbf" + LINES_,
    "columns": b'{"id":{"0":1,"1":2},"name":{"0":"a","1":"b"},"amount":{"0":1,"1":2}}',
    "comma": b"id,name,amount\n1,a,1\n2,b,2\n",
    "semicolon": b"id;name;amount\n1;a;1\n2;b;2\n",
    "tab": b"name\tamount\tid\na\t1\t1\nb\t2\t2\n",
    "bar": b"\xef\xbb\xbfid|name|x,y|amount\n1|a||1\n2|b||2\n",
    "parquet": write(
        {
            "id": pa.array([1, 2], pa.int32()),
            "name": pa.array(["a", "b"]),
            "amount": pa.array([1.0, 2.0]),
        }
    ),
}


@pytest.mark.parametrize("packed", ["plain", "gzip", "zstd"])
def test_a_format_is_told_by_the_file(tmp_path: Path, packed: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "plain": lambda content: content,
        "gzip": lambda content: gzip.compress(content),
        "zstd": lambda content: zstandard.compress(content),
    }
    pack = packers[packed]
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "file_format": {"type": "auto"},
        "contract": contract("id integer, name varchar, amount double"),
    }
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        for name, content in ALIKE.items():
            shop.land(f"t/{name}", pack(content))
        shop.load()
        for name in ALIKE:
            (load,) = shop.history(f"t/{name}")
            assert load["status"] == "Loaded", (name, load["first_error_message"])
            rows = shop.bronze("t", f"t/{name}")
            assert rows == {1: (1, "a", 1.0), 2: (2, "b", 2.0)}


def test_a_file_that_changes_before_it_is_read_is_offered_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "json"},
        "contract": contract("id integer"),
    }
    original = JsonReader._read_group
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        path = shop.land("t/file", b'{"id": 1}\n{"id": "x"}\n')

        def late(self: JsonReader, *args: object) -> None:
            path.write_bytes(b'{"id": 9}\n' * 9)
            original(self, *args)  # type: ignore[arg-type]

        monkeypatch.setattr(JsonReader, "_read_group", late)
        staged = shop.parts.stage.look("t/file")
        assert staged is not None
        pending = Pending(staged, "t", shop.parts.clock.now())
        prepared = shop.parts.copier.copy(shop.parts.project.pipes[0], [pending])
        assert set(prepared.again) == {"t/file"}
        assert shop.history("t/file") == []
        assert shop.bronze("t", "t/file") == {}


TO_REPLAY = {
    "lines": b'{"id": 1, "at": "2024-01-01"}\n{"id": 2, "at": "01.02.2024"}\n[3]\n',
    "pretty": b'[{"id": 1, "at": "2024-01-01"},\n'
    b'{\n "id": 2,\n "at": "01.02.2024"\n}, 5]',
    "parquet": write(
        {"id": pa.array([1, 2]), "at": pa.array(["2024-01-01", "01.02.2024"])}
    ),
}


@pytest.mark.parametrize("name", TO_REPLAY)
def test_rejects_are_replayed_after_the_format_is_put_right(
    tmp_path: Path, name: str
) -> None:
    type_name = "parquet" if name == "parquet" else "json"
    pipe: dict[str, Any] = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": type_name},
        "contract": contract("id integer, at date, name varchar optional"),
    }
    root = tmp_path / "shop"
    with open_shop(root, [pipe]) as shop:
        shop.land("t/file", TO_REPLAY[name])
        shop.load()
        (load,) = shop.history("t/file")
        assert load["status"] == "Partially loaded", load["first_error_message"]
        fixed = shop.parts.project.pipes[0].model_copy(
            update={"file_format": JsonFormat(date_format="DD.MM.YYYY")}
        )
        parts = shop.parts
        replayer = Replayer(parts.warehouse, parts.clock, parts.project.spool)
        (replayed,) = replayer.replay(fixed, RejectFilter())
        assert replayed.loaded == 1, replayed
        assert shop.rows(
            'select id, "at"::varchar, _file_row from bronze.t order by 1'
        ) == [
            (1, "2024-01-01", 1),
            (2, "2024-02-01", 2),
        ]
        still = shop.rows(
            "select file_row from snowmelt.rejects where replayed_by is null"
        )
        assert still == ([] if name == "parquet" else [(3,)])


@pytest.mark.parametrize("name", TO_REPLAY)
def test_check_says_what_loading_would_come_to(tmp_path: Path, name: str) -> None:
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "auto"},
        "contract": contract("id integer, at date, name varchar optional"),
    }
    path = tmp_path / "file"
    path.write_bytes(TO_REPLAY[name])
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        found = check_file(shop.parts, path, shop.parts.project.pipes[0])
        rejected = 1 if name == "parquet" else 2
        assert found["would_be"] == "Partially loaded"
        assert (found["row_count"], found["error_count"]) == (1, rejected)
        assert "'01.02.2024' is not a valid date" in found["errors"][0]["error"]


def test_what_nobody_named_is_rescued_from_odd_records_too(tmp_path: Path) -> None:
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "schema_evolution": "rescue",
        "file_format": {"type": "json", "allow_duplicate": True},
        "contract": contract("id integer"),
    }
    content = b'{"id": 1, "x": 5, "y": null}\n{"ID": 2, "z": {"a": [1.5]}}\n{"id": 3}\n'
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t/file", content)
        shop.load()
        assert shop.rows("select id, _rescued from bronze.t order by id") == [
            (1, '{"x":5}'),
            (2, '{"z":{"a":[1.5]}}'),
            (3, None),
        ]


def test_columns_may_have_any_names(tmp_path: Path) -> None:
    names = ["v1", "v0", "t1", "a0", "j", "json", "keys", "order"]
    pipe = {
        "name": "t",
        "pattern": "t/*",
        "on_error": "continue",
        "file_format": {"type": "json"},
        "contract": contract(", ".join(f"{name} integer" for name in names)),
    }
    good = {name: number for number, name in enumerate(names)}
    bad = good | {"v0": "x", "keys": "y"}
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        shop.land("t/file", f"{json.dumps(good)}\n{json.dumps(bad)}\n".encode())
        shop.load()
        (load,) = shop.history("t/file")
        assert shop.bronze("t", "t/file") == {1: tuple(range(len(names)))}
        (reject,) = shop.rejects(load["load_seq"])
        told = [(error["column_name"], error["error"]) for error in reject.errors]
        assert told == [
            ("v0", "'x' is not a valid integer"),
            ("keys", "'y' is not a valid integer"),
        ]
