"""Random damage in JSON and Parquet: the account is what the file holds.

The judges are apart from the product: Python's json module, pyarrow, and the values
that were written.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_shop import Shop, open_shop
from test_json import contract

from snowmelt.pipe.batch import Pending

CONTRACT = contract(
    "id integer not null, name varchar optional, amount double optional, "
    "day date optional, city varchar optional @place.city[0], tags json optional"
)
BLANKS = [b"\n", b" \t\n", b"\r\n"]
STRAY = b'"{}[],:\\\x00\x01\xff a1'
NOT_RECORDS = [b"5", b"null", b'"text"', b"[1, 2]", b"true", b"[]"]
BALANCED = [
    b'{"id": 1,}',
    b'{"id": tru}',
    b"{id: 1}",
    b"{'id': 1}",
    b'{"id": 01}',
    b'{"id" 1}',
    b'{"id": 1, "amount": NaN}',
    b'{"id": 1, "name": "\xff"}',
    b'{"id": 1, "name": "\\x"}',
    b'{"id": 1, "name": "\\ud800"}',
    b'{"id": 1, "name": "\x01"}',
]

Values = tuple[Any, ...]


@dataclass(frozen=True)
class Record:
    """One record as bytes, and the values it must load as; None is refused."""

    raw: bytes
    values: Values | None


def make_record(number: int, chance: random.Random) -> Record:
    """Write a record with damage to its values, or none."""
    name = chance.choice(
        ["plain", "", 'a "b"\\', "{[,]}", "São 🧊", "two\nlines", None]
    )
    amount = chance.choice([None, 0, -1.5, 1e300, 12345678.25])
    tags = chance.choice([None, 1, "x", [1, None, {"a": [True]}], {"k": "v"}])
    record: dict[str, Any] = {
        "id": number,
        "name": name,
        "amount": amount,
        "tags": tags,
        "more": {"id": "other", "x": [1]},
    }
    values = [number, name or None, amount, None, None, tags]
    if chance.random() < 0.5:
        record["day"], values[3] = "2024-02-29", "2024-02-29"
    if chance.random() < 0.5:
        record["place"], values[4] = {"city": ["Rio", 1]}, "Rio"
    refused = chance.random() < 0.2 and _damage(record, chance)
    if not refused and chance.random() < 0.2:
        _dress(record, chance)
    keys = chance.sample(list(record), len(record)) if chance.random() < 0.3 else record
    indent = None if chance.random() < 0.7 else 2
    text = json.dumps(
        {key: record[key] for key in keys},
        ensure_ascii=chance.random() < 0.5,
        indent=indent,
    )
    if not refused and chance.random() < 0.1:
        text, refused = text[:-1].rstrip() + ', "id": 7}', True
    return Record(text.encode(), None if refused else tuple(values))


def _damage(record: dict[str, Any], chance: random.Random) -> bool:
    """Put in a value that no column takes, or take a needed one out."""
    damages: list[tuple[str, Any]] = [
        ("id", "x"),
        ("id", None),
        ("id", 2**31),
        ("id", [1]),
        ("id", True),
        ("amount", "one"),
        ("amount", {}),
        ("day", "2024-02-30"),
        ("day", 20240101),
        ("name", "zero\x00byte"),
        ("", None),
    ]
    key, value = chance.choice(damages)
    if key:
        record[key] = value
    else:
        del record["id"]
    return True


def _dress(record: dict[str, Any], chance: random.Random) -> None:
    """Write a key in another case, or a number as text."""
    if chance.random() < 0.5:
        record["NAME"] = record.pop("name")
    record["id"] = str(record["id"])


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def read_strictly(raw: bytes) -> Any:
    """Read JSON by Python's module; ValueError for what is none."""
    found = json.loads(raw.decode(), parse_constant=refuse_constant)
    json.dumps(found, ensure_ascii=False).encode()
    return found


def break_line(record: Record, chance: random.Random) -> Record:
    """Break the text of a record that is one line; what is read must not change."""
    raw = bytearray(record.raw)
    at = chance.randrange(len(raw))
    way = chance.randrange(3)
    if way == 0:
        raw = raw[: max(at, 1)]
    elif way == 1:
        raw[at] = chance.choice(STRAY)
    else:
        del raw[at]
    broken = bytes(raw).strip()
    try:
        if read_strictly(broken) == read_strictly(record.raw):
            return Record(broken, record.values)
    except ValueError:
        return Record(broken, None) if broken else record
    return record


def write_lines(records: list[Record], chance: random.Random) -> tuple[bytes, Any]:
    """Write one record a line, some of them broken, with blank lines between."""
    made = []
    for record in records:
        line = record
        if b"\n" in record.raw:
            kept = json.loads(record.raw, object_pairs_hook=lambda pairs: pairs)
            line = Record(_one_line(kept), record.values)
        if chance.random() < 0.15:
            line = Record(chance.choice(NOT_RECORDS + BALANCED), None)
        elif chance.random() < 0.2:
            line = break_line(line, chance)
        made.append(line)
    if made and (made[0].raw[:1] != b"{" or made[0].values is None):
        made[0] = Record(b'{"id": 1, "tags": 5}', (1, None, None, None, None, 5))
    end = chance.choice([b"\n", b"\r\n"])
    parts = [chance.choice([b"", b"\xef\xbb\xbf"])]
    blank = chance.choice([0.0, 0.2])
    for line in made:
        while chance.random() < blank:
            parts.append(chance.choice(BLANKS))
        parts.append(line.raw + end)
    content = b"".join(parts)
    return content.rstrip() if chance.random() < 0.3 else content, made


def _one_line(pairs: Any) -> bytes:
    """Write an object that was read as pairs; a key may be there twice."""

    def write(value: Any) -> str:
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            return (
                "{" + ", ".join(f"{json.dumps(k)}: {write(v)}" for k, v in value) + "}"
            )
        if isinstance(value, list):
            return "[" + ", ".join(map(write, value)) + "]"
        return json.dumps(value)

    return write(pairs).encode()


def write_array(records: list[Record], chance: random.Random) -> tuple[bytes, Any]:
    """Write one array, or records one after the other on several lines."""
    made = [
        Record(chance.choice(NOT_RECORDS + BALANCED), None)
        if chance.random() < 0.1
        else record
        for record in records
    ]
    between = chance.choice([b",", b", ", b",\n", b"\n  ,\r\n "])
    return b"[" + between.join(record.raw for record in made) + b"]\n", made


def write_columns(records: list[Record], chance: random.Random) -> tuple[bytes, Any]:
    """Write column by column, with labels that not every column has."""
    made = []
    columns: dict[str, dict[str, Any]] = {"id": {}}
    for label, record in enumerate(records):
        found = json.loads(record.raw)
        if "NAME" in found or b'"id": 7}' in record.raw or "id" not in found:
            found = {"id": label, "tags": None}
            record = Record(b"", (label, None, None, None, None, None))
        for key, value in found.items():
            columns.setdefault(key, {})[str(label)] = value
        made.append(Record(b"", record.values))
    return json.dumps(columns, indent=chance.choice([None, 1])).encode(), made


FORMS = [write_lines, write_lines, write_array, write_columns]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    pipes: list[dict[str, Any]] = [
        {
            "name": type_name,
            "pattern": f"{type_name}/*",
            "on_error": "continue",
            "file_format": {"type": type_name},
            "contract": CONTRACT,
        }
        for type_name in ("json", "parquet")
    ]
    with open_shop(tmp_path_factory.mktemp("property") / "shop", pipes) as shop:
        yield shop


def copy(shop: Shop, pipe_name: str, contents: dict[str, bytes]) -> None:
    """Copy files in one batch."""
    pipe = next(p for p in shop.parts.project.pipes if p.name == pipe_name)
    batch = []
    for name, content in contents.items():
        shop.land(name, content)
        staged = shop.parts.stage.look(name)
        assert staged is not None
        batch.append(Pending(staged, pipe.name, shop.parts.clock.now()))
    prepared = shop.parts.copier.copy(pipe, batch)
    assert all("same bytes" in reason for reason in prepared.again.values())


def check(shop: Shop, name: str, content: bytes, records: list[Record]) -> None:
    """Compare a file's load, rows and rejects with what was written."""
    loads = shop.history(name)
    if not loads or loads[-1]["status"] == "Load skipped":
        return
    load = loads[-1]
    bad = [n for n, each in enumerate(records, start=1) if each.values is None]
    failed = bool(records) and len(bad) == len(records)
    counts = (load["row_parsed"], load["row_count"], load["error_count"])
    loaded = 0 if failed else len(records) - len(bad)
    told = load["first_error_message"]
    if failed and "in no record" in (told or ""):
        return
    assert counts == (len(records), loaded, len(bad)), (told, content)
    rows = {
        ordinal: (
            *values[:3],
            None if values[3] is None else str(values[3]),
            values[4],
            None if values[5] is None else json.loads(values[5]),
        )
        for ordinal, values in shop.bronze(name.partition("/")[0], name).items()
    }
    wanted = {n: r.values for n, r in enumerate(records, start=1) if r.values}
    assert rows == ({} if failed else wanted), content
    rejects = shop.rejects(load["load_seq"])
    assert [reject.file_row for reject in rejects] == bad
    for reject in rejects:
        raw = records[reject.file_row - 1].raw
        if raw:
            at = reject.byte_offset
            assert reject.raw == raw == content[at : at + len(raw)]
            assert reject.line == 1 + content.count(b"\n", 0, at)


def copy_json(shop: Shop, seed: int) -> None:
    """Copy files of several forms at once, and check each."""
    chance = random.Random(seed)
    count = len(shop.rows("select 1 from snowmelt.load_history"))
    made: dict[str, tuple[bytes, list[Record]]] = {}
    for file in range(chance.randint(1, 4)):
        records = [
            make_record(number, chance) for number in range(chance.randint(1, 12))
        ]
        made[f"json/{count}-{file}"] = chance.choice(FORMS)(records, chance)
    copy(shop, "json", {name: content for name, (content, _) in made.items()})
    for name, (content, records) in made.items():
        check(shop, name, content, records)


def copy_cut(shop: Shop, seed: int) -> None:
    """Copy an array that is cut short: nothing of it is loaded."""
    chance = random.Random(seed)
    records = [make_record(number, chance) for number in range(5)]
    content, _ = write_array(records, chance)
    content = content[: chance.randrange(1, content.rindex(b"]"))]
    name = f"json/cut-{len(shop.rows('select 1 from snowmelt.load_history'))}"
    copy(shop, "json", {name: content})
    for load in shop.history(name):
        assert load["status"] in ("Load failed", "Load skipped"), content
    assert shop.bronze("json", name) == {}


def copy_parquet(shop: Shop, seed: int) -> None:
    """Copy a Parquet file whose columns have other types, and check it."""
    chance = random.Random(seed)
    rows = range(chance.randint(0, 20))
    ids = [chance.choice([n, n, n, None, 2**31 + n]) for n in rows]
    texts = [chance.choice([None, "1.5", "2", "x", "", "1e3"]) for _ in rows]
    days = [chance.choice([None, "2024-02-29", "2024-02-30"]) for _ in rows]
    tags = [chance.choice([None, [1], ["a", None]]) for _ in rows]
    as_text = chance.random() < 0.5
    table = pa.table(
        {
            "ID": pa.array(
                [None if n is None else str(n) for n in ids] if as_text else ids,
                pa.string() if as_text else pa.int64(),
            ),
            "amount": pa.array(texts, pa.string()),
            "day": pa.array(days, pa.string()),
            "name": pa.array([f"n{n}" for n in rows], pa.string()).dictionary_encode(),
            "tags": pa.array(
                [None if t is None else [str(x) for x in t] for t in tags],
                pa.list_(pa.string()),
            ),
            "other": pa.array([1.5 for _ in rows], pa.float64()),
        }
    )
    out = io.BytesIO()
    pq.write_table(
        table,
        out,
        row_group_size=chance.choice([1, 3, 1000]),
        compression=chance.choice(["none", "snappy", "zstd", "gzip"]),
    )
    content = out.getvalue()
    records = []
    for row in pq.read_table(io.BytesIO(content)).to_pylist():
        good = (
            row["ID"] is not None
            and int(row["ID"]) < 2**31
            and row["amount"] not in ("x", "")
            and row["day"] != "2024-02-30"
        )
        amount = None if row["amount"] is None or not good else float(row["amount"])
        values = (
            int(row["ID"] or 0),
            row["name"],
            amount,
            row["day"],
            None,
            row["tags"],
        )
        records.append(Record(b"", values if good else None))
    name = f"parquet/{len(shop.rows('select 1 from snowmelt.load_history'))}"
    copy(shop, "parquet", {name: content})
    check(shop, name, content, records)


FEW = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MANY = settings(FEW, max_examples=1000)
seeds = st.integers(0, 2**48)


@pytest.mark.parametrize("way", [copy_json, copy_cut, copy_parquet])
@FEW
@given(seed=seeds)
def test_every_record_is_loaded_or_refused(shop: Shop, way: Any, seed: int) -> None:
    way(shop, seed)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("way", [copy_json, copy_cut, copy_parquet])
@MANY
@given(seed=seeds)
def test_every_record_is_loaded_or_refused_many_times(
    shop: Shop, way: Any, seed: int
) -> None:
    way(shop, seed)
