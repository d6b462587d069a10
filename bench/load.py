"""One load, measured, by a program of its own: `python -m bench.load SPEC`.

Both sides start with a fresh, opened database whose table is there, with the same
threads and storage version, and end with CHECKPOINT; only what lies between is
measured. What was loaded is counted and digested afterwards.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from time import perf_counter

import duckdb

from bench.inputs import COLUMNS
from snowmelt.clock import SystemClock
from snowmelt.events import Events
from snowmelt.project.project import load_project
from snowmelt.service.loop import Loop
from snowmelt.service.opening import opened
from snowmelt.warehouse.duckdb.warehouse import STORAGE_VERSION

# The order of rows does not matter to it, their number and every value do.
DIGEST = f"coalesce(sum(hash({', '.join(COLUMNS)})::hugeint), 0)::varchar"


@dataclass(frozen=True)
class Loaded:
    """What a load came to. Memory is the peak up to the end of the load."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    files: int
    rows: int
    rejects: int
    digest: str


@dataclass(frozen=True)
class Spec:
    """Which side loads which folder of files, in which place of its own."""

    side: str
    folder: str
    place: str
    threads: int


def main() -> None:
    """Load as the argument says and print what it came to."""
    spec = Spec(**json.loads(sys.argv[1]))
    _warm(Path(spec.folder))
    loaded = load_raw(spec) if spec.side == "raw" else load_ours(spec)
    print(json.dumps(asdict(loaded)))


def load_raw(spec: Spec) -> Loaded:
    """Load by one statement of DuckDB's."""
    connection = duckdb.connect(
        str(Path(spec.place) / "raw.duckdb"),
        config={"storage_compatibility_version": STORAGE_VERSION},
    )
    connection.execute(f"set threads = {spec.threads:d}")
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    connection.execute(f"create table orders ({declared})")
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())

    paths: list[str] = []

    def load() -> None:
        paths.extend(sorted(str(path) for path in Path(spec.folder).iterdir()))
        connection.execute(
            f"insert into orders select * from read_csv({paths}, "
            f"columns = {{{columns}}}, auto_detect = false, header = true, "
            "delim = ',', quote = '\"', escape = '\"', nullstr = [''], "
            "strict_mode = true, store_rejects = true, rejects_limit = 0)"
        )
        connection.execute("checkpoint")

    seconds, cpu_seconds, peak_bytes = _measured(load)
    (rows, digest) = connection.execute(
        f"select count(*), {DIGEST} from orders"
    ).fetchall()[0]
    (rejects,) = connection.execute(
        "select count(distinct (file_id, line_byte_position)) from reject_errors"
    ).fetchall()[0]
    return Loaded(seconds, cpu_seconds, peak_bytes, len(paths), rows, rejects, digest)


def load_ours(spec: Spec) -> Loaded:
    """Load by turning a project's loop, without publications, until it is quiet."""
    root = Path(spec.place) / "project"
    write_project(root, Path(spec.folder), spec.threads)
    clock = SystemClock()
    with opened(load_project(root), clock, Events()) as parts:
        loop = Loop(parts, publishes=False)

        def load() -> None:
            while not loop.is_quiet():
                loop.wake.clear()
                loop.turn()
                if not loop.is_quiet():
                    clock.wait(loop.wake, loop.seconds_to_next())
            with parts.warehouse.session() as session:
                session.execute("checkpoint")

        try:
            seconds, cpu_seconds, peak_bytes = _measured(load)
        finally:
            loop.close()
        if loop.problems:
            raise SystemExit("; ".join(loop.problems))
        with parts.warehouse.session() as session:
            ((files, row_count, error_count, parsed),) = session.rows(
                "select count(*), sum(row_count)::bigint, sum(error_count)::bigint, "
                "sum(row_parsed)::bigint from snowmelt.load_history "
                "where status in ('Loaded', 'Partially loaded')"
            )
            ((rows, origins, digest),) = session.rows(
                "select count(*), count(distinct hash(_file, _file_row)), "
                f"{DIGEST} from bronze.orders"
            )
            rejects = session.value("select count(*) from snowmelt.rejects")
    if not rows == row_count == origins or not parsed == rows + rejects:
        raise SystemExit(
            f"history tells of {row_count} rows and {error_count} rejects of {parsed}; "
            f"there are {rows} rows of {origins} origins and {rejects} rejects"
        )
    return Loaded(seconds, cpu_seconds, peak_bytes, files, rows, rejects, digest)


def write_project(root: Path, landing: Path, threads: int) -> None:
    """Write the least project that loads these files into bronze."""
    (root / "pipes").mkdir(parents=True)
    (root / "models").mkdir()
    columns = [{"name": name, "type": kind} for name, kind in COLUMNS.items()]
    texts = {
        "snowmelt.yml": {
            "version": 1,
            "name": "bench",
            "landing": {"path": str(landing), "settle": "0s"},
            "warehouse": {"threads": threads},
        },
        "pipes/orders.yml": {
            "name": "orders",
            "pattern": "orders_*.csv",
            "on_error": "continue",
            "contract": {"columns": columns},
        },
        "dbt_project.yml": {"name": "bench", "profile": "bench", "version": "1.0"},
        "profiles.yml": {
            "bench": {
                "target": "local",
                "outputs": {"local": {"type": "duckdb", "path": ":memory:"}},
            }
        },
    }
    for name, content in texts.items():
        (root / name).write_text(json.dumps(content))  # JSON is YAML


def _warm(folder: Path) -> None:
    """Bring the files into the page cache, and let earlier writes reach the disk."""
    for path in folder.iterdir():
        with path.open("rb", buffering=0) as opened_file:
            while opened_file.read(1 << 22):
                pass
    os.sync()


def _measured(load: Callable[[], None]) -> tuple[float, float, int]:
    """Return the wall seconds and CPU seconds of a load, and the peak memory."""
    before, begun = getrusage(RUSAGE_SELF), perf_counter()
    load()
    seconds, after = perf_counter() - begun, getrusage(RUSAGE_SELF)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    unit = 1 if sys.platform == "darwin" else 1024
    return seconds, cpu, after.ru_maxrss * unit


if __name__ == "__main__":
    main()
