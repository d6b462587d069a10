"""Random damage: what is loaded and what is refused is exactly what the file holds.

The judge is written apart from the product: Python's csv module and plain checks.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_shop import Shop, columns, open_shop

from snowmelt.bronze import csv as csv_reader
from snowmelt.bronze.csv import CsvReader
from snowmelt.bronze.csv_buffer import BufferSizes
from snowmelt.bronze.inspection import inspect
from snowmelt.bronze.intake import Intake
from snowmelt.pipe.batch import Pending

NAMES = ["id", "name", "amount", "day"]
CONTRACT = columns(
    "id integer not null, name varchar, amount double not null, day date"
)
GRADES = ["continue", "skip_file", "skip_file_2", "skip_file_30%"]
LARGE_RECORDS = 1_500_000

# Each makes one record; `{n}` is its number, so that rows can be told apart.
Shape = list[str] | bytes

SOUND: list[Shape] = [
    ["{n}", "plain", "{n}.5", "2024-02-29"],
    ["{n}", "", "1", ""],
    ["{n}", 'two\nlines, "said" she', "{n}.25", "2024-01-01"],
    ["{n}", "dos\r\nlines", "0.5", "2024-01-01"],
    ["{n}", "São 🧊", "2", ""],
    ["{n}", "007", "-1", "1999-12-31"],
]
BROKEN: list[Shape] = [
    ["x{n}", "plain", "1", ""],
    ["{n}", "plain", "one", "2024-02-30"],
    ["{n}", "plain", "1", "2024-02-30"],
    ["", "no id", "1", ""],
    ["{n}", "no\namount", "", ""],
    ["", "neither", "", ""],
    ["{n}", "too few"],
    ["{n}", "too", "1", "", "many"],
    ["{n}", "zero\x00byte", "1", ""],
]
RAW_BROKEN: list[Shape] = [b'{n},"b"x,1,', b"{n},caf\xe9,1,"]


@dataclass(frozen=True)
class Record:
    """One record as bytes, and the values it must load as; None is refused."""

    raw: bytes
    values: tuple[object, ...] | None


@dataclass(frozen=True)
class Made:
    """A file and what is in it."""

    name: str
    content: bytes
    records: list[Record]
    on_error: str


def write_field(text: str, quoted: bool) -> str:
    """Write a field, in quotes where it must be."""
    if quoted or any(mark in text for mark in ',"\n\r'):
        return '"' + text.replace('"', '""') + '"'
    return text


def make_record(shape: Shape, number: int, order: list[str], quoted: bool) -> Record:
    """Write one record with its fields in the header's order, and judge it."""
    if isinstance(shape, bytes):
        return Record(shape.replace(b"{n}", str(number).encode()), None)
    fields = [text.replace("{n}", str(number)) for text in shape]
    if len(fields) == len(NAMES):
        by_name = dict(zip(NAMES, fields, strict=True))
        fields = [by_name[name] for name in order]
    raw = ",".join(write_field(field, quoted) for field in fields).encode()
    return Record(raw, judge(raw, order))


def judge(raw: bytes, order: list[str]) -> tuple[object, ...] | None:
    """Return what a record must load as, by Python's reader; None is refused."""
    (fields,) = csv.reader(io.StringIO(raw.decode(), newline=""))
    if len(fields) != len(order) or b"\x00" in raw:
        return None
    found = dict(zip(order, fields, strict=True))
    try:
        number, amount = int(found["id"]), float(found["amount"])
    except ValueError:
        return None
    if found["day"] == "2024-02-30":
        return None
    return number, found["name"] or None, amount, found["day"] or None


def make_file(name: str, on_error: str, chance: random.Random) -> Made:
    """Write a file of random records with random damage."""
    order = chance.sample(NAMES, len(NAMES)) if chance.random() < 0.5 else NAMES
    ends = chance.choice([["\n"], ["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])
    blank = chance.choice([0.0, 0.0, 0.3])
    damage = chance.choice([0.0, 0.1, 0.5])
    header = ",".join(chance.choice([n, n.upper(), f'"{n}"']) for n in order)
    parts = [chance.choice([b"", b"", b"\xef\xbb\xbf"])]
    records = []
    for number in range(chance.randint(0, 30) + 1):
        while chance.random() < blank:
            parts.append(chance.choice(ends).encode())
        if number == 0:
            parts.append(header.encode())
        else:
            broken = chance.random() < damage
            shapes: list[Shape] = [*BROKEN, *RAW_BROKEN] if broken else [*SOUND]
            shape = chance.choice(shapes)
            if isinstance(shape, bytes) and order != NAMES:
                shape = BROKEN[0]
            records.append(make_record(shape, number, order, chance.random() < 0.3))
            parts.append(records[-1].raw)
        parts.append(chance.choice(ends).encode())
    content = b"".join(parts)
    if chance.random() < 0.3 and records:
        content = content.rstrip(b"\r\n")
    return Made(name, content, records, on_error)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    pipes: list[dict[str, object]] = [
        {
            "name": f"pipe_{number}",
            "pattern": f"pipe_{number}/*",
            "on_error": on_error,
            "contract": CONTRACT,
        }
        for number, on_error in enumerate(GRADES)
    ]
    with open_shop(tmp_path_factory.mktemp("account") / "shop", pipes) as shop:
        yield shop


def expected_status(made: Made) -> str:
    """Say how a load must end, from the words of the grades."""
    total = len(made.records)
    bad = sum(record.values is None for record in made.records)
    if bad == 0:
        return "Loaded"
    skips = {
        "continue": False,
        "skip_file": True,
        "skip_file_2": bad >= 2,
        "skip_file_30%": bad / total > 0.3,
    }
    failed = skips[made.on_error] or bad == total
    return "Load failed" if failed else "Partially loaded"


def check(shop: Shop, pipe_name: str, made: Made) -> None:
    """Compare a file's load, rows and rejects with what was written."""
    load = shop.history(made.name)[-1]
    status = expected_status(made)
    bad = [n for n, r in enumerate(made.records, start=1) if r.values is None]
    assert load["status"] == status, (load["first_error_message"], made.content)
    assert load["row_parsed"] == len(made.records)
    assert load["error_count"] == len(bad)
    failed = status == "Load failed"
    assert load["row_count"] == (0 if failed else len(made.records) - len(bad))

    rows = {
        ordinal: (*values[:3], None if values[3] is None else str(values[3]))
        for ordinal, values in shop.bronze(pipe_name, made.name).items()
    }
    assert rows == (
        {}
        if failed
        else {
            ordinal: record.values
            for ordinal, record in enumerate(made.records, start=1)
            if record.values is not None
        }
    )
    rejects = shop.rejects(load["load_seq"])
    assert [reject.file_row for reject in rejects] == bad
    line, seen = 1, 0
    for reject in rejects:
        raw = made.records[reject.file_row - 1].raw
        at = reject.byte_offset
        assert reject.raw == raw == made.content[at : at + len(raw)]
        before = made.content[seen:at].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        line, seen = line + before.count(b"\n"), at
        assert reject.line == line


def copy_and_check(shop: Shop, seed: int) -> None:
    """Copy a batch of several files in one go, and check each."""
    chance = random.Random(seed)
    number = chance.randrange(len(GRADES))
    pipe = next(p for p in shop.parts.project.pipes if p.name == f"pipe_{number}")
    count = len(shop.rows("select 1 from snowmelt.load_history"))
    files = [
        make_file(f"{pipe.name}/{count}-{each}.csv", pipe.on_error, chance)
        for each in range(chance.randint(1, 5))
    ]
    batch = []
    for made in files:
        shop.land(made.name, made.content)
        staged = shop.parts.stage.look(made.name)
        assert staged is not None
        batch.append(Pending(staged, pipe.name, shop.parts.clock.now()))
    prepared = shop.parts.copier.copy(pipe, batch)
    assert all("same bytes" in reason for reason in prepared.again.values())
    for made in files:
        loads = shop.history(made.name)
        if loads and loads[-1]["status"] != "Load skipped":
            check(shop, pipe.name, made)


FEW = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MANY = settings(FEW, max_examples=1000)
seeds = st.integers(0, 2**48)


@FEW
@given(seed=seeds)
def test_every_record_is_loaded_or_refused(shop: Shop, seed: int) -> None:
    copy_and_check(shop, seed)


@pytest.mark.long
@pytest.mark.timeout(1200)
@MANY
@given(seed=seeds)
def test_every_record_is_loaded_or_refused_many_times(shop: Shop, seed: int) -> None:
    copy_and_check(shop, seed)


def without_odd_quotes(shape: Shape) -> bool:
    """Leave out what makes the exact reader take over."""
    return shape != RAW_BROKEN[0]


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("wanted", [without_odd_quotes, lambda shape: True])
def test_the_account_of_a_large_file_is_exact(
    shop: Shop, end: bytes, wanted: Callable[[Shape], bool]
) -> None:
    chance = random.Random(7)
    broken = [shape for shape in [*BROKEN, *RAW_BROKEN] if wanted(shape)]
    records = [
        make_record(
            chance.choice(broken if number % 750 == 7 else SOUND), number, NAMES, False
        )
        for number in range(1, LARGE_RECORDS + 1)
    ]
    content = end.join([",".join(NAMES).encode(), *(r.raw for r in records), b""])
    name = f"pipe_0/large-{len(end)}-{wanted is without_odd_quotes}.csv"
    made = Made(name, content, records, "continue")
    path = shop.land(name, content)
    assert path.stat().st_size > (40 << 20)
    shop.load()
    check(shop, "pipe_0", made)


def refuse_the_slow_reader(*_: object) -> None:
    raise AssertionError("the slow reader was asked")


def test_the_fast_path_is_taken_by_ordinary_files(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = b"id,name,amount,day\n" + b'1,"a ""b""\n",2,2024-01-01\nx,b,1,\n' * 50
    shop.land("pipe_0/ordinary.csv", content)
    stage = shop.parts.stage
    staged = stage.look("pipe_0/ordinary.csv")
    assert staged is not None
    pipe = shop.parts.project.pipes[0]

    monkeypatch.setattr(CsvReader, "_read_normalised", refuse_the_slow_reader)
    with shop.parts.warehouse.session() as session:
        reader = CsvReader(session, pipe, tmp_path)
        inspection = inspect(staged, Intake(stage, pipe, tmp_path), 1 << 24)
        (read,) = reader.read([inspection])
    assert (read.row_count, len(read.rejects)) == (50, 50)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_ordinals_are_right_wherever_a_buffer_of_the_engine_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, end: bytes
) -> None:
    """Where a scan ends between \\r and \\n the engine's own line is wrong by one."""
    records = [
        make_record(SOUND[0] if number % 7 else BROKEN[0], number, NAMES, False)
        for number in range(1, 301)
    ]
    content = end.join([",".join(NAMES).encode(), *(r.raw for r in records), b""])
    name = f"pipe_0/buffers-{len(end)}.csv"
    shop.land(name, content)
    stage, pipe = shop.parts.stage, shop.parts.project.pipes[0]
    spool = shop.parts.project.spool
    staged = stage.look(name)
    assert staged is not None
    broken = [n for n, record in enumerate(records, start=1) if record.values is None]
    for scan in range(500, 560):
        sizes = BufferSizes(4 * scan, scan)
        monkeypatch.setattr(csv_reader, "usual_sizes", lambda *_, s=sizes: s)
        with shop.parts.warehouse.session() as session:
            reader = CsvReader(session, pipe, spool)
            inspection = inspect(staged, Intake(stage, pipe, spool), 1 << 24)
            (read,) = reader.read([inspection])
            reader.close()
        assert (read.row_count, read.problem) == (300 - len(broken), None)
        assert read.engine_rejects == broken
        assert [reject.file_row for reject in read.rejects] == broken
        found = [reject.raw for reject in read.rejects]
        assert found == [records[ordinal - 1].raw for ordinal in broken]


READERS_AT_ONCE = 3
READS_EACH = 60


def test_files_that_are_read_at_once_keep_their_rejects_apart(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine numbers the files of all statements that name one rejects table."""
    monkeypatch.setattr(CsvReader, "_read_normalised", refuse_the_slow_reader)
    stage, pipe = shop.parts.stage, shop.parts.project.pipes[0]
    spool = shop.parts.project.spool
    bad = {"pipe_0/early.csv": [2, 5], "pipe_0/late.csv": [1, 3, 5, 8]}
    inspections = []
    for name, ordinals in bad.items():
        lines = [
            f"{'x' if number in ordinals else number},{name},1,"
            for number in range(1, 11)
        ]
        shop.land(name, "\n".join([",".join(NAMES), *lines, ""]).encode())
        staged = stage.look(name)
        assert staged is not None
        inspections.append(inspect(staged, Intake(stage, pipe, spool), 1 << 24))

    def read(_: int) -> list[dict[str, list[int]]]:
        found = []
        for _ in range(READS_EACH):
            with shop.parts.warehouse.session() as session:
                reader = CsvReader(session, pipe, spool)
                reads = reader.read(inspections)
                reader.close()
            found.append({r.inspection.file.name: r.engine_rejects for r in reads})
        return found

    with ThreadPoolExecutor(READERS_AT_ONCE) as readers:
        for found in readers.map(read, range(READERS_AT_ONCE)):
            assert found == [bad] * READS_EACH
