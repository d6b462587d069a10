"""The one statement that reads CSV files of one layout into a temporary table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.bronze.conversion import cleaned, time_format_of, typed
from snowmelt.bronze.csv_buffer import BufferSizes
from snowmelt.bronze.layout import Layout
from snowmelt.bronze.raw import UNKNOWN
from snowmelt.bronze.rescue import rescued_values
from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.evolved import RESCUED
from snowmelt.pipe.file_format import CsvFormat
from snowmelt.warehouse.sql import identifier, literal, literals

# The engine wants one text at least that means NULL: a code point no text may hold.
_NO_NULL = "\ufdd0"
BAD = "_bad_"
"""The name, with a column's name, of a text that is no value of its type."""


@dataclass(frozen=True)
class CsvStatement:
    """How files of one layout and format are read."""

    csv: CsvFormat
    contract: Contract
    layout: Layout
    sizes: BufferSizes
    exact_decimals: bool = False
    """Are decimals read as text and converted? See `exponents`."""

    def sql(self, paths: Sequence[str], table: str, rejects: str) -> str:
        """Return the statement that reads files into `table`."""
        index = "file_index" if len(paths) > 1 else "0"
        chosen = [part for column in self.contract.columns for part in self._of(column)]
        refusing = {
            "store_rejects": "true",
            "rejects_limit": "0",
            "rejects_table": f"'{rejects}'",
            "rejects_scan": f"'{rejects}_scans'",
        }
        return (
            f"create temp table {table} as "
            f"select {', '.join(chosen)}, {index} as _file_index "
            f"from {self._source(paths, refusing)}"
        )

    def query(self, path: str) -> str:
        """Return the query of one file's rows, if none of them is refused."""
        chosen = [self._of(column)[0] for column in self.contract.columns]
        return (
            f"select {', '.join(chosen)}, row_number() over () as _file_row "
            f"from {self._source([path], {})}"
        )

    def _source(self, paths: Sequence[str], more: dict[str, str]) -> str:
        """Return the files as a table; `more` are options beside the format's."""
        types = {
            column.name: "varchar" if self.is_converted(column) else column.type
            for column in self.contract.columns
        }
        names = [
            name or _unknown(index) for index, name in enumerate(self.layout.columns)
        ]
        declared = ", ".join(
            f"{literal(name)}: '{types.get(name, 'varchar')}'" for name in names
        )
        options = self._options() | {"columns": f"{{{declared}}}"} | more
        given = ", ".join(f"{name} = {value}" for name, value in options.items())
        return f"read_csv({literals(paths)}, {given})"

    @property
    def converted(self) -> list[Column]:
        """Return the columns that are read as text and then converted."""
        return [
            column
            for column in self.contract.columns
            if column.name in self.layout.present and self.is_converted(column)
        ]

    @property
    def native_decimals(self) -> list[tuple[Column, int]]:
        """Return the decimals that the engine reads typed, and their places."""
        return [
            (column, int(column.type.rstrip(")").rpartition(",")[2]))
            for column in self.contract.columns
            if column.type.startswith("decimal")
            and column.name in self.layout.present
            and not self.is_converted(column)
        ]

    def is_converted(self, column: Column) -> bool:
        """Must a column be read as text, because the engine cannot read it typed?"""
        csv = self.csv
        if csv.trim_space or column.type == "json":
            return True
        if self.exact_decimals and column.type.startswith("decimal"):
            return True
        if column.type in ("time", "timestamptz") and time_format_of(column, csv):
            return True
        return self._keeps_quoted_empty and bool(csv.null_if)

    @property
    def _keeps_quoted_empty(self) -> bool:
        """Is an empty field NULL, and one with quotes around nothing a text?"""
        return self.csv.empty_field_as_null and "" not in self.csv.null_if

    def _of(self, column: Column) -> list[str]:
        """Return what is selected for a column."""
        name = identifier(column.name)
        if column.name == RESCUED:
            return [f"{self._rescued()} as {name}"]
        if column.name not in self.layout.present:
            return [f"null::{column.type} as {name}"]
        if not self.is_converted(column):
            return [name]
        text = cleaned(name, self.csv)
        value = typed(text, column, self.csv)
        if column.type == "varchar":
            return [f"{value} as {name}"]
        bad = f"case when {value} is null then {text} end"
        return [f"{value} as {name}", f"{bad} as {identifier(BAD + column.name)}"]

    def _rescued(self) -> str:
        """Return what the contract does not name as JSON, values that are there."""
        texts = {
            name: cleaned(_unknown(index), self.csv)
            for index, name in self.layout.rescued
        }
        return rescued_values(texts)

    def _options(self) -> dict[str, str]:
        """Return how the engine is to read: nothing is guessed, nothing forgiven."""
        csv = self.csv
        nulls = list(csv.null_if)
        if csv.empty_field_as_null and "" not in nulls:
            nulls = [""]
        enclosed = csv.field_optionally_enclosed_by != "none"
        options = {
            "auto_detect": "false",
            "compression": "'none'",
            "header": "true",
            "delim": literal(csv.field_delimiter),
            "quote": literal(csv.quote if enclosed else ""),
            "escape": literal(csv.escape if enclosed else ""),
            "nullstr": literals(nulls or [_NO_NULL]),
            "allow_quoted_nulls": "false" if self._keeps_quoted_empty else "true",
            "strict_mode": "true",
            "hive_partitioning": "false",
            "max_line_size": str(self.sizes.record_bytes_max),
            "buffer_size": str(self.sizes.buffer_bytes),
        }
        if csv.decimal_separator != ".":
            options["decimal_separator"] = literal(csv.decimal_separator)
        for option, kind in (("dateformat", "date"), ("timestampformat", "timestamp")):
            pattern = time_format_of(Column(name="any", type=kind), csv)
            if pattern:
                options[option] = literal(pattern)
        return options


def _unknown(index: int) -> str:
    return f"{UNKNOWN}{index}"
