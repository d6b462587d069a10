"""How the columns of a Parquet file become those of a contract."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.bronze.conversion import decimal
from snowmelt.bronze.json_path import as_sql, steps_of
from snowmelt.bronze.rescue import rescued_values
from snowmelt.errors import FileError
from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.evolved import RESCUED
from snowmelt.warehouse.sql import identifier, literal

BAD = "_bad_"
"""The name, with a column's name, of a value that is none of its type, as text."""
_NESTED = re.compile(r".*\]$|(?:STRUCT|MAP|UNION)\(.*", re.DOTALL)
_WHOLE = re.compile(r"U?(?:TINYINT|SMALLINT|INTEGER|BIGINT|HUGEINT)")
_CLOCK = re.compile(r"DATE|TIMESTAMP.*")
_REAL = ("FLOAT", "DOUBLE")
_OF_CLOCK = ("date", "timestamp", "timestamptz")


@dataclass(frozen=True)
class FileColumn:
    """A column of a file: its name, and its type as the engine has it."""

    name: str
    type: str


@dataclass(frozen=True)
class ParquetStatement:
    """How files with these columns are read."""

    contract: Contract
    columns: tuple[FileColumn, ...]

    def sql(self, source: str, table: str) -> str:
        """Return the statement that reads a file into `table`."""
        chosen = [part for column in self.contract.columns for part in self._of(column)]
        return (
            f"create temp table {table} as "
            f"select {', '.join(chosen)}, 0 as _file_index from {source}"
        )

    def view_sql(self, source: str, table: str) -> str:
        """Return the statement that makes `table` a view of a file; see `sql`."""
        chosen = [part for column in self.contract.columns for part in self._of(column)]
        return (
            f"create temp view {table} as select {', '.join(chosen)}, "
            f"0 as _file_index, file_row_number as rowid from {source}"
        )

    def query(self, source: str, *, numbered: bool) -> str:
        """Return the query of a file's rows; `numbered`: the source has ordinals."""
        chosen = [self._of(column)[0] for column in self.contract.columns]
        ordinal = "file_row_number + 1" if numbered else "row_number() over ()"
        return f"select {', '.join(chosen)}, {ordinal} as _file_row from {source}"

    def records_sql(self, source: str, table: str) -> str:
        """Return a query: records, by their number from 0 in `table`, as JSON."""
        parts = ", ".join(
            f"{literal(each.name)}: {_in_json(each)}" for each in self.columns
        )
        return (
            f"select file_row_number, to_json({{{parts}}})::varchar from {source} "
            f"where file_row_number in (select number from {table}) "
            "order by file_row_number"
        )

    @property
    def checked(self) -> list[Column]:
        """Return the columns that may hold values which are none of their type."""
        return [c for c in self.contract.columns if len(self._of(c)) > 1]

    def require_columns(self) -> None:
        """Raise FileError when a column is missing that is not optional."""
        if not any(self._find(column) for column in self.contract.columns):
            names = ", ".join(each.name for each in self.columns)
            raise FileError(
                "", f"the file has none of the contract's columns: it has {names!r}"
            )
        missing = [
            f"'{column.name}'"
            for column in self.contract.columns
            if not column.optional and not self._find(column)
        ]
        if missing:
            many = len(missing) > 1
            raise FileError(
                "",
                f"required column{'s' if many else ''} {', '.join(missing)} "
                f"{'are' if many else 'is'} not in the file",
            )

    def _find(self, column: Column) -> FileColumn | None:
        """Return the file's column: by its exact name, else in another case."""
        wanted = str(steps_of(column)[0])
        for each in self.columns:
            if each.name == wanted:
                return each
        like = [each for each in self.columns if each.name.lower() == wanted.lower()]
        if len(like) > 1:
            raise FileError("", f"column '{wanted}' is in the file twice")
        return like[0] if like else None

    def _of(self, column: Column) -> Sequence[str]:
        """Return what is selected for a column."""
        name = identifier(column.name)
        if column.name == RESCUED:
            return [f"{self._rescued()} as {name}"]
        found = self._find(column)
        if found is None:
            return [f"null::{column.type} as {name}"]
        given, kind = identifier(found.name), found.type
        rest = steps_of(column)[1:]
        if rest:
            given, kind = _inside(given, rest, column.type), "VARCHAR"
        if column.type != "json" and _same(kind, column.type):
            return [f"{given} as {name}"]
        value = _value(given, kind, column.type)
        if column.type == "json" and kind not in ("VARCHAR", "BLOB"):
            return [f"{value} as {name}"]
        bad = f"case when {value} is null then {_text(given, kind)} end"
        return [f"{value} as {name}", f"{bad} as {identifier(BAD + column.name)}"]

    def _rescued(self) -> str:
        """Return the columns that nobody named, as one JSON object."""
        found = [self._find(c) for c in self.contract.columns if c.name != RESCUED]
        named = {each.name for each in found if each}
        return rescued_values(
            {
                each.name: _in_json(each)
                for each in self.columns
                if each.name not in named
            }
        )


def _same(kind: str, type_name: str) -> bool:
    """Does the engine read a column as the contract wants it?"""
    if kind == "TIMESTAMP WITH TIME ZONE":
        return type_name == "timestamptz"
    return kind.lower().replace(" ", "") == type_name


def _inside(given: str, rest: Sequence[str | int], type_name: str) -> str:
    """Return what is inside a nested value, as text."""
    path = as_sql(tuple(rest))
    if type_name == "json":
        return f"nullif(json_extract(to_json({given}), {path})::varchar, 'null')"
    return f"json_extract_string(to_json({given}), {path})"


def _value(given: str, kind: str, type_name: str) -> str:
    """Return a value in the contract's type; NULL if it is none."""
    text = _text(given, kind)
    if type_name == "json":
        if kind in ("VARCHAR", "BLOB"):
            return f"(case when json_valid({text}) then {text}::json end)"
        return f"to_json({given})::json"
    if type_name == "varchar":
        return f"try(decode({given}))" if kind == "BLOB" else text
    if kind in _REAL and type_name in ("integer", "bigint"):
        return f"try_cast(round({given}) as {type_name})"
    numbers = _WHOLE.fullmatch(kind) or kind == "BOOLEAN" or kind.startswith("DECIMAL")
    if numbers or (_CLOCK.fullmatch(kind) and type_name in _OF_CLOCK):
        return f"try_cast({given} as {type_name})"
    if kind in _REAL and type_name == "double":
        return f"try_cast({given} as double)"
    if type_name.startswith("decimal"):
        return decimal(text, type_name)
    return f"try_cast({text} as {type_name})"


def _text(given: str, kind: str) -> str:
    """Return a value as text: bytes as UTF-8, what is nested as JSON."""
    if kind == "VARCHAR":
        return given
    if kind == "BLOB":
        return f"coalesce(try(decode({given})), {given}::varchar)"
    if _NESTED.fullmatch(kind):
        return f"to_json({given})::varchar"
    return f"{given}::varchar"


def _in_json(column: FileColumn) -> str:
    """Return a value so that JSON can hold it: what is no number there, as text."""
    given = identifier(column.name)
    if column.type in _REAL:
        text = f"to_json({given}::varchar)"
        return f"case when isfinite({given}) then to_json({given}) else {text} end"
    if column.type == "BLOB":
        return f"to_json({_text(given, 'BLOB')})"
    return f"to_json({given})"
