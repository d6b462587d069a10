"""One DuckDB file, owned by one process and locked down.

Before the first statement of anybody else the instance is told which folders it
may touch, then external access is switched off and the settings are locked: SQL
from a model or a query cannot read the rest of the disk or load an extension.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard, cast

import duckdb

from snowmelt.errors import InUseError, UsageError
from snowmelt.warehouse.duckdb.arrow import arrow_chunks
from snowmelt.warehouse.duckdb.file_copy import LOG_SUFFIX
from snowmelt.warehouse.duckdb.shortage import require_no_shortage, unopened
from snowmelt.warehouse.port import Row, Table
from snowmelt.warehouse.sql import literal

STORAGE_VERSION = "v1.5.0"
_SPILLED = "duckdb_temp_*"
_MERGED_AT_ONCE = 1
"""A checkpoint writes no more row groups anew than one merges: commits wait for it."""
_ROWS_WRITTEN_MAX = 8
_BYTES_WRITTEN_MAX = 1 << 16


@dataclass(frozen=True)
class Limits:
    """How much of the machine the engine may use; None leaves its defaults."""

    threads: int | None = None
    memory_bytes: int | None = None


class DuckDBSession:
    """A connection of its own to the shared instance."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, number: int) -> None:
        self._connection = connection
        self.number = number

    def _ask(self, sql: str, parameters: Sequence[object]) -> duckdb.DuckDBPyConnection:
        given = [
            _encode(each) if isinstance(each, list) else each for each in parameters
        ]
        try:
            return self._connection.execute(sql, given or None)
        except duckdb.Error as error:
            require_no_shortage(error)
            raise

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self._ask(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self._ask(sql, parameters).fetchall()

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        row = self._ask(sql, parameters).fetchone()
        return row[0] if row else None

    def table(
        self, sql: str, parameters: Sequence[object] = (), limit: int | None = None
    ) -> Table:
        cursor = self._ask(sql, parameters)
        rows = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
        described = cursor.description or []
        return Table(
            columns=[column[0] for column in described],
            types=[str(column[1]) for column in described],
            rows=rows,
        )

    def batches(self, sql: str, size: int) -> tuple[list[str], Iterator[list[Row]]]:
        columns, _, batches = self.described(sql, size)
        return columns, batches

    def described(
        self, sql: str, size: int
    ) -> tuple[list[str], list[str], Iterator[list[Row]]]:
        cursor = self._ask(sql, ())
        described = cursor.description or []
        columns = [column[0] for column in described]
        types = [str(column[1]) for column in described]
        return columns, types, iter(partial(cursor.fetchmany, size), [])

    def arrow(self, sql: str, size: int) -> Iterator[bytes]:
        return arrow_chunks(self._ask(sql, ()), size)

    def insert(self, table: str, columns: dict[str, Sequence[object]]) -> None:
        names = list(columns)
        rows = list(zip(*columns.values(), strict=True))
        if not rows:
            return
        written = _write_rows(rows) if len(rows) <= _ROWS_WRITTEN_MAX else ""
        if written:
            self._ask(
                f"insert into {table} ({', '.join(names)}) values {written}",  # noqa: S608
                (),
            )
            return
        raw = {i for row in rows for i, value in enumerate(row) if _is_raw(value)}
        values = ", ".join(
            f"from_base64(row ->> {i})" if i in raw else f"row ->> {i}"
            for i in range(len(names))
        )
        self._ask(
            f"insert into {table} ({', '.join(names)}) select {values} "  # noqa: S608
            "from (select unnest($1::json::json[]) as row)",
            [_encode(rows)],
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._ask("begin transaction", ())
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self._ask("commit", ())

    @contextmanager
    def rolled_back(self) -> Iterator[None]:
        self._ask("begin transaction", ())
        try:
            yield
        finally:
            self.rollback()

    def rollback(self) -> None:
        """Undo the open transaction; none being open is as good."""
        try:
            self._connection.execute("rollback")
        except duckdb.TransactionException:
            return

    def interrupt(self) -> None:
        self._connection.interrupt()

    def close(self) -> None:
        self._connection.close()


class DuckDBWarehouse:
    """The embedded warehouse. See `snowmelt.warehouse.port.Warehouse`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path
        self.commit_lock = threading.RLock()
        self._numbers: set[int] = set()
        self._numbering = threading.Lock()

    @contextmanager
    def session(self) -> Iterator[DuckDBSession]:
        with self._numbering:
            number = next(each for each in count(1) if each not in self._numbers)
            self._numbers.add(number)
        session = DuckDBSession(self._connection.cursor(), number)
        try:
            yield session
        finally:
            session.close()
            with self._numbering:
                self._numbers.remove(number)

    @contextmanager
    def snapshot(self) -> Iterator[DuckDBSession]:
        with self.session() as session:
            session.execute("begin transaction read only")
            try:
                yield session
            finally:
                session.rollback()

    def require_query(self, sql: str) -> None:
        """Raise UsageError unless `sql` is exactly one SELECT.

        A read-only transaction alone is no guard: `commit; create table …` leaves
        it, and COPY TO is allowed in it.
        """
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise UsageError("sql", str(error).strip()) from None
        kinds = [statement.type for statement in statements]
        if kinds != [duckdb.StatementType.SELECT]:
            raise UsageError(
                "sql",
                "only one query at a time can be asked, and nothing that writes",
                "Write one SELECT, WITH, FROM, SHOW or DESCRIBE.",
            )

    def require_no_transaction(self, sql: str) -> None:
        """Raise UsageError for statements that begin or end a transaction."""
        try:
            statements = self._connection.extract_statements(sql)
        except duckdb.Error as error:
            raise UsageError("sql", str(error).strip()) from None
        if not statements:
            raise UsageError("sql", "there is no statement")
        if duckdb.StatementType.TRANSACTION in {each.type for each in statements}:
            raise UsageError(
                "sql", "begin, commit and rollback are not for a file of statements"
            )

    def spilled_bytes(self) -> int:
        """Return how much the engine has on disk for want of memory at the moment."""
        spilled = 0
        for file in _spill(self.path).glob(_SPILLED):
            with suppress(FileNotFoundError):
                spilled += file.stat().st_size
        return spilled

    def log_bytes(self) -> int:
        """Return how long the log of commits beside the file is."""
        with suppress(FileNotFoundError):
            return self.path.with_name(self.path.name + LOG_SUFFIX).stat().st_size
        return 0

    def checkpoint(self) -> bool:
        """Take the log into the file; False while others write."""
        with self.session() as session:
            try:
                session.execute("checkpoint")
            except duckdb.TransactionException:
                return False
        return True

    def close(self) -> None:
        self._connection.close()


def open_warehouse(
    path: Path, *, folders: Sequence[Path], limits: Limits
) -> DuckDBWarehouse:
    """Open (or make) the file and lock the instance down.

    `folders` are the only places its SQL can read or write afterwards.

    Raises InUseError naming the process that holds the file, UnreachableError saying
    why the file cannot be opened.
    """
    _spare_searches()
    connection = _connect(path)
    compacting_path(path).unlink(missing_ok=True)
    for left_over in _spill(path).glob(_SPILLED):  # of a process that was killed
        left_over.unlink()
    _take_in_log(connection, path)
    for setting in _settings(path, folders, limits):
        connection.execute(setting)
    return DuckDBWarehouse(connection, path)


def _spare_searches() -> None:
    """Say that pandas is not installed, if so, once and for all.

    The driver looks for it at each parameter of a statement: 0.1 ms each time.
    """
    if "pandas" not in sys.modules and find_spec("pandas") is None:
        sys.modules["pandas"] = cast("ModuleType", None)


def _take_in_log(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write into the file what a killed process left in the log beside it.

    The engine must not do that by itself as it closes the file: rows that nobody
    looked up until then would be missing in its indexes, and never be found again
    (https://github.com/duckdb/duckdb/pull/25771). A statement does it right.
    """
    connection.execute("pragma disable_checkpoint_on_shutdown")
    try:
        connection.execute("checkpoint")
    except duckdb.Error as error:
        connection.close()
        raise unopened(str(path), error) from None
    connection.execute("pragma enable_checkpoint_on_shutdown")


def compacting_path(path: Path) -> Path:
    """Return where a warehouse is written anew, beside it."""
    return path.with_name(f".{path.name}.compacting")


def _spill(path: Path) -> Path:
    """Return the folder for what does not fit in memory."""
    return path.with_name("tmp")


def _settings(path: Path, folders: Sequence[Path], limits: Limits) -> list[str]:
    spill = _spill(path)
    allowed = ", ".join(literal(str(folder)) for folder in [*folders, spill])
    settings = ["set timezone = 'UTC'", "set global timezone = 'UTC'"]
    if limits.threads is not None:
        settings.append(f"set threads = {limits.threads:d}")
    if limits.memory_bytes is not None:
        settings.append(f"set memory_limit = '{limits.memory_bytes:d}B'")
    return [
        *settings,
        "set python_enable_replacements = false",  # a name in SQL is no variable
        f"set max_vacuum_tasks = {_MERGED_AT_ONCE}",
        f"set temp_directory = {literal(str(spill))}",
        "set autoinstall_known_extensions = false",
        "set autoload_known_extensions = false",
        f"set allowed_directories = [{allowed}]",
        "set enable_external_access = false",
        "set lock_configuration = true",
    ]


def _encode(values: Sequence[object]) -> str:
    """Write a list as JSON: the driver takes 30 times as long to bind one.

    For each value of a list it looks for pandas, which is not here.
    """
    return json.dumps(values, ensure_ascii=False, default=_encode_value)


def _write_rows(rows: Sequence[Sequence[object]]) -> str:
    """Write a few rows as literals, which take half the time of parameters.

    Empty if that cannot be done: a text with a NUL ends a statement.
    """
    try:
        written = ", ".join(
            "(" + ", ".join(_write_literal(value) for value in row) + ")"
            for row in rows
        )
    except TypeError:
        return ""
    return "" if "\0" in written or len(written) > _BYTES_WRITTEN_MAX else written


def _write_literal(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, str):
        return literal(str.__str__(value))
    if _is_raw(value):
        return f"from_base64({literal(_encode_value(value))})"
    return literal(_encode_value(value))


def _is_raw(value: object) -> TypeGuard[bytes]:
    return isinstance(value, bytes)


def _encode_value(value: object) -> str:
    if _is_raw(value):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"no way to write {type(value).__name__}")


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(
            str(path), config={"storage_compatibility_version": STORAGE_VERSION}
        )
    except duckdb.Error as error:
        holder = re.search(r"lock is held in (.+?\(PID (\d+)\))", str(error))
        if holder is None:
            raise unopened(str(path), error) from None
        raise InUseError(
            str(path),
            f"the warehouse is in use by {holder[1]}",
            "Wait for it to end, or stop it.",
            int(holder[2]),
        ) from None
