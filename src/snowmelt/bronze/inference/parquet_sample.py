"""Parquet samples into the table: their columns have types of their own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from snowmelt.bronze.inference.column_type import Traits
from snowmelt.bronze.inference.names import path_of
from snowmelt.bronze.inference.sample import (
    TABLE,
    Sample,
    SampleColumn,
    require_columns,
)
from snowmelt.bronze.inference.sample_files import SampleFile
from snowmelt.errors import UsageError
from snowmelt.warehouse.duckdb.scratch import Connection
from snowmelt.warehouse.sql import literal

_TYPES = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "UTINYINT", "USMALLINT"), "integer"),
    "INTEGER": "integer",
    **dict.fromkeys(("UINTEGER", "BIGINT"), "bigint"),
    "UBIGINT": "decimal(20,0)",
    **dict.fromkeys(("FLOAT", "DOUBLE"), "double"),
    **dict.fromkeys(("VARCHAR", "UUID"), "varchar"),
    "BOOLEAN": "boolean",
    "DATE": "date",
    "TIME": "time",
    **dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS"), "timestamp"),
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "JSON": "json",
}
_WIDER = ("integer", "bigint", "decimal(20,0)")
_NESTED = re.compile(r"STRUCT|MAP|UNION|.*\[\d*\]$", re.DOTALL)


def read_parquet_samples(connection: Connection, files: Sequence[SampleFile]) -> Sample:
    """Read the samples into the table. Raises UsageError for what is no Parquet."""
    described = [_describe(connection, file) for file in files]
    columns, notes = _columns(files, described)
    require_columns(files[0].path, len(columns))
    places = ", ".join(
        f"{column.place} {_kept_as(column.traits.fixed)}" for column in columns
    )
    connection.execute(f"create table {TABLE} (_file usmallint, {places})")
    records = [
        _read(connection, file, number, columns) for number, file in enumerate(files)
    ]
    if not sum(records):
        raise UsageError(
            str(files[0].path), "there is no record in it", "Give a file with records."
        )
    return Sample(
        kind="parquet",
        paths=tuple(each.path for each in files),
        records=records,
        columns=columns,
        file_format={"type": "parquet"},
        notes=notes,
    )


def _describe(connection: Connection, file: SampleFile) -> dict[str, str]:
    """Return the columns of a file and the engine's names of their types."""
    try:
        rows = connection.execute(
            f"describe select * from read_parquet({literal(str(file.plain))}, "
            "hive_partitioning = false)"
        ).fetchall()
    except Exception as error:  # the driver's: what it cannot read as Parquet
        problem = str(error).splitlines()[0].replace(str(file.plain), str(file.path))
        raise UsageError(str(file.path), f"it is not Parquet: {problem}") from error
    return {row[0]: row[1] for row in rows}


def _columns(
    files: Sequence[SampleFile], described: Sequence[dict[str, str]]
) -> tuple[list[SampleColumn], list[str]]:
    seen: dict[str, tuple[str, dict[int, str]]] = {}
    for number, each in enumerate(described):
        names = [name.strip().lower() for name in each]
        if len(set(names)) < len(names):
            raise UsageError(
                str(files[number].path), "two of its columns differ in case alone"
            )
        for name, kind in each.items():
            seen.setdefault(name.strip().lower(), (name, {}))[1][number] = kind
    columns: list[SampleColumn] = []
    notes: list[str] = []
    for written, kinds in seen.values():
        if path_of([written]) is None:
            notes.append(f"no column can stand for the name {written!r}: not loaded")
            continue
        type_name, note = _type(list(kinds.values()))
        columns.append(
            SampleColumn(
                place=f"c{len(columns)}",
                written=written,
                files=frozenset(kinds),
                traits=Traits(fixed=type_name),
                note=note,
            )
        )
    return columns, notes


def _type(engine_types: Sequence[str]) -> tuple[str, str]:
    """Return the type for a column that has these in the samples, and a doubt."""
    types = list(dict.fromkeys(_type_of(each) for each in engine_types))
    if len(types) == 1:
        lossy = engine_types[0] in ("TIMESTAMP_NS", "HUGEINT", "UHUGEINT", "BLOB")
        return types[0], f"{engine_types[0]} in the file" if lossy else ""
    shown = ", ".join(types)
    if set(types) <= set(_WIDER):
        return max(types, key=_WIDER.index), f"{shown} in different files"
    if set(types) <= {*_WIDER[:1], "double"}:
        return "double", f"{shown} in different files"
    return "varchar", f"{shown} in different files; kept as text"


def _type_of(engine_type: str) -> str:
    decimal = re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", engine_type)
    if decimal:
        return f"decimal({decimal[1]},{decimal[2]})"
    if _NESTED.match(engine_type):
        return "json"
    if engine_type in ("HUGEINT", "UHUGEINT"):
        return "decimal(38,0)"
    if engine_type == "TIMESTAMP_NS":
        return "timestamp"
    return _TYPES.get(engine_type, "varchar")


def _kept_as(type_name: str | None) -> str:
    """Return the type in the scratch table: only nulls and keys are looked at."""
    return "varchar" if type_name in (None, "json") else str(type_name)


def _read(
    connection: Connection, file: SampleFile, number: int, columns: list[SampleColumn]
) -> int:
    present = [column for column in columns if number in column.files]
    places = ", ".join(column.place for column in present)
    taken = ", ".join(_expression(column) for column in present)
    try:
        connection.execute(
            f"insert into {TABLE} (_file, {places}) select {number}, {taken} "
            f"from read_parquet({literal(str(file.plain))}, hive_partitioning = false)"
        )
    except Exception as error:  # the driver's: a file that breaks off, or is damaged
        problem = str(error).splitlines()[0].replace(str(file.plain), str(file.path))
        raise UsageError(str(file.path), f"it cannot be read: {problem}") from error
    sql = f"select count(*) from {TABLE} where _file = {number}"
    (records,) = connection.execute(sql).fetchone() or (0,)
    return int(records)


def _expression(column: SampleColumn) -> str:
    name = '"' + str(column.written).replace('"', '""') + '"'
    return f"{name}::varchar" if column.traits.fixed in ("json", "varchar") else name
