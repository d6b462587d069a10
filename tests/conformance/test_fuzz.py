"""Files of every format, spoilt at random: no crash, no hang, an exact account.

Each case takes a valid file and changes it: bits, bytes, pieces cut out, doubled, put
elsewhere, cut off. Whatever comes of it is refused as a whole with a reason, or read
with every record accounted for. Where somebody else's reader can say what is in the
file (Python's csv and json, pyarrow), it must say the same.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from small_shop import Shop, columns, open_shop

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.bronze.reading import Reading
from snowmelt.bronze.records import find_records, is_well_quoted
from snowmelt.landing.folder import LocalFolder
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.file_format import CsvFormat

NUMBERS = count()
CASES_SHORT = 40
CASES_LONG = 4_000
CONTRACT = columns("id integer, name varchar, amount double")
CSV = CsvFormat()
RECORDS = [
    {"id": number, "name": name, "amount": number / 4}
    for number, name in enumerate(
        ["plain", 'quo"ted', "two\nlines", "com,ma", "é", "", "{}", "[1]", "x" * 300]
        * 3
    )
]


def as_csv() -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, ["id", "name", "amount"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(RECORDS)
    return text.getvalue().encode()


def as_lines() -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in RECORDS)


def as_array() -> bytes:
    return json.dumps(RECORDS, indent=1).encode()


def as_columns() -> bytes:
    names = ["id", "name", "amount"]
    return json.dumps(
        {n: {str(i): r[n] for i, r in enumerate(RECORDS)} for n in names}
    ).encode()


def as_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(RECORDS), sink)
    return sink.getvalue()


@dataclass(frozen=True)
class Form:
    """A format, a valid file of it, and what another reader makes of a file."""

    name: str
    type: str
    content: bytes
    judge: Callable[[bytes, FileRead], None]


def judge_csv(content: bytes, read: FileRead) -> None:
    """Our exact count of records, and Python's csv on those that are well quoted."""
    found = list(find_records(content, CSV, 3 if content[:3] == b"\xef\xbb\xbf" else 0))
    assert read.row_parsed == len(found) - 1
    for reject in read.rejects:
        assert content[reject.byte_offset :].startswith(reject.raw)
    if any(b"\x00" in content[each.start : each.end] for each in found):
        return
    refused = {reject.file_row for reject in read.rejects}
    for ordinal, each in enumerate(found[1:], start=1):
        raw = content[each.start : each.end]
        if ordinal in refused or not is_well_quoted(raw, CSV):
            continue
        fields = next(csv.reader(io.StringIO(raw.decode(), newline="")), [])
        assert len(fields) == 3, (ordinal, raw)


def judge_lines(content: bytes, read: FileRead) -> None:
    """Python's json, line by line: what it cannot read has been refused."""
    lines = [line for line in content.split(b"\n") if line.strip(b" \t\r")]
    if b"\r" in content or content[:3] == b"\xef\xbb\xbf":
        return
    assert read.row_parsed == len(lines)
    refused = {reject.file_row for reject in read.rejects}
    for ordinal, line in enumerate(lines, start=1):
        if ordinal in refused:
            assert read.rejects[sorted(refused).index(ordinal)].raw.strip() in line
            continue
        found = json.loads(line.decode())
        assert isinstance(found, dict), line


def judge_document(content: bytes, read: FileRead) -> None:
    """Where Python's json reads the whole file, the number of records is its."""
    try:
        found = json.loads(content.decode())
    except (ValueError, RecursionError):
        return
    if isinstance(found, list):
        assert read.row_parsed == len(found)


def judge_parquet(content: bytes, read: FileRead) -> None:
    """Where pyarrow reads the whole file, the number of rows is its."""
    try:
        table = pq.read_table(io.BytesIO(content))
    except Exception:  # noqa: BLE001 - it may raise anything on a spoilt file
        return
    assert read.row_parsed == table.num_rows


FORMS = [
    Form("csv", "csv", as_csv(), judge_csv),
    Form("lines", "json", as_lines(), judge_lines),
    Form("array", "json", as_array(), judge_document),
    Form("columns", "json", as_columns(), judge_document),
    Form("parquet", "parquet", as_parquet(), judge_parquet),
]
PACKED = [
    ("gzip", gzip.compress(as_csv(), mtime=0)),
    ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress(as_lines())),
]


def spoil(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one to four changes."""
    for _ in range(chance.choice([1, 1, 1, 2, 4])):
        size = max(len(content), 1)
        at, to = sorted((chance.randrange(size), chance.randrange(size)))
        piece = content[at : min(to, at + 200)]
        kind = chance.randrange(7)
        if kind == 0:
            bit = 1 << chance.randrange(8)
            content = content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :]
        elif kind == 1:
            byte = chance.choice(b'"\\,\n\r{}[]:\x00\xff e-0')
            content = content[:at] + bytes([byte]) + content[at + 1 :]
        elif kind == 2:
            content = content[:at] + content[at + len(piece) :]
        elif kind == 3:
            content = content[:at] + piece + content[at:]
        elif kind == 4:
            content = content[:to] + piece + content[to:]
        elif kind == 5:
            content = content[:at]
        else:
            content = content[:at] + chance.randbytes(3) + content[at:]
        if not content:
            return b"x"
    return content


@pytest.fixture
def folder(shop: Shop) -> Path:
    """A fresh folder that the engine may read."""
    made = shop.parts.project.spool / f"fuzz-{next(NUMBERS)}"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("fuzz") / "shop", []) as shop:
        yield shop


def read_once(shop: Shop, pipe: Pipe, folder: Path, content: bytes) -> FileRead:
    """Read a file as its pipe does, on a session of its own."""
    (folder / "file").write_bytes(content)
    stage = LocalFolder(folder)
    staged = stage.look("file")
    assert staged is not None
    with (
        shop.parts.warehouse.session() as session,
        closing(Intake(stage, pipe, folder)) as intake,
        closing(Reading(session, pipe, folder)) as reading,
    ):
        (read,) = reading.read([inspect(staged, intake, 1 << 24)])
        if read.problem is None and read.table:
            within = f"rowid >= {read.first_rowid} and rowid < " + str(
                read.first_rowid + read.row_span
            )
            (there,) = session.rows(f"select count(*) from {read.table} where {within}")
            assert there == (read.row_span,)
        return read


def check(shop: Shop, form: Form, folder: Path, seed: int) -> None:
    """The promise, for one spoilt file."""
    content = spoil(form.content, random.Random(seed))
    read = read_once(shop, pipe_of(form), folder, content)
    assert os.listdir(folder) == ["file"]  # noqa: PTH208 - names alone
    if read.problem is not None:
        assert read.problem.strip()
        return
    assert not read.changed
    assert read.row_parsed == read.row_count + len(read.rejects)
    ordinals = [reject.file_row for reject in read.rejects]
    assert ordinals == sorted(set(ordinals))
    assert all(reject.errors and reject.errors[0].error for reject in read.rejects)
    assert all(1 <= ordinal <= read.row_parsed for ordinal in ordinals)
    form.judge(content, read)


def pipe_of(form: Form) -> Pipe:
    return Pipe.model_validate(
        {
            "name": form.name,
            "pattern": "*",
            "on_error": "continue",
            "file_format": {"type": form.type},
            "contract": CONTRACT,
        }
    )


def check_all(shop: Shop, form: Form, folder: Path, seeds: range) -> None:
    for seed in seeds:
        try:
            check(shop, form, folder, seed)
        except BaseException:
            print(f"{form.name}, seed {seed}")  # noqa: T201 - shown with the failure
            raise


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_valid_file_is_read_whole(shop: Shop, form: Form, folder: Path) -> None:
    read = read_once(shop, pipe_of(form), folder, form.content)
    assert read.problem is None
    assert (read.row_count, read.rejects) == (len(RECORDS), [])
    form.judge(form.content, read)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_spoilt_files_have_an_exact_account(
    shop: Shop, form: Form, folder: Path
) -> None:
    check_all(shop, form, folder, range(CASES_SHORT))


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_thousands_of_spoilt_files_have_an_exact_account(
    shop: Shop, form: Form, folder: Path
) -> None:
    check_all(shop, form, folder, range(CASES_SHORT, CASES_LONG))


@pytest.mark.parametrize(("compression", "content"), PACKED, ids=["gzip", "zstd"])
def test_a_spoilt_stream_loads_all_or_nothing(
    shop: Shop, folder: Path, compression: str, content: bytes
) -> None:
    form = FORMS[0] if compression == "gzip" else FORMS[1]
    for seed in range(200):
        spoilt = spoil(content, random.Random(seed))
        read = read_once(shop, pipe_of(form), folder, spoilt)
        assert read.problem or read.row_count in (0, len(RECORDS)), seed
