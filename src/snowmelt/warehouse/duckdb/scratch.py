"""A database in memory that belongs to nobody: for making and checking data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

Connection = duckdb.DuckDBPyConnection


@contextmanager
def scratch(*, threads: int | None = None) -> Iterator[Connection]:
    """Open an empty in-memory database and close it at the end."""
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("set timezone = 'UTC'")
        if threads is not None:
            connection.execute(f"set threads = {threads:d}")
        yield connection
    finally:
        connection.close()
