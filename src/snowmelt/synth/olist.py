"""Believable Olist data, clean or dirty, at any size.

The set has the nine files of the public Brazilian e-commerce data set: their names,
headers and habits, and none of their rows. Every value is a function of seed and
row, so the same call writes the same bytes, however many threads work. Orders are
made in chunks in the order of purchase, so memory does not grow with their number
(products do: about 100 bytes for every third order).
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.synth import olist_files as files
from snowmelt.synth.olist_files import Shape
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

CHUNK_ORDERS = 100_000
DIRTY_MAX = 0.5

_BROKEN_BYTE = ("\ue0ff".encode(), b"\xff")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WORLD = ("draws", "geography", "catalog", "season", "specials", "whole_records")
_CHUNK = ("orders", "order_items", "order_payments", "order_reviews", "records")


@dataclass(frozen=True)
class OlistReport:
    """What was written.

    `files` has the number of records of each file, good and bad, without the
    header; the names are relative to the directory. `quirks` has the number of each
    quirk and kind of dirt. Quirks of the published set are counted over the good
    records, late ones included; `broken_*` and `duplicate_rows` over the files
    proper, without the copies in `resent/`.
    """

    files: dict[str, int]
    quirks: dict[str, int]


@dataclass(frozen=True)
class _Request:
    """What the caller wants: size, seed, share of dirt, number of parts."""

    directory: Path
    orders: int
    seed: int
    dirty: float
    parts: int


def make_olist(
    directory: Path, *, orders: int, seed: int, dirty: float = 0.0, parts: int = 1
) -> OlistReport:
    """Write an Olist-shaped set of `orders` orders into `directory`.

    `parts` splits the five growing files by time of purchase; an order is in the
    same part of each. `dirty` is a share of the records: half of it are broken
    copies, a quarter exact duplicates, a quarter comes late (below `late/`). A dirty
    set also has copies under other names (`resent/`) and a payments file to be sent
    again under its own name (`corrected/`), in which half of the share is corrected
    and the other half taken out. There is at least one of each kind; a late order
    needs a set of three, a removed payment one of two in its part.

    Raises UsageError when a number is out of range or a file is there already.
    """
    wanted = _Request(directory, orders, seed, dirty, parts)
    _check(wanted)
    report = OlistReport({}, {})
    with scratch() as connection:
        _make_world(connection, wanted)
        _start_files(wanted, report)
        _write_whole(connection, wanted, report)
        for first in range(0, orders, CHUNK_ORDERS):
            _write_chunk(connection, wanted, report, first)
    if dirty > 0:
        _copy_files(wanted, report)
    return OlistReport(report.files, dict(sorted(report.quirks.items())))


def _check(wanted: _Request) -> None:
    if wanted.orders < 1:
        raise UsageError("orders", f"{wanted.orders} is too few", "Ask for 1 or more")
    if wanted.parts < 1:
        raise UsageError("parts", f"{wanted.parts} is too few", "Ask for 1 or more")
    if not 0 <= wanted.dirty <= DIRTY_MAX:
        raise UsageError(
            "dirty",
            f"{wanted.dirty} is not a share that can be made",
            f"Give a number from 0 to {DIRTY_MAX}",
        )
    if wanted.directory.exists() and not wanted.directory.is_dir():
        raise UsageError(
            str(wanted.directory), "this is no directory", "Name another one"
        )
    for name in files.names(parts=wanted.parts, is_dirty=wanted.dirty > 0):
        if (wanted.directory / name).exists():
            raise UsageError(
                str(wanted.directory / name),
                "the file is there already, and is not overwritten",
                "Name another directory, or move the file away",
            )


def _make_world(connection: Connection, wanted: _Request) -> None:
    orders = wanted.orders
    _set(connection, "seed", str(wanted.seed))
    _set(connection, "orders", orders)
    _set(connection, "parts", wanted.parts)
    _set(connection, "products", max(50, orders // 3))
    _set(connection, "sellers", max(20, orders // 32))
    _set(connection, "dirty", wanted.dirty)
    _set(connection, "late_share", wanted.dirty / 4)
    # one order that is damaged in every way, and one that is late for certain
    _set(connection, "anchor", orders // 2)
    _set(connection, "late_order", orders - 1)
    for name in _WORLD:
        connection.execute(_statement(name))


def _start_files(wanted: _Request, report: OlistReport) -> None:
    """Make each file with its header; a file that appeared meanwhile stays."""
    shapes = {shape.stem: shape for shape in (*files.WHOLE, *files.GROWING)}
    stems = sorted(shapes, key=len, reverse=True)
    resent = {files.resent_name(shape, wanted.parts) for shape in files.RESENT}
    for name in files.names(parts=wanted.parts, is_dirty=wanted.dirty > 0):
        path = wanted.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        report.files[name] = 0
        if name in resent:
            continue
        shape = shapes[next(stem for stem in stems if path.name.startswith(stem))]
        mark = _BYTE_ORDER_MARK if shape.has_byte_order_mark else b""
        with path.open("xb") as file:
            file.write(mark + (shape.header + shape.terminator).encode())


def _write_whole(connection: Connection, wanted: _Request, report: OlistReport) -> None:
    for shape in files.WHOLE:
        name = files.part_name(shape, 0, wanted.parts)
        for _, _, text, kinds in _lines(connection, shape, dirt=0.0):
            _append(wanted, report, name, text, sum(kinds.values()))
    _add(report, dict(connection.execute(_statement("whole_quirks")).fetchall()))
    shapes = (*files.WHOLE, *files.GROWING)
    report.quirks["byte_order_marks"] = sum(s.has_byte_order_mark for s in shapes)
    report.quirks["crlf_files"] = sum(s.terminator == "\r\n" for s in shapes)


def _write_chunk(
    connection: Connection, wanted: _Request, report: OlistReport, first: int
) -> None:
    _set(connection, "first_order", first)
    _set(connection, "after_order", min(first + CHUNK_ORDERS, wanted.orders))
    for name in _CHUNK:
        connection.execute(_statement(name))
    _add(report, dict(connection.execute(_statement("quirks")).fetchall()))
    for shape in files.GROWING:
        for part, is_late, text, kinds in _lines(connection, shape, dirt=wanted.dirty):
            name = (
                files.late_name(shape)
                if is_late
                else files.part_name(shape, part, wanted.parts)
            )
            _append(wanted, report, name, text, sum(kinds.values()))
            _add(report, {kind: n for kind, n in kinds.items() if kind != "good"})
    if wanted.dirty > 0:
        _write_corrected(connection, wanted, report)


def _write_corrected(
    connection: Connection, wanted: _Request, report: OlistReport
) -> None:
    good, kept, corrected = connection.execute(_statement("corrected")).fetchall()[0]
    if good == 0:
        return
    name = files.corrected_name(wanted.parts)
    shape = replace(files.CORRECTED, records="corrected_records")
    for _, _, text, kinds in _lines(connection, shape, dirt=0.0):
        _append(wanted, report, name, text, sum(kinds.values()))
    _add(report, {"corrected_records": corrected, "removed_records": good - kept})


def _copy_files(wanted: _Request, report: OlistReport) -> None:
    for shape in files.RESENT:
        source = files.part_name(shape, 0, wanted.parts)
        target = files.resent_name(shape, wanted.parts)
        shutil.copyfile(wanted.directory / source, wanted.directory / target)
        report.files[target] = report.files[source]
    _add(report, {"resent_files": len(files.RESENT), "corrected_files": 1})


_Lines = tuple[int, bool, str, dict[str, int]]


def _lines(connection: Connection, shape: Shape, *, dirt: float) -> Iterator[_Lines]:
    """Yield blocks of lines of one file: part, lateness, text, count by kind."""
    _set(connection, "records", shape.records)
    _set(connection, "terminator", shape.terminator)
    _set(connection, "dirt", dirt)
    _set(connection, "kinds", list(shape.kinds))
    _set(connection, "number_at", shape.number_at)
    _set(connection, "date_at", shape.date_at)
    _set(connection, "text_at", shape.text_at)
    yield from connection.execute(_statement("lines")).fetchall()


def _append(
    wanted: _Request, report: OlistReport, name: str, text: str, records: int
) -> None:
    with (wanted.directory / name).open("ab") as file:
        file.write(text.encode().replace(*_BROKEN_BYTE))
    report.files[name] += records


def _add(report: OlistReport, made: dict[str, int]) -> None:
    report.quirks.update(Counter(report.quirks) + Counter(made))
    for quirk in made:
        report.quirks.setdefault(quirk, 0)


def _set(connection: Connection, name: str, value: object) -> None:
    connection.execute(f"set variable {name} = $1", [value])


def _statement(name: str) -> str:
    return (resources.files(__package__) / "sql" / f"{name}.sql").read_text("utf-8")
