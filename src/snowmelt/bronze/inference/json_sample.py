"""JSON samples into the table: by line, in an array, or column by column."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from snowmelt.bronze.inference.column_type import Traits
from snowmelt.bronze.inference.json_shape import Leaf, Shape, leaves
from snowmelt.bronze.inference.kinds import Family
from snowmelt.bronze.inference.sample import (
    TABLE,
    Sample,
    SampleColumn,
    require_columns,
)
from snowmelt.bronze.inference.sample_files import SampleFile
from snowmelt.errors import UsageError
from snowmelt.pipe.file_format import GUESSED_ENCODING
from snowmelt.warehouse.duckdb.scratch import Connection
from snowmelt.warehouse.sql import literal

ORIENTED_BYTES_MAX = 1 << 26
RECORD_BYTES_MAX = 1 << 24
_TAIL_BYTES = 1 << 12
_STRUCTURES_AT_ONCE = 1000
_FAMILIES = {
    "number": frozenset({Family.NUMBER}),
    "boolean": frozenset({Family.BOOLEAN}),
    "text": frozenset({Family.TIME}),
}


@dataclass(frozen=True)
class _Layout:
    """How the records of one sample stand in the file."""

    name: str
    is_columns: bool = False


LINES, ARRAY = _Layout("one object a line"), _Layout("an array")
COLUMNS = _Layout("one object, column by column", is_columns=True)


def read_json_samples(connection: Connection, files: Sequence[SampleFile]) -> Sample:
    """Read the samples into the table.

    Raises UsageError for what is not JSON records, and for samples that are not alike.
    """
    layouts = [_tell_layout(file) for file in files]
    if len(set(layouts)) > 1:
        told = ", ".join(
            f"{file.path} is {layout.name}"
            for file, layout in zip(files, layouts, strict=True)
        )
        raise UsageError("samples", f"a pipe has one layout: {told}")
    notes: list[str] = []
    connection.execute("create table record (_file usmallint, record json)")
    records = [
        _read(connection, file, number, layouts[0], notes)
        for number, file in enumerate(files)
    ]
    if not sum(records):
        raise UsageError(
            str(files[0].path), "there is no record in it", "Give a file with records."
        )
    found = list(leaves(_shape(connection)))
    require_columns(files[0].path, len(found))
    columns = _columns(found, notes)
    _extract(connection, [leaf for leaf in found if leaf.path is not None])
    file_format: dict[str, object] = {"type": "json"}
    if files[0].encoding != "utf8":
        file_format["encoding"] = files[0].encoding
        if files[0].encoding in (GUESSED_ENCODING, "iso88591"):
            notes.append(f"encoding {files[0].encoding} is a guess: not all is UTF-8")
    if layouts[0] is COLUMNS:
        file_format["orient"] = "columns"
    if _has_duplicates(connection):
        file_format["allow_duplicate"] = True
        notes.append("records have a key more than once: the last one counts")
    return Sample(
        kind="json",
        paths=tuple(each.path for each in files),
        records=records,
        columns=columns,
        file_format=file_format,
        notes=notes,
    )


def _tell_layout(file: SampleFile) -> _Layout:
    """Return how the records stand in a file, from its beginning."""
    text = file.head.lstrip()
    if text.startswith("["):
        return ARRAY
    first, _, rest = text.partition("\n")
    line = None
    with suppress(ValueError):
        line = json.loads(first)
    if isinstance(line, dict) and (rest.strip() or not _is_oriented(line)):
        return LINES
    if file.size > ORIENTED_BYTES_MAX:
        raise UsageError(
            str(file.path),
            f"its first object is larger than the {ORIENTED_BYTES_MAX >> 20} MiB that "
            "are read at once",
            "Give a smaller sample.",
        )
    try:
        whole = json.loads(file.plain.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UsageError(str(file.path), f"it is not JSON: {error}") from None
    if _is_oriented(whole):
        return COLUMNS
    raise UsageError(
        str(file.path),
        "its one object is neither on one line nor column by column",
        "JSON is read as one object a line, as an array of objects, or as an object "
        "of columns.",
    )


def _is_oriented(whole: object) -> bool:
    """Is it {"column": {"0": value}}, with the same keys in every column?"""
    if not isinstance(whole, dict) or not whole:
        return False
    columns = list(whole.values())
    if not all(isinstance(column, dict) and column for column in columns):
        return False
    keys = list(columns[0])
    counted = keys == [str(i) for i in range(len(keys))]
    alike = all(set(column) == set(keys) for column in columns)
    return alike and (counted or (len(keys) > 1 and len(columns) > 1))


def _read(
    connection: Connection,
    file: SampleFile,
    number: int,
    layout: _Layout,
    notes: list[str],
) -> int:
    """Add the records of a file and return how many there are."""
    if layout is COLUMNS:
        _read_columns(connection, file, number)
    else:
        _read_stream(connection, file, number, layout)
    sql = (
        "select count(*), count(*) filter (json_type(record) = 'OBJECT') from record "
        f"where _file = {number}"
    )
    found, records = connection.execute(sql).fetchone() or (0, 0)
    if found > records:
        if records * 2 < found:
            raise UsageError(
                str(file.path),
                f"{found - records:,} of {found:,} records are no objects",
            )
        notes.append(
            f"{file.path.name}: {found - records:,} of {found:,} records are no JSON "
            "objects and will be refused"
        )
        connection.execute(
            f"delete from record where _file = {number} "
            "and json_type(record) is distinct from 'OBJECT'"
        )
    return int(records)


def _require_closed(file: SampleFile) -> None:
    """Raise UsageError for an array that breaks off: the engine may not mind."""
    with file.plain.open("rb") as array:
        array.seek(max(array.seek(0, os.SEEK_END) - _TAIL_BYTES, 0))
        if not array.read().rstrip().endswith(b"]"):
            raise UsageError(str(file.path), "it is not JSON: its array has no end")


def _read_stream(
    connection: Connection, file: SampleFile, number: int, layout: _Layout
) -> None:
    if layout is ARRAY:
        _require_closed(file)
    form = "array" if layout is ARRAY else "newline_delimited"
    broken = "" if layout is ARRAY else ", ignore_errors = true"
    try:
        connection.execute(
            f"insert into record select {number}, json from read_json_objects("
            f"{literal(str(file.plain))}, format = '{form}', compression = "
            f"'uncompressed', maximum_object_size = {RECORD_BYTES_MAX}{broken})"
        )
    except Exception as error:  # the driver's: what it cannot read as JSON
        raise UsageError(
            str(file.path), f"it is not JSON: {str(error).splitlines()[0]}"
        ) from error


def _read_columns(connection: Connection, file: SampleFile, number: int) -> None:
    """Turn an object of columns into records, written by line."""
    columns = json.loads(file.plain.read_text(encoding="utf-8-sig"))
    copy = file.plain.with_suffix(".lines")
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    with copy.open("w", encoding="utf-8") as lines:
        for key in keys:
            record = {
                name: column[key] for name, column in columns.items() if key in column
            }
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    connection.execute(
        f"insert into record select {number}, json from read_json_objects("
        f"{literal(str(copy))}, format = 'newline_delimited', "
        f"maximum_object_size = {RECORD_BYTES_MAX})"
    )


def _shape(connection: Connection) -> Shape:
    """Return what is at every place of all records."""
    shape = Shape()
    asked = connection.execute(
        "select distinct _file, json_structure(record)::varchar from record"
    )
    while rows := asked.fetchmany(_STRUCTURES_AT_ONCE):
        for file, structure in rows:
            shape.add(json.loads(structure), file)
    return shape


def _columns(found: Sequence[Leaf], notes: list[str]) -> list[SampleColumn]:
    columns: list[SampleColumn] = []
    for leaf in found:
        if leaf.path is None:
            shown = ".".join(leaf.keys)
            notes.append(f"key {shown!r} cannot be written as a path: it is not loaded")
            continue
        fixed = {"json": "json", "mixed": "varchar", "nothing": None}.get(leaf.kind)
        columns.append(
            SampleColumn(
                place=f"c{len(columns)}",
                written="_".join(leaf.keys),
                files=frozenset(leaf.shape.files),
                path=leaf.path,
                traits=Traits(
                    families=_FAMILIES.get(leaf.kind, frozenset()), fixed=fixed
                ),
                note=leaf.note,
            )
        )
    return columns


def _extract(connection: Connection, found: Sequence[Leaf]) -> None:
    """Make the table: every leaf as text."""
    asked = ", ".join(
        f"record ->> {literal(leaf.pointer)} as c{i}" for i, leaf in enumerate(found)
    )
    connection.execute(f"create table {TABLE} as select _file, {asked} from record")


def _has_duplicates(connection: Connection) -> bool:
    sql = (
        "select count(*) from record "
        "where len(json_keys(record)) > len(list_distinct(json_keys(record)))"
    )
    return bool((connection.execute(sql).fetchone() or (0,))[0])
