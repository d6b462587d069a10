"""Which files and lines each row of gold is made of, as the files' maker knows it.

A maker knows what it writes where, and so which lines a row of the template's gold
comes from: nothing of a trace is asked. Each makes a relation `origins`, with a row for
each row of gold and line; here it becomes a file of JSON lines.
"""

from __future__ import annotations

from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.synth.making import statement
from snowmelt.warehouse.duckdb.scratch import Connection

_AT_ONCE = 1_000


def check_origins(path: Path | None) -> None:
    """Raise UsageError if the file for origins is there already."""
    if path is not None and path.exists():
        raise UsageError(
            str(path),
            "the file is there already, and is not overwritten",
            "Name another file, or move it away",
        )


def write_origins(connection: Connection, path: Path) -> int:
    """Write the relation `origins`, a line for each row of gold; return how many."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    rows = connection.execute(statement("origins"))
    with path.open("x", encoding="utf-8") as file:
        while block := rows.fetchmany(_AT_ONCE):
            file.writelines(f"{text}\n" for (text,) in block)
            written += len(block)
    return written
