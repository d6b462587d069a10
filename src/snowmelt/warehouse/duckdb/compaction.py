"""A warehouse written anew, without free space: compared first, and then swapped.

Nothing of the old file is touched until the new one was read back from the disk and
every table of it found equal. Then one rename puts it in its place. A process that is
killed on the way leaves the old file as it was, and an arriving one that the next owner
removes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from snowmelt.errors import EngineError, InUseError
from snowmelt.warehouse.duckdb import file_copy
from snowmelt.warehouse.duckdb.replaced import unowned
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION, compacting_path
from snowmelt.warehouse.sql import identifier, literal

_ROOM = 1.2
Digests = dict[str, tuple[Any, ...]]


@dataclass(frozen=True)
class Compacted:
    """What a compaction came to."""

    bytes_before: int
    bytes_after: int
    tables: int


def compact(path: Path, *, threads: int | None, memory_bytes: int) -> Compacted:
    """Write the file anew and put it in its place.

    Raises InUseError when another process has it, or had it meanwhile; EngineError
    when there is no room, or when the new file is not equal to the old one.
    """
    arriving = compacting_path(path)
    _remove(arriving)
    limits = {"threads": threads or os.cpu_count(), "memory_limit": f"{memory_bytes}B"}
    try:
        with _opened(path, limits) as source:
            source.execute("checkpoint")
            _require_room(source, path)
            _write(source, arriving)
            wanted = _digests(source, "main_file")
        before = _state(path)
        with _opened(arriving, limits) as copy:
            found = _digests(copy, "main_file")
        differing = sorted(
            name
            for name in wanted.keys() | found.keys()
            if wanted.get(name) != found.get(name)
        )
        if differing:
            raise EngineError(
                str(arriving), f"it is not what the warehouse holds: {differing[0]}"
            )
        return _swap(path, arriving, before, len(found))
    except duckdb.IOException as error:
        if "lock" not in str(error):
            raise EngineError(str(path), str(error).splitlines()[0]) from error
        raise InUseError(
            str(path), "another process owns the warehouse", "Stop it first."
        ) from None
    finally:
        _remove(arriving)


@contextmanager
def _opened(path: Path, limits: dict[str, Any]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a file, attached under a name that is the same for both."""
    config = limits | {
        "storage_compatibility_version": STORAGE_VERSION,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "temp_directory": str(path.with_name("tmp")),
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        connection.execute("set timezone = 'UTC'")
        connection.execute(f"attach {literal(str(path))} as main_file")
        connection.execute("use main_file")
        yield connection
    finally:
        connection.close()


def _require_room(source: duckdb.DuckDBPyConnection, path: Path) -> None:
    row = source.execute(
        "select block_size * used_blocks from pragma_database_size() "
        "where database_name = 'main_file'"
    ).fetchone()
    assert row is not None
    wanted, free = int(row[0] * _ROOM), shutil.disk_usage(path.parent).free
    if free < wanted:
        raise EngineError(
            str(path.parent),
            f"the disk has {free:,} bytes free, the new file may take {wanted:,}",
            "Make room, or let the space in the file be used again by new rows.",
        )


def _write(source: duckdb.DuckDBPyConnection, arriving: Path) -> None:
    """Copy all tables in the order of their rows, then views, macros and indexes."""
    source.execute(
        f"attach {literal(str(arriving))} as arriving "
        f"(storage_version {literal(STORAGE_VERSION)})"
    )
    source.execute("copy from database main_file to arriving")
    source.execute("checkpoint arriving")
    source.execute("detach arriving")
    arriving.chmod(0o600)
    with arriving.open("rb") as file:
        os.fsync(file.fileno())


def _digests(connection: duckdb.DuckDBPyConnection, database: str) -> Digests:
    """Return what each table holds, and what else the file is made of, by name."""
    found: Digests = {}
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() "
        "where database_name = $1 and not temporary order by all",
        [database],
    ).fetchall()
    for schema, table in tables:
        name = f"{identifier(database)}.{identifier(schema)}.{identifier(table)}"
        row = connection.execute(
            "select count(*), bit_xor(hash(each)), sum(hash(each)) "  # noqa: S608
            f"from {name} as each"
        ).fetchone()
        columns = connection.execute(f"describe {name}").fetchall()
        found[f"{schema}.{table}"] = (*(row or ()), tuple(columns))
    for kind, query in _OTHERS.items():
        rows = connection.execute(query, [database]).fetchall()
        found[kind] = tuple(sorted(map(repr, rows)))
    return found


_OTHERS = {
    "views": "select schema_name, view_name, sql from duckdb_views() "
    "where database_name = $1 and not internal",
    "indexes": "select schema_name, table_name, index_name, expressions "
    "from duckdb_indexes() where database_name = $1",
    "macros": "select schema_name, function_name, parameters, macro_definition "
    "from duckdb_functions() where database_name = $1 and not internal",
    "schemas": "select schema_name from duckdb_schemas() where database_name = $1",
}


def _state(path: Path) -> tuple[bytes, int]:
    with path.open("rb") as file:
        headers = file.read(file_copy.HEADERS_BYTES)
    return headers, path.stat().st_size


def _swap(
    path: Path, arriving: Path, before: tuple[bytes, int], tables: int
) -> Compacted:
    """Put the new file in the place of the old one, if nobody wrote that meanwhile."""
    with unowned(path):
        log = path.with_name(path.name + file_copy.LOG_SUFFIX)
        if _state(path) != before or log.exists():
            raise InUseError(
                str(path), "another process has written it meanwhile", "Try again."
            )
        arriving.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return Compacted(before[1], path.stat().st_size, tables)


def _remove(arriving: Path) -> None:
    for suffix in ("", file_copy.LOG_SUFFIX):
        with suppress(FileNotFoundError):
            arriving.with_name(arriving.name + suffix).unlink()
