"""Raw DuckDB: `python -m bench.scale.raw DATABASE LANDING THREADS STORAGE_VERSION`.

A program of its own that runs `retail.sql`, written by hand, in a new database, and
prints the seconds of each table that it makes. Nothing of ours is imported. All that is
not given is left as the engine has it, its limit of memory too.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from time import perf_counter

import duckdb

SQL = Path(__file__).with_name("retail.sql")

_MAKES = re.compile(r"\s*create (?:table|view) (\w+\.\w+)")


def main(database: str, landing: str, threads: str, storage_version: str) -> None:
    """Load the files, and make silver and gold."""
    connection = duckdb.connect(
        database, config={"storage_compatibility_version": storage_version}
    )
    seconds = {}
    with connection:
        connection.execute(f"set threads = {int(threads):d}")
        connection.execute("set variable landing = $1", [landing])
        for statement in connection.extract_statements(SQL.read_text()):
            begun = perf_counter()
            connection.execute(statement)
            without_comments = re.sub(r"--[^\n]*\n", "", statement.query)
            if made := _MAKES.match(without_comments):
                seconds[made[1]] = perf_counter() - begun
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
