"""dlt: `python -m bench.peers.dlt_retail DATABASE FOLDER PLACE` loads a company.

Its pipeline reads a file system into DuckDB: CSV by DuckDB and Parquet by Arrow, both
handed on as Arrow, which is the fastest that it has; an array of JSON objects has no
reader there and is taken apart by Python's json. Types are given, as files alone do
not tell that a stock may be a text. Which file a record came from it does not know;
which of its loads, it does. Views have the columns that the template's models read.

It runs with the peers' Python, and prints the seconds of the load without imports.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any

os.environ |= {
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "ERROR",
    "NORMALIZE__PARQUET_NORMALIZER__ADD_DLT_LOAD_ID": "true",
}

import dlt  # type: ignore[import-not-found]
import duckdb
from dlt.sources.filesystem import (  # type: ignore[import-not-found]
    filesystem,
    read_csv_duckdb,
    read_parquet,
)

CHUNK = 100_000
DATASET = "files"

# What the contracts of the template's pipes say.
TABLES = {
    "customers": {
        **dict.fromkeys(
            ("customer_id", "name", "email", "country", "customer_type"), "varchar"
        ),
        **dict.fromkeys(("registration_date", "age", "gender"), "varchar"),
        "total_purchases": "decimal(18, 4)",
    },
    "products": {
        **dict.fromkeys(("product_id", "name", "category", "brand"), "varchar"),
        "price": "decimal(33, 18)",
        "stock_quantity": "varchar",
        "rating": "decimal(18, 4)",
        "is_active": "varchar",
    },
    "transactions": {
        **dict.fromkeys(("transaction_id", "customer_id", "product_id"), "varchar"),
        "quantity": "bigint",
        "total_amount": "decimal(18, 4)",
        **dict.fromkeys(
            ("transaction_date", "payment_method", "store_type"), "varchar"
        ),
    },
}


def _objects(files: Iterator[Any]) -> Iterator[Any]:
    """Yield the objects of files that are arrays, file by file."""
    for file in files:
        with file.open() as opened_file:
            yield json.load(opened_file)


def load(database: str, folder: str, place: str) -> None:
    """Load all files below the folder, and write what is buffered to the database."""
    pipeline = dlt.pipeline(
        pipeline_name="retail",
        pipelines_dir=place,
        destination=dlt.destinations.duckdb(database),
        dataset_name=DATASET,
    )
    readers = {
        "customers": read_csv_duckdb(
            chunk_size=CHUNK, use_pyarrow=True, all_varchar=True, header=True
        ),
        "products": dlt.transformer(_objects, name="objects"),
        "transactions": read_parquet(chunksize=CHUNK, use_pyarrow=True),
    }
    resources = [
        (filesystem(bucket_url=folder, file_glob=f"raw/{table}/*") | reader).with_name(
            table
        )
        for table, reader in readers.items()
    ]
    resources[1].apply_hints(columns={"stock_quantity": {"data_type": "text"}})
    pipeline.run(resources)
    with duckdb.connect(database) as connection:
        connection.execute("create schema if not exists bronze")
        for table, columns in TABLES.items():
            connection.execute(_view(table, columns))
        connection.execute("checkpoint")


def _view(table: str, columns: dict[str, str]) -> str:
    """Return a view with the columns that the models ask of bronze."""
    typed = ", ".join(
        f"cast({name} as {kind}) as {name}" for name, kind in columns.items()
    )
    loaded = "cast(_dlt_load_id as double)"
    return (
        f"create or replace view bronze.{table} as select {typed}, '' as _file, "
        f"cast(0 as bigint) as _file_row, cast({loaded} * 1e6 as bigint) as _load_seq, "
        f"to_timestamp({loaded}) as _version_at from {DATASET}.{table}"
    )


if __name__ == "__main__":
    begun = perf_counter()
    load(*sys.argv[1:])
    print(json.dumps({"seconds": perf_counter() - begun}))
