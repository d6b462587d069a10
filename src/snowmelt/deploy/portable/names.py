"""Names of the functions that each engine has: in files, with where they are from."""

from __future__ import annotations

from importlib import resources


def _names(file: str) -> frozenset[str]:
    lines = (resources.files(__package__) / file).read_text("utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


THERE = _names("snowflake_functions.txt")
HERE = _names("duckdb_functions.txt")
GRAMMAR = frozenset(
    (
        *("cast", "coalesce", "current_timestamp", "extract", "grouping"),
        *("grouping_id", "if", "ifnull", "percentile_cont", "percentile_disc", "try"),
        "try_cast",
    )
)
"""DuckDB's that its grammar knows, and no list of functions."""
