"""Parquet files into temporary tables: columns by name, each value checked.

A file is read by one statement of its own. What its columns' types say is taken as it
is; a value that is none of the contract's type refuses its record, which is kept as
one JSON object. Such a record has no line: its ordinal stands for it, and its byte
offset is 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from snowmelt.bronze.columns import plain_glob
from snowmelt.bronze.fileread import PLACE, FileRead
from snowmelt.bronze.inspection import Inspection
from snowmelt.bronze.parquet_statement import FileColumn, ParquetStatement
from snowmelt.bronze.raw import Reject, RejectError
from snowmelt.bronze.rules import Rule, invalid_value, required_value
from snowmelt.errors import ChangedError, EngineError, FileError
from snowmelt.pipe.definition import Pipe
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import literal

_MAGIC, _MAGIC_ENCRYPTED = b"PAR1", b"PARE"
_DIGITS_MAX = 38
_VIEWED_BYTES = 1 << 24
_NUMBER = "file_row_number"
"""What the engine calls a record's number: it cannot be told of a file with such."""
_GROUP_ROWS = 122_880
"""How many rows the engine puts into a group of a table."""


class ParquetReader:
    """Reads a batch of one pipe's files on one session."""

    def __init__(self, session: Session, pipe: Pipe, *, by_views: bool) -> None:
        """Nothing is put aside: a Parquet file is read where it lies.

        `by_views`: of a large one only the columns that have to be checked are read,
        the others when its rows are appended.
        """
        self._by_views = by_views
        self._session = session
        self._pipe = pipe
        self._numbers = count(1)

    def read(self, inspections: Sequence[Inspection]) -> list[FileRead]:
        """Read all files; the result is in the order given."""
        reads = [FileRead(each, problem=each.problem) for each in inspections]
        for read in reads:
            if read.problem:
                continue
            try:
                self._read_file(read)
            except ChangedError:
                read.changed = True
            except FileError as error:
                read.problem = error.problem
        return reads

    def close(self) -> None:
        """Nothing was put aside."""

    def _read_file(self, read: FileRead) -> None:
        """Read one file.

        Raises FileError when nothing of it can be loaded, ChangedError when it is not
        the file that was staged any more.
        """
        content = read.inspection.plain
        with content.opened() as file:
            _require_magic(file.read(0, 4), content.state.size)
            tail = file.read(content.state.size - 4, 4)
            _require_end(tail)
            self._read_table(read, literal(plain_glob(content.path)))
            file.require_same()

    def _read_table(self, read: FileRead, path: str) -> None:
        numbered = f"read_parquet([{path}], hive_partitioning = false"
        source, numbered = f"{numbered})", f"{numbered}, file_row_number = true)"
        statement = ParquetStatement(self._pipe.contract, self._columns(path, source))
        statement.require_columns()
        read.table = f"copy_parquet_{next(self._numbers)}"
        size = read.inspection.plain.state.size
        numbered_by_file = any(each.name == _NUMBER for each in statement.columns)
        if self._pipe.external:
            known = source if numbered_by_file else numbered
            read.query = statement.query(
                known.replace(path, literal(PLACE)), numbered=not numbered_by_file
            )
        read.is_view = self._by_views and size >= _VIEWED_BYTES and not numbered_by_file
        if read.is_view:
            self._ask(statement.view_sql(numbered, read.table))
        else:
            self._ask(statement.sql(source, read.table))
        (rows,) = self._ask(f"select count(*) from {read.table}")[0]
        (told,) = self._ask(f"select num_rows from parquet_file_metadata({path})")[0]
        if rows != told:
            raise FileError("", f"the footer says {told} records, {rows} were read")
        read.row_span = rows
        read.in_odd_groups = rows > _GROUP_ROWS and self._has_odd_groups(path)
        self._refuse(read, statement, numbered)

    def _has_odd_groups(self, path: str) -> bool:
        """Are there row groups, the last one aside, that fill none of the engine's?"""
        sizes = self._ask(
            "select row_group_num_rows from parquet_metadata("
            f"{path}) where column_id = 0 order by row_group_id"
        )
        return any(rows % _GROUP_ROWS for (rows,) in sizes[:-1])

    def _columns(self, path: str, source: str) -> tuple[FileColumn, ...]:
        """Return the file's columns under their own names."""
        schema = self._ask(
            f"select name, coalesce(num_children, 0), precision "
            f"from parquet_schema({path})"
        )
        for name, _, digits in schema:
            if digits and digits > _DIGITS_MAX:
                raise FileError(
                    "",
                    f"column '{name}' has decimals of {digits} digits: "
                    f"{_DIGITS_MAX} are the most that can be kept",
                )
        names = _outermost(schema)
        described = self._ask(f"describe select * from {source}")
        lower = [name.lower() for name in names]
        wanted = {column.name for column in self._pipe.contract.columns}
        twice = next((n for n in lower if lower.count(n) > 1 and n in wanted), None)
        if twice:
            raise FileError("", f"column '{twice}' is in the file twice")
        return tuple(FileColumn(name, kind) for name, kind, *_ in described)

    def _refuse(self, read: FileRead, statement: ParquetStatement, source: str) -> None:
        """Refuse the records that break the contract."""
        rules = _broken_rules(statement)
        if not rules:
            return
        errors = {
            rowid: tuple(
                rule.error(value)
                for rule, value in zip(rules, found, strict=True)
                if value is not None
            )
            for rowid, *found in self._ask(
                f"select rowid, {', '.join(rule.found for rule in rules)} "
                f"from {read.table} "
                f"where {' or '.join(rule.condition for rule in rules)} order by rowid"
            )
        }
        if errors:
            read.rejects = self._rejects(read, statement, source, errors)
            read.refused_rowids = sorted(errors)

    def _rejects(
        self,
        read: FileRead,
        statement: ParquetStatement,
        source: str,
        errors: Mapping[int, tuple[RejectError, ...]],
    ) -> list[Reject]:
        """Read refused records again, each as one JSON object."""
        numbers = f"{read.table}_numbers"
        self._session.execute(f"create temp table {numbers} (number bigint)")
        self._session.insert(numbers, {"number": list(errors)})
        rows = self._ask(statement.records_sql(source, numbers))
        if [number for number, _ in rows] != sorted(errors):
            raise FileError("", "refused records were not found again")
        return [
            Reject(number + 1, number + 1, 0, errors[number], text.encode())
            for number, text in rows
        ]

    def _ask(self, sql: str) -> list[Row]:
        """Ask the engine of a file. Raises FileError when it cannot read it."""
        try:
            return self._session.rows(sql)
        except EngineError:
            raise
        except Exception as error:  # the driver's; which one depends on the backend
            raise FileError("", _explain(str(error))) from error


def _require_magic(first: bytes, size: int) -> None:
    """Raise FileError for what is no Parquet file by its first bytes."""
    if size == 0:
        raise FileError("", "the file is empty")
    if first == _MAGIC_ENCRYPTED:
        raise FileError("", "the Parquet file is encrypted")
    if first != _MAGIC:
        raise FileError("", "the file is not Parquet")


def _require_end(tail: bytes) -> None:
    """Raise FileError for a file that does not end as Parquet does."""
    if tail != _MAGIC:
        raise FileError("", "the Parquet file is cut short: its footer is missing")


def _outermost(schema: Sequence[Row]) -> list[str]:
    """Return the names of a schema's outermost columns; it is listed depth first."""
    names = []
    inside = 0
    for name, children, _ in schema[1:]:
        if inside == 0:
            names.append(name)
        else:
            inside -= 1
        inside += children
    return names


def _broken_rules(statement: ParquetStatement) -> list[Rule]:
    rules = [invalid_value(column.name, column.type) for column in statement.checked]
    return rules + [
        required_value(column.name)
        for column in statement.contract.columns
        if not column.nullable
    ]


def _explain(message: str) -> str:
    """Say in a person's words what the engine said of a file."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    first = lines[0] if lines else "it cannot be read"
    if "file_row_number option" in message:
        return f"some records are refused, and '{_NUMBER}' is a column of the file"
    if "TProtocolException" in first or "Footer" in first or "ncrypt" in first:
        return "its footer is broken, or the Parquet file is encrypted"
    return f"the Parquet file is broken: {first}"
