"""The samples in one table of a scratch database, whatever format they came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.bronze.inference.column_type import Traits
from snowmelt.bronze.inference.evidence import Evidence
from snowmelt.errors import UsageError
from snowmelt.warehouse.duckdb.scratch import Connection
from snowmelt.warehouse.sql import literal

TABLE = "sample"
COLUMNS_MAX = 2000


@dataclass(frozen=True)
class SampleColumn:
    """One column of the samples.

    `place` is its name in the table. `written` is its name in the samples, None where
    they name none; `path` is where it is in a JSON record. `files` have it.
    """

    place: str
    written: str | None
    files: frozenset[int]
    path: str | None = None
    traits: Traits = field(default_factory=Traits)
    note: str = ""


@dataclass
class Sample:
    """All records of all samples, and what is known of their format.

    `records` are counted by file. `notes` are what a person should know of the
    samples as a whole; `evidence` is by column, once it is gathered.
    """

    kind: str
    paths: tuple[Path, ...]
    records: list[int]
    columns: list[SampleColumn]
    file_format: dict[str, object] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    evidence: Mapping[int, Evidence] = field(default_factory=dict)

    def records_of(self, column: SampleColumn) -> int:
        """Return how many records the files have that have the column."""
        return sum(self.records[file] for file in column.files)


def prepare(connection: Connection, folder: Path) -> None:
    """Keep the scratch database's memory within bounds: the rest is on disk."""
    connection.execute("set memory_limit = '1GB'")
    connection.execute(f"set temp_directory = {literal(str(folder / 'spill'))}")
    connection.execute("set preserve_insertion_order = true")
    connection.execute(f"attach {literal(str(folder / 'sample.duckdb'))} as kept")
    connection.execute("use kept")


def require_columns(path: Path, count: int) -> None:
    """Raise UsageError for more columns than the engine can hold in bounded memory."""
    if count > COLUMNS_MAX:
        raise UsageError(
            str(path),
            f"it has {count:,} columns; no more than {COLUMNS_MAX:,} are inferred",
            "Turn columns into records before they land, or write the pipe by hand.",
        )
