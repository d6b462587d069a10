"""What the makers of all data sets share: report, refusals, SQL and its variables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.warehouse.duckdb.scratch import Connection

DIRTY_MAX = 0.5


@dataclass(frozen=True)
class Report:
    """What was written.

    `files` has the number of records of each file, good and bad, without the header;
    the names are relative to the directory. `quirks` has the number of each quirk and
    kind of dirt; what each counts is told by the function that makes the set.
    """

    files: dict[str, int]
    quirks: dict[str, int]


def check_number(name: str, value: int, least: int, why: str = "") -> None:
    """Raise UsageError if a number is below `least`."""
    if value < least:
        told = f"Ask for {least} or more{why}"
        raise UsageError(name, f"{value} is too few", told)


def check_last(name: str, value: int, most: int) -> None:
    """Raise UsageError if a number is above `most`."""
    if value > most:
        raise UsageError(name, f"{value} is too many", f"Ask for {most:,} or fewer")


def check_dirty(dirty: float) -> None:
    """Raise UsageError if the share of dirt is not within 0 to DIRTY_MAX."""
    if not 0 <= dirty <= DIRTY_MAX:
        raise UsageError(
            "dirty",
            f"{dirty} is not a share that can be made",
            f"Give a number from 0 to {DIRTY_MAX}",
        )


def check_directory(directory: Path, names: Iterable[str]) -> None:
    """Raise UsageError if it is no directory, or has a file of one of the names."""
    if directory.exists() and not directory.is_dir():
        raise UsageError(str(directory), "this is no directory", "Name another one")
    for name in names:
        if (directory / name).exists():
            raise UsageError(
                str(directory / name),
                "the file is there already, and is not overwritten",
                "Name another directory, or move the file away",
            )


def set_variables(connection: Connection, **values: object) -> None:
    """Set variables that the statements read with getvariable()."""
    for name, value in values.items():
        connection.execute(f"set variable {name} = $1", [value])


def statement(name: str) -> str:
    """Return the text of sql/`name`.sql."""
    return (resources.files(__package__) / "sql" / f"{name}.sql").read_text("utf-8")
