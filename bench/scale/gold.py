"""What gold came to: `python -m bench.scale.gold DATABASE SCHEMA` prints digests.

It is a program of its own, so that what it takes is not taken for anything measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from bench.live.shop import CommandError, environment, run_program
from bench.machine import ROOT


@dataclass(frozen=True)
class Relation:
    """Rows of a table or view of gold, its columns, and a digest of all values.

    The order of rows and columns does not matter to the digest.
    """

    rows: int
    digest: str
    types: dict[str, str]


def ask_gold(database: Path, schema: str = "gold") -> dict[str, Relation]:
    """Have a program read all tables and views of a schema."""
    words = (sys.executable, "-m", "bench.scale.gold", str(database), schema)
    told = json.loads(run_program(words, ROOT, environment()))
    return {name: Relation(**each) for name, each in told.items()}


def require_same(
    when: str, other: Mapping[str, Relation], ours: Mapping[str, Relation]
) -> None:
    """Raise CommandError, with what differs, unless both have the same gold."""
    told = differences(other, ours)
    if told:
        raise CommandError(f"{when} gold differs: {'; '.join(told)}")


def read_gold(database: str, schema: str = "gold") -> dict[str, Relation]:
    """Read all tables and views of a schema."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        found = connection.execute(
            "select table_name, column_name, data_type from duckdb_columns() "
            "where schema_name = $1 order by table_name, column_name",
            [schema],
        ).fetchall()
        types: dict[str, dict[str, str]] = {}
        for table, column, data_type in found:
            types.setdefault(table, {})[column] = data_type
        return {
            table: Relation(*_digest(connection, f'{schema}."{table}"', own), own)
            for table, own in types.items()
        }


def _digest(
    connection: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str]
) -> tuple[int, str]:
    columns = ", ".join(f'"{column}"' for column in types)
    ((rows, digest),) = connection.execute(
        f"select count(*), coalesce(sum(hash({columns})::hugeint), 0)::varchar "
        f"from {relation}"
    ).fetchall()
    return rows, digest


def differences(
    other: Mapping[str, Relation], ours: Mapping[str, Relation]
) -> list[str]:
    """Say in which relations of gold the two differ, and in what."""
    told = [
        f"only {side} has {name}"
        for side, own, its in (("the other", other, ours), ("ours", ours, other))
        for name in sorted(own.keys() - its.keys())
    ]
    for name in sorted(other.keys() & ours.keys()):
        one, two = other[name], ours[name]
        if one.types != two.types:
            columns = sorted(
                {each for each, _ in one.types.items() ^ two.types.items()}
            )
            told.append(f"{name}: columns or types differ: {', '.join(columns)}")
        elif one.rows != two.rows:
            told.append(f"{name}: {one.rows:,} rows, ours has {two.rows:,}")
        elif one.digest != two.digest:
            told.append(f"{name}: {one.rows:,} rows each, and other values")
    return told


if __name__ == "__main__":
    found = read_gold(*sys.argv[1:])
    print(json.dumps({name: asdict(each) for name, each in found.items()}))
