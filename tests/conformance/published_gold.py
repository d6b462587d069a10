"""A warehouse with tables of gold, published into a database as the service does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from snowmelt.clock import SystemClock
from snowmelt.gold.relations import list_columns
from snowmelt.serve.publish.described import Column, GoldTable, Relation
from snowmelt.serve.publish.postgres import publishing
from snowmelt.serve.publish.prepared import Desk, prepare
from snowmelt.serve.publish.publisher import StateMovedError
from snowmelt.serve.publish.target import Sent, Stamp, Target
from snowmelt.warehouse.duckdb.warehouse import (
    DuckDBWarehouse,
    Limits,
    open_warehouse,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Gold:
    """A warehouse with tables of gold, published into one database."""

    warehouse: DuckDBWarehouse
    desk: Desk
    dsn: str
    relations: list[Relation] = field(default_factory=list)
    runs: int = 0

    def sql(self, *statements: str) -> None:
        with self.warehouse.session() as session:
            for statement in statements:
                session.execute(statement)

    def table(self, name: str, **known: Any) -> GoldTable:
        """Return a table as it is now, with what dbt would say of it."""
        with self.warehouse.session() as session:
            found = list_columns(session, "gold", name)
        told = known.pop("told", {})
        columns = tuple(Column(n, kind, told.get(n, "")) for n, kind in found)
        return GoldTable("gold", name, columns, **known)

    def publish(self, *tables: GoldTable, whole: bool = False) -> dict[str, Sent]:
        self.runs += 1
        target = Target(self.dsn)
        stamp = Stamp("test", f"run-{self.runs}", NOW)
        again = {table.name for table in tables} if whole else set()
        with (
            self.warehouse.snapshot() as session,
            publishing(target, SystemClock(), threading.Event()) as publisher,
        ):
            while True:
                state = publisher.state()
                prepared = [
                    prepare(
                        session,
                        table,
                        self.desk,
                        state.digests.get(table.name),
                        whole=table.name in again,
                    )
                    for table in tables
                ]
                try:
                    sent = publisher.send(prepared, self.relations, stamp)
                except StateMovedError as error:
                    again.add(str(error))
                    continue
                for each in prepared:
                    self.desk.forget_others(each.table, each.digest)
                publisher.tidy(sent)
                return {each.table: each for each in sent}

    def there(self, query: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.dsn) as connection:
            rows: Any = connection.execute(query).fetchall()
        return list(rows)

    def here(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.snapshot() as session:
            return session.rows(query)


@contextmanager
def opened_gold(folder: Path, dsn: str) -> Iterator[Gold]:
    kept, spool = folder / "kept", folder / "spool"
    kept.mkdir(exist_ok=True)
    spool.mkdir(exist_ok=True)
    limits = Limits(1, 1 << 28)
    warehouse = open_warehouse(folder / "w.duckdb", folders=[folder], limits=limits)
    with closing(warehouse):
        gold = Gold(warehouse, Desk(kept, spool), dsn)
        gold.sql("create schema if not exists gold")
        yield gold
