"""Believable data of a retailer with millions of customers, clean or dirty.

Customers come from a CRM as CSV, products from an inventory as a JSON array,
transactions from a shop's log as Parquet. Every value is a function of seed and row,
nothing is looked up or kept, and DuckDB's own COPY TO writes each file: so memory does
not grow with the set, and the same call writes the same bytes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.synth.making import (
    Report,
    check_directory,
    check_dirty,
    check_last,
    check_number,
    set_variables,
    statement,
)
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

FIRST_DAY = date(2024, 1, 1)
FILE_MB = 180
DAYS_MAX = 36_500
INCREMENTS_MAX = 100_000
COMPRESSIONS = ("none", "gzip", "zstd")

_SUFFIX = {"none": "", "gzip": ".gz", "zstd": ".zst"}
_CODEC = {"none": "uncompressed", "gzip": "gzip", "zstd": "zstd"}
_INCREMENT = 1000
"""An increment has one new record for so many of the set."""

_CHANGED_SHARE = {"customers": 0.0005, "products": 0.001, "transactions": 0.0}
"""How many of the set come again, changed, with an increment."""

_BROKEN_KINDS = {"customers": 4, "products": 2, "transactions": 8}

_GROUP_ROWS = 122_880
"""Of a table and of a Parquet file: what one thread works on at a time."""

_WORDS_MAX = 1_024
"""Of a Parquet column's dictionary: ids have more, and are not tried for longer."""

_MEMORY_MB = 512
"""Of each thread; a Parquet file holds a group of rows back."""

_BYTES_PER_ROW: dict[str, dict[str, float]] = {
    "customers": {"none": 95, "gzip": 22, "zstd": 25},
    "products": {"none": 156, "gzip": 18, "zstd": 21},
    "transactions": {"none": 74, "gzip": 14.9, "zstd": 13.1},
}
"""About; it says into how many files of a size a table is cut."""

Told = Callable[[str, int, int], None]
"""Told of each file that is there: its name, how many are, of how many."""


@dataclass(frozen=True)
class Retailer:
    """How large a set is, and what all its files share."""

    customers: int
    products: int
    transactions: int
    seed: int = 1
    dirty: float = 0.0
    days: int = 365
    compression: str = "none"

    def count(self, table: str) -> int:
        """Return how many records of a table the set has, without its increments."""
        return {
            "customers": self.customers,
            "products": self.products,
            "transactions": self.transactions,
        }[table]

    def step(self, table: str) -> int:
        """Return how many new records of a table an increment has."""
        return -(-self.count(table) // _INCREMENT)


@dataclass(frozen=True)
class _File:
    """One file: records from `first` to before `after` of a table, and changed ones."""

    name: str
    table: str
    first: int
    after: int
    increment: int


def make_retail(
    directory: Path,
    retailer: Retailer,
    *,
    parts: int | None = None,
    file_mb: int = FILE_MB,
    told: Told | None = None,
    workers: int | None = None,
) -> Report:
    """Write the set of a retailer into `directory`/raw.

    Customers and transactions are cut into `parts` files each; without it into files
    of about `file_mb` megabytes.

    `dirty` is a share of the records: values that silver puts right, in good records;
    and broken records, exact duplicates, late transactions and those of nobody beside
    the good ones. There is at least one of each kind. How types, genders, ages,
    addresses, dates and stocks are spelled is as odd in a clean set as in real systems.

    The report counts records of all files; a value that is put right once, in the good
    record.

    Raises UsageError when a number is out of range or a file is there already.
    """
    _check(retailer)
    if parts is not None:
        check_number("parts", parts, 1)
    check_number("file size", file_mb, 1)
    stamp = (FIRST_DAY + timedelta(days=retailer.days)).isoformat()
    files = list(_whole(retailer, stamp, parts=parts, file_bytes=file_mb * 1_000_000))
    return _make(directory, retailer, files, told, workers)


def make_increment(
    directory: Path,
    retailer: Retailer,
    *,
    increment: int,
    told: Told | None = None,
    workers: int | None = None,
) -> Report:
    """Write what comes in an hour after a set: the first, the second, … from 1 on.

    One new customer, product and transaction for a thousand of the set, and some
    customers and products that changed. `early_transactions` are of customers who come
    with the next increment.

    Raises UsageError when a number is out of range or a file is there already.
    """
    _check(retailer)
    check_number("increment", increment, 1)
    check_last("increment", increment, INCREMENTS_MAX)
    hour = datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(
        days=retailer.days, hours=increment
    )
    files = [
        _File(
            _name(retailer, table, f"{hour:%Y-%m-%dT%H%M}"),
            table,
            retailer.count(table) + (increment - 1) * retailer.step(table) + 1,
            retailer.count(table) + increment * retailer.step(table) + 1,
            increment,
        )
        for table in _BYTES_PER_ROW
    ]
    return _make(directory, retailer, files, told, workers)


def _check(retailer: Retailer) -> None:
    for table in _BYTES_PER_ROW:
        check_number(table, retailer.count(table), 1)
    check_number("days", retailer.days, 1)
    check_last("days", retailer.days, DAYS_MAX)
    check_dirty(retailer.dirty)
    if retailer.compression not in COMPRESSIONS:
        raise UsageError(
            "compression",
            f"{retailer.compression} is not known",
            f"Give one of {', '.join(COMPRESSIONS)}",
        )


def _whole(
    retailer: Retailer, stamp: str, *, parts: int | None, file_bytes: int
) -> Iterator[_File]:
    """Yield every file of a set."""
    for table, bytes_per_row in _BYTES_PER_ROW.items():
        rows = retailer.count(table)
        wanted = rows * bytes_per_row[retailer.compression] / file_bytes
        cut = max(1, round(wanted))
        if parts is not None:
            cut = 1 if table == "products" else min(parts, rows)
        for part in range(cut):
            first, after = (1 + rows * place // cut for place in (part, part + 1))
            suffix = f"_part_{part + 1:04d}" if cut > 1 else ""
            name = _name(retailer, table, stamp + suffix)
            yield _File(name, table, first, after, 0)


def _name(retailer: Retailer, table: str, stamp: str) -> str:
    """Name a file. A Parquet file's codec is inside, so its name does not tell it."""
    kind = {"customers": "csv", "products": "json", "transactions": "parquet"}[table]
    suffix = "" if kind == "parquet" else _SUFFIX[retailer.compression]
    return f"raw/{table}/{table}_{stamp}.{kind}{suffix}"


def _make(
    directory: Path,
    retailer: Retailer,
    files: list[_File],
    told: Told | None,
    workers: int | None,
) -> Report:
    check_directory(directory, [file.name for file in files])
    for file in files:
        (directory / file.name).parent.mkdir(parents=True, exist_ok=True)
    records: dict[str, int] = {}
    quirks: Counter[str] = Counter()
    threads, beside = _share(workers or os.cpu_count() or 1, files)
    with ThreadPoolExecutor(beside) as pool:
        made = pool.map(lambda file: _write(directory, retailer, file, threads), files)
        for file, (kinds, repairs) in zip(files, made, strict=True):
            records[file.name] = sum(kinds.values())
            kinds.pop("good", None)
            quirks.update(kinds)
            quirks.update(repairs)
            if told is not None:
                told(file.name, len(records), len(files))
    return Report(records, dict(sorted(quirks.items())))


def _share(workers: int, files: list[_File]) -> tuple[int, int]:
    """Share threads among files: how many work on each, and on how many at a time.

    More than a file has groups of rows would wait for one another.
    """
    groups = max(file.after - file.first for file in files) // _GROUP_ROWS
    threads = max(1, min(workers, groups))
    return threads, workers // threads


def _write(
    directory: Path, retailer: Retailer, file: _File, threads: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Write one file; return how many records of each kind it has, and repairs."""
    with _world(retailer, file, threads) as connection:
        path = str(directory / file.name).replace("'", "''")
        connection.execute(
            f"copy {file.table}_file to '{path}' ({_format(retailer, file.table)})"
        )
        set_variables(connection, records=f"{file.table}_records")
        kinds = dict(connection.execute(statement("retail/counts")).fetchall())
        repairs = connection.execute(f"from {file.table}_repairs").fetchall()
    return kinds, dict(repairs)


@contextmanager
def _world(retailer: Retailer, file: _File, threads: int) -> Iterator[Connection]:
    """Open a database that knows one file's records, as views.

    The order of the records does not depend on the number of threads.
    """
    increment = file.increment
    changed_share = _CHANGED_SHARE[file.table] if increment else 0.0
    start = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
    period_first, period_rows = 1, retailer.transactions
    seconds = retailer.days * 86_400
    if increment:
        start += timedelta(days=retailer.days, hours=increment - 1)
        period_first, period_rows = file.first, file.after - file.first
        seconds = 3_600
    with scratch(threads=threads) as connection:
        connection.execute(f"set memory_limit = '{_MEMORY_MB * threads}MB'")
        set_variables(
            connection,
            seed=str(retailer.seed),
            dirty=retailer.dirty,
            increment=increment,
            first=file.first,
            rows=file.after - file.first,
            table_name=file.table,
            kinds=_BROKEN_KINDS[file.table],
            known=retailer.count(file.table),
            changes_before=retailer.count(file.table) + 1 if changed_share else 0,
            changed_share=changed_share,
            customers=retailer.customers + increment * retailer.step("customers"),
            next_customers=retailer.step("customers"),
            products=retailer.products + increment * retailer.step("products"),
            from_second=int(start.timestamp()),
            seconds=seconds,
            period_first=period_first,
            period_rows=period_rows,
        )
        for name in ("draws", "chances", "places", file.table):
            folder = "" if name == "draws" else "retail/"
            connection.execute(statement(f"{folder}{name}"))
        yield connection


def _format(retailer: Retailer, table: str) -> str:
    if table == "customers":
        return f"format csv, header, compression '{retailer.compression}'"
    if table == "products":
        return f"format json, array, compression '{retailer.compression}'"
    codec = _CODEC[retailer.compression]
    return (
        f"format parquet, compression '{codec}', dictionary_size_limit {_WORDS_MAX:d}"
    )
