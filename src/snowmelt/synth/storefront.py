"""Believable data of a web shop, clean or dirty, at any size.

Customers and products are sent as a whole each day; sales are sent by day, as JSON in
three shapes. Every value is a function of seed and row, so the same call writes the
same bytes, however many threads work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from snowmelt.synth.making import (
    Report,
    check_directory,
    check_dirty,
    check_number,
    set_variables,
    statement,
)
from snowmelt.synth.origins import check_origins, write_origins
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

FIRST_DAY = date(2024, 5, 1)
SALES_PER_CUSTOMER = 10

_COLUMNS = {
    "customers": ("customer_id", "name", "country", "email"),
    "products": ("product_id", "name", "category", "price"),
    "sales": ("sale_id", "customer_id", "product_id", "quantity", "sale_date"),
}
_SHAPES = ("lines", "array", "columns")
_AROUND = {"lines": ("", ""), "array": ("[\n", "\n]\n"), "columns": ("{", "}}\n")}
_WORLD = ("chances", "world", *_COLUMNS)


@dataclass(frozen=True)
class _File:
    """One file: the records of a day of one table, in a shape."""

    name: str
    table: str
    day: int
    shape: str
    is_again: bool = False


def make_storefront(
    directory: Path,
    *,
    customers: int,
    seed: int,
    dirty: float = 0.0,
    days: int = 3,
    origins: Path | None = None,
) -> Report:
    """Write `days` days of a shop with `customers` customers into `directory`/raw.

    `dirty` is a share of the records: odd spelling that can be repaired, exact
    duplicates, and broken records and orphans beside the good ones, whose figures stay
    the same. There is at least one of each kind. A dirty set also has the first day's
    files again, and the last day's under the next day's date.

    The report counts records of all files; orphans once a sale. `resent_*` are good
    records that were in an earlier file as they are or with other values; `changed_*`
    are customers and products whose values changed, `early_sales` those that come
    before their customer or product.

    The file `origins` says which lines make each row of gold, one as JSON a line, when
    all files have landed in the order of their names.

    Raises UsageError when a number is out of range or a file is there already.
    """
    check_number("customers", customers, 1)
    check_number("days", days, len(_SHAPES), ": one a shape")
    check_dirty(dirty)
    files = list(_files(days, is_dirty=dirty > 0))
    check_directory(directory, [file.name for file in files])
    check_origins(origins)
    amounts = {
        "customers": customers,
        "products": max(10, customers // 5),
        "sales": customers * SALES_PER_CUSTOMER,
    }
    with scratch() as connection:
        set_variables(connection, **amounts, days=days, dirty=dirty)
        set_variables(connection, seed=str(seed), first_day=FIRST_DAY)
        connection.execute(statement("draws"))
        for name in _WORLD:
            connection.execute(statement(f"storefront/{name}"))
        records: dict[str, int] = {}
        counted: Counter[str] = Counter()
        connection.execute(statement("storefront/origins_begin"))
        for file in files:
            records[file.name] = _write(connection, directory, file, counted)
            if origins:
                _keep_places(connection, file)
        counted.update(
            dict(connection.execute(statement("storefront/once")).fetchall())
        )
        if origins:
            connection.execute(statement("storefront/origins"))
            write_origins(connection, origins)
    return Report(records, _quirks(counted, amounts))


def _files(days: int, *, is_dirty: bool) -> Iterator[_File]:
    """Yield every file of a set, in the order they are written."""
    for table in _COLUMNS:
        kind = "json" if table == "sales" else "csv"
        stem = f"raw/{table}/{table}"
        for day in range(days):
            shape = _SHAPES[day % len(_SHAPES)] if kind == "json" else "csv"
            yield _File(f"{stem}_{_date(day)}.{kind}", table, day, shape)
        if is_dirty:
            first, last = ("array", "lines") if kind == "json" else ("csv", "csv")
            name = f"{stem}_{_date(0)}_again.{kind}"
            yield _File(name, table, 0, first, is_again=True)
            name = f"{stem}_{_date(days)}.{kind}"
            yield _File(name, table, days - 1, last, is_again=True)


def _date(day: int) -> str:
    return (FIRST_DAY + timedelta(days=day)).isoformat()


def _write(
    connection: Connection, directory: Path, file: _File, counted: Counter[str]
) -> int:
    """Write one file; return its number of records."""
    columns = list(_COLUMNS[file.table])
    records = f"{file.table}_records"
    set_variables(connection, day=file.day, shape=file.shape)
    set_variables(connection, records=records, names=columns)
    header = ",".join(columns) + "\n"
    before, after = _AROUND.get(file.shape, (header, ""))
    path = directory / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = connection.execute(statement("storefront/blocks"))
    with path.open("xb") as target:
        target.write(before.encode())
        while block := blocks.fetchone():
            target.write(block[0].encode())
        target.write(after.encode())
    (found,) = connection.execute(statement("storefront/counts")).fetchall()
    count, kinds, repairs = found
    for kind, number in kinds.items():
        is_good = kind == "good" or (kind.startswith("orphans") and file.is_again)
        counted[f"good_{file.table}" if is_good else kind] += number
    counted.update(repairs or {})
    return int(count)


def _keep_places(connection: Connection, file: _File) -> None:
    """Keep where the good records of a file stand that was written just now."""
    again_of_last = file.is_again and file.day > 0
    set_variables(
        connection,
        stem=file.table,
        file=file.name,
        # which version counts: the date in a file's name, then when it landed
        dated=file.day + again_of_last,
        landed=int(file.is_again),
        header_lines={"csv": 1, "lines": 0}.get(file.shape),
    )
    connection.execute(statement("storefront/places"))


def _quirks(counted: Counter[str], amounts: dict[str, int]) -> dict[str, int]:
    """Turn good records into how many of them are there again."""
    quirks = dict(counted)
    for table, amount in amounts.items():
        quirks[f"resent_{table}"] = quirks.pop(f"good_{table}") - amount
    return dict(sorted(quirks.items()))
