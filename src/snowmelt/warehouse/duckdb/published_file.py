"""A copy of some tables in a file of its own, for processes that do not own ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier, literal

Plan = Callable[[Session], Mapping[tuple[str, str], str]]
"""Returns a query for each table, by (schema, table); asked inside the transaction."""


@contextmanager
def _attached(session: Session, path: Path, name: str) -> Iterator[None]:
    session.execute(f"attach {literal(str(path))} as {identifier(name)}")
    try:
        yield
    finally:
        session.execute(f"detach {identifier(name)}")


def write_published(session: Session, path: Path, plan: Plan) -> None:
    """Write a table of each query, all of one snapshot, and put the file in place.

    A file that is there is whole: it is written beside.
    """
    arriving = path.with_name(f"arriving-{path.name}")
    _remove(arriving)
    name = f"published_{session.number}"
    try:
        with _attached(session, arriving, name), session.transaction():
            queries = plan(session)
            for schema in sorted({schema for schema, _ in queries}):
                made = f"{identifier(name)}.{identifier(schema)}"
                session.execute(f"create schema if not exists {made}")
            for (schema, table), query in queries.items():
                target = ".".join(map(identifier, (name, schema, table)))
                session.execute(f"create table {target} as {query}")
    except BaseException:
        _remove(arriving)
        raise
    arriving.replace(path)


def _remove(path: Path) -> None:
    for each in (path, path.with_name(f"{path.name}.wal")):
        with suppress(FileNotFoundError):
            each.unlink()
