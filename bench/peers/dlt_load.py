"""dlt: `python -m bench.peers.dlt_load SPEC` loads a folder of CSV files.

Its pipeline reads a file system into DuckDB, with the reader that is named. It runs
with the peers' Python and imports nothing of ours but what is to be loaded.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
}

import dlt  # type: ignore[import-not-found]
import duckdb
from dlt.sources.filesystem import (  # type: ignore[import-not-found]
    filesystem,
    read_csv,
    read_csv_duckdb,
)

from bench.inputs import DIGEST
from bench.measured import Account, Meter, Ran, Spec, paths_of, run_as_told, warm

READERS = {
    "duckdb": lambda: read_csv_duckdb(chunk_size=100_000, use_pyarrow=True),
    "pandas": read_csv,
}


def load(spec: Spec) -> Ran:
    """Run one pipeline, and write what is buffered to the file."""
    warm(Path(spec.folder))
    database = str(Path(spec.place) / "dlt.duckdb")
    pipeline = dlt.pipeline(
        pipeline_name="bench",
        pipelines_dir=spec.place,
        destination=dlt.destinations.duckdb(database),
        dataset_name="bench",
    )
    with Meter([]) as meter:
        files = filesystem(bucket_url=spec.folder, file_glob="*.csv")
        pipeline.run((files | READERS[spec.reader]()).with_name("orders"))
        with duckdb.connect(database) as connection:
            connection.execute("checkpoint")
    with duckdb.connect(database) as connection:
        connection.execute("set timezone = 'UTC'")
        ((rows, digest),) = connection.execute(
            f"select count(*), {DIGEST} from bench.orders"
        ).fetchall()
    return meter.ran(Account(len(paths_of(spec)), rows, 0, digest))


if __name__ == "__main__":
    run_as_told({"load": load})
