"""A pipe drafted from samples loads those very samples, and refuses nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
import zstandard
from small_shop import open_shop

from snowmelt.bronze.inference.draft import Draft, draft_pipe
from snowmelt.bronze.inference.pipe_text import render_pipe
from snowmelt.warehouse.duckdb.scratch import scratch

Samples = dict[str, bytes]


def lines(*texts: str, encoding: str = "utf-8", ends: str = "\n") -> bytes:
    return "".join(text + ends for text in texts).encode(encoding)


def shop_lines(delimiter: str = ",", rows: int = 120) -> list[str]:
    """Return a header and records of many types."""
    header = "order_id,placed_on,placed_at,amount,paid,code,note"
    records = [
        f"{i},2024-{1 + i % 12:02}-{1 + i % 28:02},"
        f"2024-01-{1 + i % 28:02} 10:{i % 60:02}:00,{i}.{i % 100:02},"
        f"{'true' if i % 2 else 'FALSE'},{i:05},{'' if i % 7 == 0 else f'note {i}'}"
        for i in range(1, rows + 1)
    ]
    return [line.replace(",", delimiter) for line in (header, *records)]


def days(form: str, rows: int = 120) -> list[str]:
    """Return a header and records with dates in a form of str.format."""
    return [
        "id;day;amount",
        *(
            f"{i};{form.format(d=1 + i % 28, m=1 + i % 12)};{i},{i % 100:02}"
            for i in range(1, rows + 1)
        ),
    ]


RECORDS = [
    {
        "id": i,
        "customer": {"name": f"n{i}", "address": {"city": "Köln", "zip": f"{i:05}"}},
        "tags": ["a", i],
        "total": i + 0.25,
        "paid": i % 2 == 0,
        "at": f"2024-01-01T10:00:{i % 60:02}Z",
        "day": f"2024-01-{1 + i % 28:02}",
        "extra": {"deep": [{"k": 1}]} if i % 3 else None,
    }
    for i in range(1, 121)
]
NDJSON = lines(*(json.dumps(each, ensure_ascii=False) for each in RECORDS))
ARRAY = json.dumps(RECORDS).encode()
COLUMNS = json.dumps(
    {
        key: {str(i): record[key] for i, record in enumerate(RECORDS)}
        for key in ("id", "total", "paid", "day")
    }
).encode()


def parquet(path: Path, sql: str) -> bytes:
    with scratch() as connection:
        connection.execute(f"copy ({sql}) to '{path}' (format parquet)")
    return path.read_bytes()


CSV_CASES: dict[str, Samples] = {
    "commas": {"a.csv": lines(*shop_lines())},
    "semicolons": {"a.csv": lines(*shop_lines(";"))},
    "tabs": {"a.tsv": lines(*shop_lines("\t"))},
    "bars": {"a.txt": lines(*shop_lines("|"))},
    "crlf": {"a.csv": lines(*shop_lines(), ends="\r\n")},
    "no header": {"a.csv": lines(*shop_lines()[1:])},
    "byte-order mark": {"a.csv": lines(*shop_lines(), encoding="utf-8-sig")},
    "utf-16": {"a.csv": lines(*shop_lines(";"), encoding="utf-16")},
    "utf-16 without a mark": {"a.csv": lines(*shop_lines(), encoding="utf-16-le")},
    "windows 1252": {
        "a.csv": lines("id,name", "1,Köln", "2,Zürich", encoding="cp1252")
    },
    "german": {"a.csv": lines(*days("{d:02}.{m:02}.2024"))},
    "day first": {"a.csv": lines(*days("{d:02}/{m:02}/2024"))},
    "month first": {"a.csv": lines(*days("{m}/{d}/2024"))},
    "named months": {"a.csv": lines("id,day", "1,05-Jan-2024", "2,17-Feb-2023")},
    "clocks": {"a.csv": lines("id,at", "1,1/31/2024 1:05 PM", "2,12/5/2023 11:59 AM")},
    "times": {"a.csv": lines("id,t,u", "1,10:05,23:59", "2,00:00,07:30")},
    "compact dates": {"a.csv": lines("order_date,n", "20240131,1", "20231224,2")},
    "zones": {
        "a.csv": lines("id,t", "1,2024-01-01T10:00:00Z", "2,2024-01-01 10:00:00+02:00")
    },
    "doubles": {"a.csv": lines("id,v", "1,1.5e-3", "2,0.1234567890123", "3,-2E8")},
    "long fractions": {"a.csv": lines("lat", "-23.54562128115268", "-23.5", "1.25")},
    "long digits": {"a.csv": lines("id,n", "1,12345678901234567890", "2,98765")},
    "tokens": {
        "a.csv": lines("id,x,y,z", "1,5,NA,a", r"2,\N,2.5,b", "3,-,,c", "4,NULL,1.0,NA")
    },
    "junk and comments": {
        "a.csv": lines(
            "Report of May", "", "id,name,zip", "1,a,01234", "# note", '2,"b, c",99999'
        )
    },
    "trimmed": {"a.csv": lines("id, n, day", "1, 2, 2024-01-01", "3, 4, 2024-01-02")},
    "quotes": {"a.csv": lines("id,t", '1,"a ""b"" c"', '2,"x\ny"', '3,""')},
    "backslash": {"a.csv": lines("id,t", r'1,"say \"hi\" now"', '2,"b"')},
    "single quotes": {"a.csv": lines("id,t", "1,'x, y'", "2,'it''s'")},
    "literal quotes": {"a.csv": lines("a\tb", '1\t"open', '2\t5" pipe', "3\tx")},
    "optional column": {
        "a.csv": lines("id,name", "1,a", "2,b"),
        "b.csv": lines("id,name,age", "3,c,44"),
        "c.csv": lines("name,id", "d,4"),
    },
    "gzip": {"a.csv.gz": gzip.compress(lines(*shop_lines()))},
    "zstd": {"a.csv.zst": zstandard.compress(lines(*shop_lines()))},
}
JSON_CASES: dict[str, Samples] = {
    "lines": {"a.json": NDJSON},
    "lines, gzip": {"a.json.gz": gzip.compress(NDJSON)},
    "lines, zstd": {"a.json.zst": zstandard.compress(NDJSON)},
    "lines, a key missing in one file": {
        "a.json": NDJSON,
        "b.json": lines('{"id": 121, "customer": {"name": "x"}}'),
    },
    "array": {"a.json": ARRAY},
    "array, gzip": {"a.json.gz": gzip.compress(ARRAY)},
    "columns": {"a.json": COLUMNS},
    "columns, zstd": {"a.json.zst": zstandard.compress(COLUMNS)},
    "odd keys": {
        "a.json": lines(
            '{"a.b": 1, "C D": "x", "e": {"f g": 2, "0": 3}, "x*y": 4, "xzy": "t"}',
            '{"a.b": 5, "C D": "y", "p/q~r": 1.5, "A": 1, "a": "both"}',
        )
    },
    "mixed": {"a.json": lines('{"a": 1, "b": 1}', '{"a": "x", "b": [1]}')},
}


def drafted(folder: Path, samples: Samples) -> tuple[Draft, dict[str, Any]]:
    """Draft a pipe from samples, and read its text as a project does."""
    folder.mkdir()
    for name, content in samples.items():
        (folder / name).write_bytes(content)
    draft = draft_pipe([folder / name for name in samples])
    text = render_pipe(draft, name="drafted", pattern="*")
    pipe: dict[str, Any] = yaml.safe_load(text)
    return draft, pipe


def load_all(tmp_path: Path, samples: Samples) -> Draft:
    """Draft a pipe, load the samples with it, and require that all of them is in."""
    draft, pipe = drafted(tmp_path / "samples", samples)
    with open_shop(tmp_path / "shop", [pipe]) as shop:
        for name, content in samples.items():
            shop.land(name, content)
        shop.load()
        for name, records in draft.files:
            (load,) = shop.history(name)
            found = load["status"], load["row_count"], load["error_count"]
            assert found == ("Loaded", records, 0), (
                load["first_error_message"],
                render_pipe(draft, name="drafted", pattern="*"),
            )
    return draft


@pytest.mark.parametrize("samples", CSV_CASES.values(), ids=CSV_CASES)
def test_csv_samples_load_whole(tmp_path: Path, samples: Samples) -> None:
    load_all(tmp_path, samples)


@pytest.mark.parametrize("samples", JSON_CASES.values(), ids=JSON_CASES)
def test_json_samples_load_whole(tmp_path: Path, samples: Samples) -> None:
    load_all(tmp_path, samples)


@pytest.mark.parametrize("wrap", [bytes, gzip.compress, zstandard.compress])
def test_parquet_samples_load_whole(
    tmp_path: Path, wrap: Callable[[bytes], bytes]
) -> None:
    content = parquet(
        tmp_path / "made.parquet",
        "select i::integer id, (i * 5000000000)::bigint big, i / 7 ratio, "
        "(i / 4)::decimal(10,2) amount, 'n' || i as name, "
        "date '2024-01-01' + i::integer as day, "
        "timestamp '2024-01-01' + to_seconds(i) as at, i % 2 = 0 flag, "
        "{'city': 'x', 'n': i} as place, [i, i + 1] as list from range(150) t(i)",
    )
    draft = load_all(tmp_path, {"a.parquet": wrap(content)})
    types = {column.name: column.decision.type for column in draft.columns}
    assert types == {
        "id": "integer",
        "big": "bigint",
        "ratio": "double",
        "amount": "decimal(10,2)",
        "name": "varchar",
        "day": "date",
        "at": "timestamp",
        "flag": "boolean",
        "place": "json",
        "list": "json",
    }


@pytest.mark.parametrize(
    "samples",
    [
        {"a.csv": lines("Order ID,Größe,2024,_x,a b,a_b,v1.2", "1,2.5,3,4,x,y,z")},
        {"a.csv": lines("Price (€);Datum", "1,50;01.02.2024", "2,25;28.02.2024")},
    ],
)
def test_headers_that_are_no_names_load_by_their_path(
    tmp_path: Path, samples: Samples
) -> None:
    load_all(tmp_path, samples)


def test_parquet_columns_that_are_no_names_load_by_their_path(tmp_path: Path) -> None:
    sql = 'select 1 as "Order ID", 2.5 as "v1.2", 3 as "_x", 4 as "a_b", 5 as "A B"'
    content = parquet(tmp_path / "made.parquet", sql)
    draft = load_all(tmp_path, {"a.parquet": content})
    assert [column.path for column in draft.columns] == [
        "Order ID",
        '"v1.2"',
        "_x",
        None,
        "A B",
    ]
