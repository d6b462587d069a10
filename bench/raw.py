"""Raw DuckDB: `python -m bench.raw SPEC` does one work by statements of the engine's.

It starts with a fresh, opened database whose table is there, and a load ends with
CHECKPOINT; only what lies between is measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import duckdb

from bench.arrivals import NEW_FILES, bring_in_turn, make_ready
from bench.inputs import COLUMNS, DIGEST
from bench.measured import Account, Meter, Ran, Spec, paths_of, run_as_told, warm
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION

_STRUCT = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
_TABLE = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
_OPTIONS = {
    "csv": (
        f", columns = {{{_STRUCT}}}, auto_detect = false, header = true, "
        "delim = ',', quote = '\"', escape = '\"', nullstr = [''], "
        "strict_mode = true, store_rejects = true, rejects_limit = 0"
    ),
    "json": f", columns = {{{_STRUCT}}}, format = 'newline_delimited'",
    "parquet": "",
}


def load(spec: Spec) -> Ran:
    """Load all files by one statement."""
    warm(Path(spec.folder))
    connection = _connect(spec)
    with Meter([]) as meter:
        paths = paths_of(spec)
        _insert(connection, spec, paths)
        connection.execute("checkpoint")
    return meter.ran(_account(connection, spec, len(paths)))


def trickle(spec: Spec) -> Ran:
    """Load file by file, each in a commit of its own, as they are put there."""
    connection = _connect(spec)
    landing = Path(spec.place) / "landing"
    landing.mkdir()

    def take(name: str) -> float:
        _insert(connection, spec, [landing / name])
        return perf_counter()

    ready = make_ready(paths_of(spec), landing)
    with Meter([]) as meter:
        meter.seconds = bring_in_turn(ready, take)
    return meter.ran(_account(connection, spec, len(ready)))


def listing(spec: Spec) -> Ran:
    """Compare the folder with the names in a table."""
    connection = _connect(spec)
    names = [str(path) for path in paths_of(spec)]
    connection.execute("create table known (name varchar)")
    for first in range(0, len(names) - NEW_FILES, 1000):
        some = names[first : min(first + 1000, len(names) - NEW_FILES)]
        connection.execute("insert into known select unnest($1)", [some])
    connection.execute("checkpoint")
    with Meter([]) as meter:
        found = connection.execute(
            "select filename, size, last_modified "
            f"from read_blob('{spec.folder}/*') as file "
            "where not exists (from known where known.name = file.filename)"
        ).fetchall()
    if len(found) != NEW_FILES:
        raise SystemExit(f"{len(found)} new files were found, not {NEW_FILES}")
    return meter.ran(Account(len(names), 0, 0, ""))


def _connect(spec: Spec) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        str(Path(spec.place) / "raw.duckdb"),
        config={"storage_compatibility_version": STORAGE_VERSION},
    )
    connection.execute(f"set threads = {spec.threads:d}")
    connection.execute(f"create table orders ({_TABLE})")
    return connection


def _insert(
    connection: duckdb.DuckDBPyConnection, spec: Spec, paths: Sequence[Path]
) -> None:
    names = [str(path) for path in paths]
    connection.execute(
        f"insert into orders select * "
        f"from read_{spec.format}({names}{_OPTIONS[spec.format]})"
    )


def _account(connection: duckdb.DuckDBPyConnection, spec: Spec, files: int) -> Account:
    rejects = 0
    if spec.format == "csv":
        ((rejects,),) = connection.execute(
            "select count(distinct (file_id, line_byte_position)) from reject_errors"
        ).fetchall()
    ((rows, digest),) = connection.execute(
        f"select count(*), {DIGEST} from orders"
    ).fetchall()
    return Account(files, rows, rejects, digest)


if __name__ == "__main__":
    run_as_told({"load": load, "trickle": trickle, "listing": listing})
