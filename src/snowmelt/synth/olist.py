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
from pathlib import Path

from snowmelt.synth import olist_files as files
from snowmelt.synth.making import (
    Report,
    check_directory,
    check_dirty,
    check_number,
    set_variables,
    statement,
)
from snowmelt.synth.olist_files import Shape
from snowmelt.synth.olist_origins import OlistOrigins
from snowmelt.synth.origins import check_origins
from snowmelt.warehouse.duckdb.scratch import Connection, scratch

CHUNK_ORDERS = 100_000

_BROKEN_BYTE = ("\ue0ff".encode(), b"\xff")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WORLD = ("geography", "catalog", "season", "specials", "whole_records")
_CHUNK = ("orders", "order_items", "order_payments", "order_reviews", "records")


@dataclass(frozen=True)
class _Request:
    """What the caller wants: size, seed, share of dirt, number of parts, origins."""

    directory: Path
    orders: int
    seed: int
    dirty: float
    parts: int
    origins: Path | None


def make_olist(
    directory: Path,
    *,
    orders: int,
    seed: int,
    dirty: float = 0.0,
    parts: int = 1,
    origins: Path | None = None,
) -> Report:
    """Write an Olist-shaped set of `orders` orders into `directory`.

    `parts` splits the five growing files by time of purchase; an order is in the
    same part of each. `dirty` is a share of the records: half of it are broken
    copies, a quarter exact duplicates, a quarter comes late (below `late/`). A dirty
    set also has copies under other names (`resent/`) and a payments file to be sent
    again under its own name (`corrected/`), in which half of the share is corrected
    and the other half taken out. There is at least one of each kind; a late order
    needs a set of three, a removed payment one of two in its part.

    Quirks of the published set are counted over the good records, late ones included;
    `broken_*` and `duplicate_rows` over the files proper, without the copies in
    `resent/`.

    The file `origins` says which lines make each row of gold, one as JSON a line, when
    all files have landed, the corrected one last and under the name of what it
    corrects. It costs memory, about 1 kB an order.

    Raises UsageError when a number is out of range or a file is there already.
    """
    wanted = _Request(directory, orders, seed, dirty, parts, origins)
    _check(wanted)
    report = Report({}, {})
    with scratch() as connection:
        _make_world(connection, wanted)
        _start_files(wanted, report)
        kept = OlistOrigins(connection, parts) if origins else None
        _write_whole(connection, wanted, report, kept)
        for first in range(0, orders, CHUNK_ORDERS):
            _write_chunk(connection, wanted, report, first, kept)
        if origins and kept:
            kept.write(origins, is_corrected=dirty > 0)
    if dirty > 0:
        _copy_files(wanted, report)
    return Report(report.files, dict(sorted(report.quirks.items())))


def _check(wanted: _Request) -> None:
    check_number("orders", wanted.orders, 1)
    check_number("parts", wanted.parts, 1)
    check_dirty(wanted.dirty)
    names = files.names(parts=wanted.parts, is_dirty=wanted.dirty > 0)
    check_directory(wanted.directory, names)
    check_origins(wanted.origins)


def _make_world(connection: Connection, wanted: _Request) -> None:
    orders, dirty = wanted.orders, wanted.dirty
    set_variables(
        connection,
        seed=str(wanted.seed),
        orders=orders,
        parts=wanted.parts,
        products=max(50, orders // 3),
        sellers=max(20, orders // 32),
        dirty=dirty,
        late_share=dirty / 4,
        # one order that is damaged in every way, and one that is late for certain
        anchor=orders // 2,
        late_order=orders - 1,
    )
    connection.execute(statement("draws"))
    for name in _WORLD:
        connection.execute(statement(f"olist/{name}"))


def _start_files(wanted: _Request, report: Report) -> None:
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


def _write_whole(
    connection: Connection,
    wanted: _Request,
    report: Report,
    kept: OlistOrigins | None,
) -> None:
    for shape in files.WHOLE:
        name = files.part_name(shape, 0, wanted.parts)
        for _, _, text, kinds in _lines(connection, shape, dirt=0.0):
            _append(wanted, report, name, text, sum(kinds.values()))
        if kept:
            kept.keep_whole(shape)
    _add(report, dict(connection.execute(statement("olist/whole_quirks")).fetchall()))
    shapes = (*files.WHOLE, *files.GROWING)
    report.quirks["byte_order_marks"] = sum(s.has_byte_order_mark for s in shapes)
    report.quirks["crlf_files"] = sum(s.terminator == "\r\n" for s in shapes)


def _write_chunk(
    connection: Connection,
    wanted: _Request,
    report: Report,
    first: int,
    kept: OlistOrigins | None,
) -> None:
    after = min(first + CHUNK_ORDERS, wanted.orders)
    set_variables(connection, first_order=first, after_order=after)
    for name in _CHUNK:
        connection.execute(statement(f"olist/{name}"))
    _add(report, dict(connection.execute(statement("olist/quirks")).fetchall()))
    for shape in files.GROWING:
        for part, is_late, text, kinds in _lines(connection, shape, dirt=wanted.dirty):
            name = (
                files.late_name(shape)
                if is_late
                else files.part_name(shape, part, wanted.parts)
            )
            _append(wanted, report, name, text, sum(kinds.values()))
            _add(report, {kind: n for kind, n in kinds.items() if kind != "good"})
        if kept:
            kept.keep_growing(shape)
    if kept:
        kept.keep_chunk()
    if wanted.dirty > 0:
        _write_corrected(connection, wanted, report, kept)


def _write_corrected(
    connection: Connection,
    wanted: _Request,
    report: Report,
    kept: OlistOrigins | None,
) -> None:
    (counted,) = connection.execute(statement("olist/corrected")).fetchall()
    good, left, corrected = counted
    if good == 0:
        return
    name = files.corrected_name(wanted.parts)
    shape = replace(files.CORRECTED, records="corrected_records")
    for _, _, text, kinds in _lines(connection, shape, dirt=0.0):
        _append(wanted, report, name, text, sum(kinds.values()))
    _add(report, {"corrected_records": corrected, "removed_records": good - left})
    if kept:
        kept.keep_corrected(shape)


def _copy_files(wanted: _Request, report: Report) -> None:
    for shape in files.RESENT:
        source = files.part_name(shape, 0, wanted.parts)
        target = files.resent_name(shape, wanted.parts)
        shutil.copyfile(wanted.directory / source, wanted.directory / target)
        report.files[target] = report.files[source]
    _add(report, {"resent_files": len(files.RESENT), "corrected_files": 1})


_Lines = tuple[int, bool, str, dict[str, int]]


def _lines(connection: Connection, shape: Shape, *, dirt: float) -> Iterator[_Lines]:
    """Yield blocks of lines of one file: part, lateness, text, count by kind."""
    set_variables(
        connection,
        records=shape.records,
        terminator=shape.terminator,
        dirt=dirt,
        kinds=list(shape.kinds),
        number_at=shape.number_at,
        date_at=shape.date_at,
        text_at=shape.text_at,
    )
    connection.execute(statement("olist/lines"))
    yield from connection.execute(statement("olist/blocks")).fetchall()


def _append(
    wanted: _Request, report: Report, name: str, text: str, records: int
) -> None:
    with (wanted.directory / name).open("ab") as file:
        file.write(text.encode().replace(*_BROKEN_BYTE))
    report.files[name] += records


def _add(report: Report, made: dict[str, int]) -> None:
    report.quirks.update(Counter(report.quirks) + Counter(made))
    for quirk in made:
        report.quirks.setdefault(quirk, 0)
