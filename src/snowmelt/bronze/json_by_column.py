"""JSON written column by column, as pandas' to_json does, made into records.

`{"id": {"0": 1, "1": 2}, "name": {"0": "a"}}` has two records; a label that a column
lacks is a key that its record lacks. The labels are put together by the engine, so that
a file may be larger than memory; values stand in the records as they stood in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from snowmelt.bronze.json_places import (
    IndexedPlaces,
    LinePlaces,
    Place,
    PlaceIndex,
    read_all,
)
from snowmelt.bronze.json_split import Element, Splitter, on_one_line
from snowmelt.landing.opened import OpenedFile
from snowmelt.warehouse.port import Session

_BATCH = 10_000


class ColumnPlaces:
    """Records put together: where the first value of each is, and the record."""

    def __init__(self, firsts: IndexedPlaces, written: LinePlaces) -> None:
        self._firsts = firsts
        self._written = written

    def find(self, ordinals: Iterable[int]) -> Iterator[Place]:
        """Yield places; see `json_places.Places`."""
        wanted = list(ordinals)
        pairs = zip(self._firsts.find(wanted), self._written.find(wanted), strict=True)
        for first, written in pairs:
            yield first._replace(raw=written.raw)


def write_records(
    session: Session, file: OpenedFile, splitter: Splitter, path: Path, index: Path
) -> int:
    """Write the records of a file, one a line; return how many there are.

    Raises FileError where the file's brackets and quotes do not match.
    """
    table = f"columns_{path.stem.replace('-', '_')}"
    session.execute(
        f"create temp table {table} "
        "(number bigint, name varchar, label varchar, first bigint, last bigint)"
    )
    try:
        _note_values(session, table, splitter)
        session.execute(
            f"create temp table {table}_labels as select label, row_number() over "
            f"(order by min(number)) as ordinal from {table} group by label"
        )
        return _write(session, table, file, path, index)
    finally:
        session.execute(f"drop table if exists {table}_labels")
        session.execute(f"drop table {table}")


def _note_values(session: Session, table: str, splitter: Splitter) -> None:
    """Note where the value of each column and label begins and ends."""
    batch: list[tuple[str, str, int, int]] = []
    number = 0

    def insert() -> None:
        names, labels, firsts, lasts = zip(*batch, strict=True)
        numbers = range(number - len(batch), number)
        session.insert(
            table,
            {
                "number": numbers,
                "name": names,
                "label": labels,
                "first": firsts,
                "last": lasts,
            },
        )
        batch.clear()

    for name, label, value in _values(splitter):
        batch.append(
            (_text(name), _text(label), value.offset, value.offset + len(value.raw))
        )
        number += 1
        if len(batch) == _BATCH:
            insert()
    if batch:
        insert()


def _values(splitter: Splitter) -> Iterator[tuple[bytes, bytes, Element]]:
    """Yield column, label and value of each value."""
    for name in _keys(splitter):
        for label in _keys(splitter):
            yield name, label, splitter.value()
    if splitter.peek():
        raise splitter.broken("something follows the columns")


def _keys(splitter: Splitter) -> Iterator[bytes]:
    """Yield the keys of an object; the caller takes the value of each."""
    splitter.expect(b"{")
    if splitter.peek() != b"}":
        while True:
            if splitter.peek() != b'"':
                raise splitter.broken("a key is missing")
            key = splitter.value().raw
            splitter.expect(b":")
            yield key
            if splitter.peek() != b",":
                break
            splitter.expect(b",")
    splitter.expect(b"}")


def _text(key: bytes) -> str:
    return key.decode(errors="backslashreplace")


def _write(
    session: Session, table: str, file: OpenedFile, path: Path, index: Path
) -> int:
    """Write the records and where the first value of each is."""
    count = int(session.value(f"select count(*) from {table}_labels"))
    with PlaceIndex(index) as places, path.open("xb") as copy:
        for first in range(1, count + 1, _BATCH):
            rows = session.rows(
                f"select ordinal, name, first, last from {table} "
                f"join {table}_labels using (label) "
                "where ordinal between $1 and $2 order by ordinal, number",
                [first, first + _BATCH - 1],
            )
            for _, group in groupby(rows, lambda row: row[0]):
                members = []
                for number, (_, name, start, end) in enumerate(group):
                    if number == 0:
                        places.add(start, end)
                    value = on_one_line(read_all(file, start, end))
                    members.append(name.encode() + b":" + value)
                copy.write(b"{" + b",".join(members) + b"}\n")
    return count
