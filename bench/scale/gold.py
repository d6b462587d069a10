"""What gold came to: `python -m bench.scale.gold DATABASE` prints rows and digests.

It is a program of its own, so that what it takes is not taken for anything measured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import duckdb


@dataclass(frozen=True)
class Relation:
    """Rows of a table or view of gold, its columns, and a digest of all values.

    The order of rows and columns does not matter to the digest.
    """

    rows: int
    types: dict[str, str]
    digest: str


def read_gold(database: str) -> dict[str, Relation]:
    """Read all of gold."""
    with duckdb.connect(database, read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        names = connection.execute(
            "select table_name from duckdb_columns() where schema_name = 'gold' "
            "group by table_name order by table_name"
        ).fetchall()
        return {name: _read(connection, name) for (name,) in names}


def _read(connection: duckdb.DuckDBPyConnection, name: str) -> Relation:
    types = dict(
        connection.execute(
            "select column_name, data_type from duckdb_columns() "
            "where schema_name = 'gold' and table_name = $1 order by column_name",
            [name],
        ).fetchall()
    )
    columns = ", ".join(f'"{column}"' for column in types)
    ((rows, digest),) = connection.execute(
        f"select count(*), coalesce(sum(hash({columns})::hugeint), 0)::varchar "
        f'from gold."{name}"'
    ).fetchall()
    return Relation(rows, types, digest)


def differences(raw: Mapping[str, Relation], ours: Mapping[str, Relation]) -> list[str]:
    """Say in which relations of gold the two differ, and in what."""
    told = [
        f"only {side} has {name}"
        for side, own, other in (("raw", raw, ours), ("ours", ours, raw))
        for name in sorted(own.keys() - other.keys())
    ]
    for name in sorted(raw.keys() & ours.keys()):
        one, two = raw[name], ours[name]
        if one.types != two.types:
            columns = sorted(
                {each for each, _ in one.types.items() ^ two.types.items()}
            )
            told.append(f"{name}: columns or types differ: {', '.join(columns)}")
        elif one.rows != two.rows:
            told.append(f"{name}: raw has {one.rows:,} rows, ours {two.rows:,}")
        elif one.digest != two.digest:
            told.append(f"{name}: {one.rows:,} rows each, and other values")
    return told


def as_relations(document: Mapping[str, dict[str, object]]) -> dict[str, Relation]:
    """Return what the program printed."""
    return {name: Relation(**each) for name, each in document.items()}  # type: ignore[arg-type]


if __name__ == "__main__":
    found = read_gold(sys.argv[1])
    print(json.dumps({name: asdict(each) for name, each in found.items()}))
