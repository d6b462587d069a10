"""The statements of a run, told of one by one."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from snowmelt.clock import Clock
from snowmelt.events import Events, StatementFinished
from snowmelt.warehouse.port import Row, Session, Table

Result = TypeVar("Result")
_FIRST_WORD = re.compile(r"(?:[\s(]|/\*(?>.*?\*/)|--[^\n]*\n)*+(\w+)", re.DOTALL)
_WRITING = {"create", "insert", "update", "delete", "merge", "copy"}
_TARGET = re.compile(
    r"\s+(?:or\s+replace\s+)?(?:temp(?:orary)?\s+)?(?:table|into)\s+"
    r"(?:if\s+not\s+exists\s+)?((?:\"[^\"]+\"|[\w.])+)",
    re.IGNORECASE,
)


class ToldSession:
    """A session whose statements are told of, each with the node it is for.

    `node_of` says which node that is; it is asked on the thread of the statement.
    """

    def __init__(
        self,
        session: Session,
        run_id: str,
        clock: Clock,
        events: Events,
        node_of: Callable[[], str | None],
    ) -> None:
        self._session = session
        self._run_id = run_id
        self._clock = clock
        self._events = events
        self._node_of = node_of

    @property
    def number(self) -> int:
        return self._session.number

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        self.table(sql, parameters)

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return self.table(sql, parameters).rows

    def value(self, sql: str, parameters: Sequence[object] = ()) -> object:
        rows = self.table(sql, parameters, limit=1).rows
        return rows[0][0] if rows else None

    def table(
        self, sql: str, parameters: Sequence[object] = (), limit: int | None = None
    ) -> Table:
        """Run a statement, and tell of it however it ends."""
        started_at, began = self._clock.now(), self._clock.monotonic()
        rows, error = None, None
        try:
            table = self._session.table(sql, parameters, limit)
            rows = count_rows(sql, table)
            return table
        except Exception as problem:
            error = str(problem).strip() or type(problem).__name__
            raise
        finally:
            seconds = self._clock.monotonic() - began
            self._events.emit(
                StatementFinished(
                    self._run_id, self._node_of(), sql, started_at, seconds, rows, error
                )
            )

    def insert(self, table: str, columns: dict[str, Sequence[object]]) -> None:
        self._session.insert(table, columns)

    def transaction(self) -> AbstractContextManager[None]:
        return self._session.transaction()

    def rolled_back(self) -> AbstractContextManager[None]:
        return self._session.rolled_back()

    def interrupt(self) -> None:
        self._session.interrupt()


def count_rows(sql: str, table: Table) -> int | None:
    """Return how many rows a statement wrote or returned, None if it does neither.

    Of a statement that writes the engine answers with a count, or with an empty one
    if it wrote no rows, as CREATE VIEW does; of others that return nothing, with
    nothing.
    """
    if table.columns == ["Count"] and writes(sql):
        return int(table.rows[0][0]) if table.rows else None
    return None if table.columns == ["Success"] else len(table.rows)


def writes(sql: str) -> bool:
    """Is it a statement that makes relations or changes rows?"""
    return operation(sql).lower() in _WRITING


def makes_rows_of(sql: str, name: str) -> bool:
    """Does a statement put rows into the table of this name, or what becomes it?

    dbt writes a table beside the one that is there, and renames it.
    """
    first = _FIRST_WORD.match(sql)
    target = _TARGET.match(sql, first.end()) if first else None
    if target is None or operation(sql) not in ("CREATE", "INSERT", "MERGE"):
        return False
    written = target[1].replace('"', "").rpartition(".")[2].lower()
    return written in (name.lower(), f"{name.lower()}__dbt_tmp")


def operation(sql: str) -> str:
    """Return the first word of a statement, in capitals; empty if it has none."""
    found = _FIRST_WORD.match(sql)
    return found[1].upper() if found else ""


def node_of_dbt() -> str | None:
    """Return the unique id of the node that dbt is at on this thread, if any.

    A process that did not ask dbt yet does not load it for this: 0.4 s.
    """
    contextvars = sys.modules.get("dbt_common.events.contextvars")
    if contextvars is None:
        return None
    node: str | None = contextvars.get_node_info().get("unique_id")
    return node
