"""Asks what dashboards ask: of a snapshot here, or of whoever has the rows of gold."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from snowmelt.clock import Clock
from snowmelt.project.filters import Filter
from snowmelt.serve.commands import Document
from snowmelt.service.boards.memory import Memory, Versions
from snowmelt.service.boards.rendering import Query, named
from snowmelt.warehouse.port import Session, Table, Warehouse

OPTIONS_MAX = 200
"""How many values a filter offers to choose from; any other can be written."""
SECONDS_MAX = 30.0
"""How long the queries of a dashboard may take together."""


@dataclass
class Asking:
    """Asks the queries of one dashboard of one snapshot of the warehouse.

    What was answered before of the same data is not asked again. Where the rows of gold
    are elsewhere, what is asked, kept and known of them is overridden.
    """

    warehouse: Warehouse
    session: Session
    memory: Memory
    relations: Mapping[str, str]
    clock: Clock

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        """See which data it is that is asked for."""
        self.versions: Versions = self.memory.versions.of(self.session)
        self._loads = self.session.value(
            "select max(load_seq) from snowmelt.load_history"
        )

    def table(self, query: Query, limit: int) -> Table:
        """Return at most `limit` rows. Raises UsageError for what is no query."""
        key = self.memory.key(query, self.relations, self.versions, self._loads or 0)
        if key is not None:
            key = (*key, limit)
            found = self.memory.answers.find(key)
            if found is not None:
                return found
        self.warehouse.require_query(query.sql)
        table = self.session.table(query.sql, query.bound, limit=limit)
        if key is not None:
            self.memory.answers.keep(key, table)
        return table

    def require_sayable(self, texts: Sequence[str]) -> None:
        """Raise ConfigError for a card whose texts cannot be asked; here each can."""

    def row_of(self, query: Query, columns: Sequence[str]) -> Document | None:
        """Return the table of which each row of a result is one, and its key here."""
        return self.memory.rows_of.find(
            self.session, self.memory.known.graph(), query.sql, query.models, columns
        )

    def beside_card(self, query: Query, limit: int) -> Document:
        """Return what is to be said of a card that was asked elsewhere."""
        return {}

    def is_of_one(self) -> bool:
        """Was everything that was answered of one publication? Of a snapshot it is."""
        return True

    def doubt(self) -> str:
        """Return why it is not known if it was; nothing where it is."""
        return ""

    def bounds(self, found: Filter) -> tuple[date | None, date | None]:
        """Return the first and the last day of a filter's column."""
        relation = named(self.relations, found.model, "model")
        column = identifier(found.field)
        sql = (
            f"select min({column})::date, max({column})::date from {relation} "
            f"where isfinite({column})"
        )
        ((first, last),) = self.table(Query(sql, (), (found.model,)), 1).rows
        return first, last

    def options(self, found: Filter) -> tuple[list[str], bool]:
        """Return values to choose from, and if there are more of them."""
        relation = named(self.relations, found.model, "model")
        column = identifier(found.field)
        sql = (
            f"select cast({column} as varchar) from {relation} "
            f"where {column} is not null group by {column} order by {column} "
            f"limit {OPTIONS_MAX + 1}"
        )
        rows = self.table(Query(sql, (), (found.model,)), OPTIONS_MAX + 1).rows
        return [row[0] for row in rows[:OPTIONS_MAX]], len(rows) > OPTIONS_MAX

    @contextmanager
    def limited(self) -> Iterator[None]:
        """Interrupt what takes too long in the block."""
        timer = threading.Timer(SECONDS_MAX, self.session.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class Gold(Protocol):
    """Who has the rows of gold where the warehouse of this process has not."""

    builds_by: str
    """The command that publishes there."""

    def asking(
        self, session: Session, memory: Memory, relations: Mapping[str, str]
    ) -> Asking:
        """Return who asks; `session` is a snapshot of what is known here."""
        ...

    def run_published(self, session: Session) -> str | None:
        """Return the run whose data readers see, as far as is known."""
        ...

    def published_at(self, session: Session) -> datetime | None:
        """Return when that was published which readers see, as far as is known."""
        ...

    def waiting_since(self, session: Session) -> Mapping[str, datetime]:
        """Return when each table's first load came that readers do not see."""
        ...

    def columns(self, session: Session) -> Mapping[str, Mapping[str, str]]:
        """Return tables by key (schema.name) with columns and types, as last seen."""
        ...

    def close(self) -> None:
        """Ask no more."""
        ...


def identifier(name: str) -> str:
    """Write a name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'
