"""The way of an older file to today's schema version, step by step.

A step stands as it was when its version came out, and is never changed: what today's
tables look like is in `tables.sql`, and a test compares the two. A table that has an
index cannot be altered: a step drops the index first and makes it again at its end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from snowmelt.warehouse.port import Session

SCHEMA_VERSION = 6

STEPS = Path(__file__).with_name("migrations")
"""`from_1.sql` makes a file of version 1 one of version 2."""


def migrate(session: Session, found: int) -> None:
    """Bring a file of version `found` up to date; in the caller's transaction."""
    for version in range(found, SCHEMA_VERSION):
        for statement in statements(STEPS / f"from_{version}.sql"):
            session.execute(statement)
    session.execute(
        "update snowmelt.meta set value = $1 where key = 'schema_version'",
        [str(SCHEMA_VERSION)],
    )


def statements(path: Path) -> Iterator[str]:
    """Yield the statements of a file of SQL, each of which ends its line."""
    for statement in path.read_text().split(";\n"):
        if statement.strip():
            yield statement
