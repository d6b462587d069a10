"""Which columns a file has, whatever its format, with a few of their values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.json_shape import tell_shape
from snowmelt.bronze.json_spool import JsonSpool
from snowmelt.bronze.records import BOM, find_records, split_record
from snowmelt.errors import ChangedError, EngineError, FileError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import FileColumn, compare
from snowmelt.pipe.file_format import CsvFormat, JsonFormat
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import identifier, literal

_CONTRACT_TYPES = {
    "boolean": "boolean",
    **dict.fromkeys(("tinyint", "smallint", "utinyint", "usmallint"), "integer"),
    "integer": "integer",
    **dict.fromkeys(("uinteger", "bigint"), "bigint"),
    "ubigint": "decimal(20,0)",
    **dict.fromkeys(("float", "double"), "double"),
    "date": "date",
    "time": "time",
}
SAMPLES_MAX = 3
SAMPLE_LENGTH_MAX = 80
_SAMPLED_BYTES = 1 << 18
_SAMPLED_RECORDS = 1000


@dataclass(frozen=True)
class Asked:
    """Of which file the columns are asked, by whom; `sampled`: with a few values."""

    session: Session
    inspection: Inspection
    pipe: Pipe
    spool: Path
    sampled: bool


def columns_of(asked: Asked) -> tuple[FileColumn, ...] | None:
    """Return a sound file's columns, or None where they cannot be told."""
    known = asked.inspection.file_format
    if isinstance(known, CsvFormat):
        return csv_columns(asked)
    if isinstance(known, JsonFormat):
        return json_columns(asked)
    return parquet_columns(asked)


def csv_columns(asked: Asked) -> tuple[FileColumn, ...]:
    """Return the columns that a CSV file's header names."""
    inspection = asked.inspection
    found: list[list[str]] = [[] for _ in inspection.header]
    if asked.sampled:
        for fields in _first_records(inspection):
            for values, field in zip(found, fields, strict=False):
                values.append(field)
    return tuple(
        FileColumn(name.strip(), samples=few(values))
        for name, values in zip(inspection.header, found, strict=True)
    )


def json_columns(asked: Asked) -> tuple[FileColumn, ...] | None:
    """Return the keys of a JSON file's records: the types of those nobody named.

    None: nothing is known, since there are none, or the engine cannot read them.
    """
    session, most = asked.session, asked.pipe.limits.max_record_bytes
    with closing(JsonSpool(session, asked.spool, most)) as spool:
        try:
            records = _json_records(asked, spool)
            columns = [FileColumn(key) for key in _keys(session, records)]
            found = {
                each.name: _json_column(session, records, each.name, asked.sampled)
                for each in compare(columns, asked.pipe.contract).new
            }
        except (FileError, ChangedError):  # its reader will say what is wrong
            return None
    return tuple(found.get(each.name, each) for each in columns) or None


def _keys(session: Session, records: str) -> list[str]:
    """Return all keys of a file's records, as the first records have them first."""
    listed = f"select unnest(json_keys(json)) as key from {records}"
    objects = "where json_type(json) = 'OBJECT'"
    first = _ask(session, f"{listed} {objects} limit {_SAMPLED_RECORDS}")
    every = _ask(session, f"select distinct key from ({listed} {objects}) order by all")
    return list(dict.fromkeys(key for (key,) in (*first, *every)))


def _ask(session: Session, sql: str) -> list[Row]:
    """Ask the engine of a file. Raises FileError when it cannot read it."""
    try:
        return session.rows(sql)
    except EngineError:
        raise
    except Exception as error:  # the driver's; which one depends on the backend
        raise FileError("", str(error)) from error


def _json_column(session: Session, records: str, key: str, sampled: bool) -> FileColumn:
    """Return a key as a column: json if any of its values is nested."""
    pointer = literal(json_pointer(key))
    chosen = f"json_extract(json, {pointer})"
    nested = _ask(
        session,
        f"select 1 from {records} "
        f"where json_type({chosen}) in ('OBJECT', 'ARRAY') limit 1",
    )
    values = []
    if sampled:
        values = _ask(
            session,
            f"select json_extract_string(json, {pointer}) from {records} "
            f"where json_type({chosen}) <> 'NULL' limit {_SAMPLED_RECORDS}",
        )
    return FileColumn(
        key, "json" if nested else "varchar", few(text for (text,) in values)
    )


def json_pointer(key: str) -> str:
    """Write where a key is in a record, whatever marks are in it (RFC 6901)."""
    return "/" + key.replace("~", "~0").replace("/", "~1")


def _json_records(asked: Asked, spool: JsonSpool) -> str:
    """Return what selects a file's records, each as `json`."""
    known, content = asked.inspection.file_format, asked.inspection.plain
    assert isinstance(known, JsonFormat), "the file is no JSON"
    with content.path.open("rb") as file:
        first = file.read(_SAMPLED_BYTES)
    whole = len(first) == content.state.size
    shape = tell_shape(first, whole, known, asked.pipe.contract)
    path = spool.source(asked.inspection, shape).path
    most = max(asked.pipe.limits.max_record_bytes, 1 << 24)
    return (
        f"read_json_objects([{literal(str(path))}], format = 'newline_delimited', "
        "ignore_errors = true, hive_partitioning = false, "
        f"compression = 'uncompressed', maximum_object_size = {most})"
    )


def parquet_columns(asked: Asked) -> tuple[FileColumn, ...] | None:
    """Return a Parquet file's columns, or None if the engine cannot read it."""
    session = asked.session
    source = (
        f"read_parquet([{literal(plain_glob(asked.inspection.plain.path))}], "
        "hive_partitioning = false)"
    )
    try:
        columns = [
            FileColumn(name, contract_type(type_name))
            for name, type_name, *_ in _ask(session, f"describe select * from {source}")
        ]
        if not asked.sampled:
            return tuple(columns)
        different = compare(columns, asked.pipe.contract)
        names = {each.name for each in different.new}
        names |= {each.name for each in different.retyped}
        return tuple(
            replace(each, samples=_parquet_samples(session, source, each.name))
            if {each.name, each.name.lower()} & names
            else each
            for each in columns
        )
    except FileError:  # the file's reader will say what is wrong with it
        return None


def _parquet_samples(session: Session, source: str, name: str) -> tuple[str, ...]:
    column = identifier(name)
    rows = _ask(
        session,
        f"select {column}::varchar from {source} where {column} is not null "
        f"limit {_SAMPLED_RECORDS}",
    )
    return few(text for (text,) in rows)


def contract_type(type_name: str) -> str:
    """Return the contract's word for one of the engine's types; all of it fits."""
    name = type_name.lower()
    if name.startswith("decimal("):
        return name.replace(" ", "")
    if name.endswith("]") or name.startswith(("struct", "map", "union", "json")):
        return "json"
    if name.startswith("timestamp"):
        return "timestamptz" if name.endswith("time zone") else "timestamp"
    return _CONTRACT_TYPES.get(name, "varchar")


def plain_glob(path: Path) -> str:
    """Write a path so that the engine, to which paths are globs, takes it literally."""
    return re.sub(r"([*?[])", r"[\1]", str(path))


def few(values: Iterable[str]) -> tuple[str, ...]:
    """Return a few different values, each cut to a length that can be shown."""
    cut = (
        value if len(value) <= SAMPLE_LENGTH_MAX else value[:SAMPLE_LENGTH_MAX] + "…"
        for value in values
        if value
    )
    return tuple(islice(dict.fromkeys(cut), SAMPLES_MAX))


def values_of(inspection: Inspection, raws: Sequence[bytes], name: str) -> list[str]:
    """Return what these raw records hold in one column, where they hold anything."""
    texts = (_value_of(inspection, raw, name) for raw in raws[:_SAMPLED_RECORDS])
    return [text for text in texts if text]


def _value_of(inspection: Inspection, raw: bytes, name: str) -> str | None:
    if isinstance(inspection.file_format, CsvFormat):
        names = [each.strip().lower() for each in inspection.header]
        fields = _split(raw, inspection.file_format)
        there = name in names and names.index(name) < len(fields)
        return fields[names.index(name)] if there else None
    try:
        record = json.loads(raw)
    except ValueError:
        return None
    value = record.get(name) if isinstance(record, dict) else None
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _first_records(inspection: Inspection) -> Iterator[tuple[str, ...]]:
    """Yield the fields of a CSV file's first records, the header left out."""
    with inspection.plain.path.open("rb") as file:
        first = file.read(_SAMPLED_BYTES)
    whole = len(first) < _SAMPLED_BYTES
    start = len(BOM) if first.startswith(BOM) else 0
    spans = find_records(first, inspection.csv, start)
    for span in islice(spans, 1, _SAMPLED_RECORDS):
        if whole or span.after < len(first):
            yield _split(first[span.start : span.end], inspection.csv)


def _split(raw: bytes, csv: CsvFormat) -> tuple[str, ...]:
    try:
        return split_record(raw.decode(errors="replace"), csv)
    except FileError:
        return ()
