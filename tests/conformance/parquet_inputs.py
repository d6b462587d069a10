"""Parquet files, odd and broken, and what loading them must come to."""

from __future__ import annotations

import base64
import datetime
import gzip
import io
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
from input_case import A, B, C, Case, failed, good

PARQUET = {"type": "parquet"}
ABC_ROWS = {1: A, 2: B, 3: C}
DAY = datetime.date(2024, 2, 29)
AT = datetime.datetime(2024, 2, 29, 10, 11, 12, 345678)  # noqa: DTZ001


def write(columns: dict[str, Any], **options: Any) -> bytes:
    """Write a Parquet file."""
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def usual(**options: Any) -> bytes:
    """Write three records of the usual columns."""
    columns = {
        "id": pa.array([1, 2, 3], pa.int32()),
        "name": pa.array(["a", "b", "c"]),
        "amount": pa.array([1.0, 2.0, 3.0]),
    }
    return write(columns, **options)


class _Keys(pe.KmsClient):  # type: ignore[misc]
    """Hides keys by writing them another way."""

    def __init__(self) -> None:
        pe.KmsClient.__init__(self)

    def wrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64encode(key)

    def unwrap_key(self, key: bytes, name: str) -> bytes:
        return base64.b64decode(key)


def encrypted(plaintext_footer: bool) -> bytes:
    """Write an encrypted file."""
    settings = pe.EncryptionConfiguration(
        footer_key="k", column_keys={"k": ["id"]}, plaintext_footer=plaintext_footer
    )
    factory = pe.CryptoFactory(lambda _: _Keys())
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    table = pa.table({"id": pa.array([1, 2], pa.int32())})
    out = io.BytesIO()
    with pq.ParquetWriter(
        out, table.schema, encryption_properties=properties
    ) as writer:
        writer.write_table(table)
    return out.getvalue()


def bad(file_row: int, column: str, record: dict[str, Any]) -> Any:
    """Return a reject: its ordinal stands for its line, its record is JSON."""
    raw = json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode()
    return file_row, file_row, column, raw


def partly(name: str, content: bytes, *rejects: Any, **case: Any) -> Case:
    """Some records are loaded, some refused."""
    rows = case["rows"]
    counts = (len(rows) + len(rejects), len(rows), len(rejects))
    return Case(name, content, "Partially loaded", counts, tuple(rejects), **case)


WHOLE = usual()
_FOOTER = len(WHOLE) - 8 - int.from_bytes(WHOLE[-8:-4], "little")
BROKEN_FOOTER = WHOLE[:_FOOTER] + b"\xff" * 40 + WHOLE[_FOOTER + 40 :]

FILES = [
    *(
        good(f"compressed_{codec}", usual(compression=codec), ABC_ROWS)
        for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")
    ),
    good("parquet_in_gzip", gzip.compress(WHOLE, mtime=0), ABC_ROWS),
    good("version_1", usual(version="1.0", data_page_version="1.0"), ABC_ROWS),
    good("pages_2", usual(version="2.6", data_page_version="2.0"), ABC_ROWS),
    good("no_dictionary", usual(use_dictionary=False), ABC_ROWS),
    good("row_groups", usual(row_group_size=1), ABC_ROWS),
    good(
        "no_records",
        write(
            {
                "id": pa.array([], pa.int32()),
                "name": pa.array([], pa.string()),
                "amount": pa.array([], pa.float64()),
            }
        ),
        {},
    ),
    failed("zero_bytes", b"", "the file is empty"),
    failed("not_parquet", b"id,name,amount\n1,a,1\n", "the file is not Parquet"),
    failed("cut_short", WHOLE[:-30], "cut short"),
    failed("cut_in_half", WHOLE[: len(WHOLE) // 2], "cut short"),
    failed("only_magic", b"PAR1", "broken"),
    failed("corrupt_footer", BROKEN_FOOTER, "broken"),
    failed("corrupt_pages", WHOLE[:4] + b"\xff" * 60 + WHOLE[64:], "broken"),
    failed("encrypted", encrypted(False), "encrypted"),
    failed("encrypted_columns", encrypted(True), "encrypted", contract="id integer"),
]

COLUMNS = [
    good(
        "parquet_other_order_and_case",
        write(
            {
                "AMOUNT": pa.array([1.0]),
                "Name": pa.array(["a"]),
                "x": pa.array([9]),
                "id": pa.array([1], pa.int32()),
            }
        ),
        {1: A},
    ),
    good(
        "parquet_optional_missing",
        write({"id": pa.array([1], pa.int32()), "name": pa.array(["a"])}),
        {1: (1, "a", None)},
        contract="id integer, name varchar, amount double optional",
    ),
    failed(
        "parquet_required_missing",
        write({"id": pa.array([1], pa.int32()), "name": pa.array(["a"])}),
        "required column 'amount' is not in the file",
    ),
    failed(
        "parquet_no_column",
        write({"x": pa.array([1])}),
        "none of the contract's columns",
    ),
    failed(
        "parquet_column_twice",
        write({"Id": pa.array([1]), "ID": pa.array([2])}),
        "column 'id' is in the file twice",
        contract="id integer",
    ),
    partly(
        "parquet_required_null",
        write({"id": pa.array([1, None, 3], pa.int32()), "n": pa.array([1, 2, 3])}),
        bad(2, "id", {"id": None, "n": 2}),
        rows={1: (1,), 3: (3,)},
        contract="id integer not null",
    ),
    good(
        "parquet_paths",
        write(
            {
                "a": pa.array(
                    [{"b": [1, 2], "c": {"d e": "x"}}, {"b": [], "c": None}, None]
                )
            }
        ),
        {1: (2, "x", "[1,2]"), 2: (None, None, "[]"), 3: (None, None, None)},
        contract='n integer optional @a.b[1], s varchar @a.c."d e", j json @a.b',
    ),
]

TYPES = [
    good(
        "parquet_types_equal",
        write(
            {
                "a": pa.array([True, None]),
                "b": pa.array([1, 2**63 - 1]),
                "c": pa.array([float("nan"), float("-inf")]),
                "d": pa.array([Decimal("1.10"), Decimal("-9.99")], pa.decimal128(9, 2)),
                "e": pa.array([DAY, None]),
                "f": pa.array([AT, None], pa.timestamp("us")),
                "g": pa.array([AT, None], pa.timestamp("us", tz="Europe/Berlin")),
                "h": pa.array([AT.time(), None], pa.time64("us")),
                "i": pa.array(["x", "y"]).dictionary_encode(),
            }
        ),
        {
            1: (
                True,
                1,
                "nan",
                Decimal("1.10"),
                str(DAY),
                str(AT),
                str(AT) + "+00:00",
                str(AT.time()),
                "x",
            ),
            2: (
                None,
                2**63 - 1,
                "-inf",
                Decimal("-9.99"),
                None,
                None,
                None,
                None,
                "y",
            ),
        },
        contract="a boolean, b bigint, c double, d decimal(9,2), e date, "
        "f timestamp, g timestamptz, h time, i varchar",
    ),
    partly(
        "parquet_integers_narrowed",
        write({"id": pa.array([1, 2**31, -(2**31)])}),
        bad(2, "id", {"id": 2**31}),
        rows={1: (1,), 3: (-(2**31),)},
        contract="id integer",
        says="'2147483648' is not a valid integer",
    ),
    partly(
        "parquet_reals_into_integers",
        write({"id": pa.array([1.5, 2.5, float("nan"), 1e30, -2.5])}),
        bad(3, "id", {"id": "nan"}),
        (4, 4, "id", b'{"id":1e30}'),
        rows={1: (2,), 2: (3,), 5: (-3,)},
        contract="id bigint",
    ),
    partly(
        "parquet_texts_into_all",
        write(
            {
                "id": pa.array(["1", "x", "3", "4"]),
                "d": pa.array(["2024-02-29", "2024-01-01", "2024-02-30", "2024-01-01"]),
                "j": pa.array(['{"a": 1}', "2", "3", "{"]),
            }
        ),
        bad(2, "id", {"id": "x", "d": "2024-01-01", "j": "2"}),
        bad(3, "d", {"id": "3", "d": "2024-02-30", "j": "3"}),
        bad(4, "j", {"id": "4", "d": "2024-01-01", "j": "{"}),
        rows={1: (1, "2024-02-29", '{"a": 1}')},
        contract="id integer, d date, j json",
    ),
    partly(
        "parquet_decimals",
        write(
            {
                "d": pa.array(
                    [Decimal("1.005"), Decimal("99999999.999"), None],
                    pa.decimal128(20, 3),
                ),
                "r": pa.array([1.1, 2.0, 0.1]),
            }
        ),
        (2, 2, "d", b'{"d":99999999.999,"r":2.0}'),
        rows={
            1: (Decimal("1.01"), Decimal("1.10000000000000000000")),
            3: (None, Decimal("0.10000000000000000000")),
        },
        contract="d decimal(10,2), r decimal(30,20)",
    ),
    failed(
        "parquet_wide_decimals",
        write({"d": pa.array([Decimal("1.5")], pa.decimal256(50, 2))}),
        "decimals of 50 digits",
        contract="d varchar",
    ),
    partly(
        "parquet_bytes",
        write({"t": pa.array([b"S\xc3\xa3o", b"caf\xe9", None])}),
        (2, 2, "t", b'{"t":"caf\\\\xE9"}'),
        rows={1: ("São",), 3: (None,)},
        contract="t varchar",
    ),
    good(
        "parquet_nested",
        write(
            {
                "s": pa.array([{"x": 1, "y": ["a", None]}, None]),
                "l": pa.array([[1, 2], []]),
                "m": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int32())),
                "n": pa.array([5, None]),
                "t": pa.array([{"z": DAY}, None]),
            }
        ),
        {
            1: (
                '{"x":1,"y":["a",null]}',
                "[1,2]",
                '{"k":1}',
                "5",
                '{"z":"2024-02-29"}',
            ),
            2: (None, "[]", None, None, None),
        },
        contract="s json, l json, m json, n json, t varchar",
    ),
    partly(
        "parquet_nested_in_scalar",
        write({"id": pa.array([{"x": 1}, None])}),
        bad(1, "id", {"id": {"x": 1}}),
        rows={2: (None,)},
        contract="id integer",
    ),
    good(
        "parquet_clocks",
        write(
            {
                "a": pa.array([DAY]),
                "b": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns")),
                "c": pa.array([1_700_000_000_123], pa.timestamp("ms")),
                "d": pa.array([1_700_000_000], pa.timestamp("s", tz="UTC")),
            }
        ),
        {
            1: (
                "2024-02-29 00:00:00",
                "2023-11-14 22:13:20.123456",
                "2023-11-14",
                "2023-11-14 22:13:20",
            )
        },
        contract="a timestamp, b timestamp, c date, d timestamp",
    ),
]
