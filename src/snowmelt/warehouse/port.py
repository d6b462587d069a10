"""What every stage may ask of a warehouse, whichever backend it is."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Row = tuple[Any, ...]
LINKS = Path(".snowmelt/external")
"""Below a project's folder: links to the files that are read instead of a table."""


@dataclass(frozen=True)
class Table:
    """A result: column names, the backend's type names, and rows."""

    columns: list[str]
    types: list[str]
    rows: list[Row]


class Session(Protocol):
    """One connection: statements on it see one another's temporary tables.

    A parameter that is a list reaches the statement as JSON text: there it is written
    `$1::json::varchar[]`, or whatever its values are.
    """

    @property
    def number(self) -> int:
        """The smallest number, from 1, that no other open session has."""
        ...

    def execute(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement for its effect."""
        ...

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        ...

    def value(self, sql: str, parameters: Sequence[object] = ()) -> Any:
        """Run a query and return the first column of its only row, or None."""
        ...

    def table(
        self, sql: str, parameters: Sequence[object] = (), limit: int | None = None
    ) -> Table:
        """Run a query and return columns and at most `limit` rows."""
        ...

    def insert(self, table: str, columns: dict[str, Sequence[object]]) -> None:
        """Append rows, given column by column, all of one length."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back if it raises."""
        ...

    def rolled_back(self) -> AbstractContextManager[None]:
        """Run the block in a transaction of which nothing stays, however it ends."""
        ...

    def interrupt(self) -> None:
        """Make the running statement fail, from another thread."""
        ...


class Snapshot(Session, Protocol):
    """A connection inside one read-only transaction."""

    def batches(self, sql: str, size: int) -> tuple[list[str], Iterator[list[Row]]]:
        """Run a query and return columns, and rows `size` at a time as they are read.

        The session must stay open for as long.
        """
        ...

    def described(
        self, sql: str, size: int
    ) -> tuple[list[str], list[str], Iterator[list[Row]]]:
        """Do as `batches`, and return the backend's type names beside the columns."""
        ...

    def arrow(self, sql: str, size: int) -> Iterator[bytes]:
        """Run a query and yield it as a stream of Arrow; needs pyarrow."""
        ...


class Warehouse(Protocol):
    """A place where tables live, owned by this process while it is open."""

    commit_lock: threading.RLock

    def session(self) -> AbstractContextManager[Session]:
        """Open a connection for the length of a block."""
        ...

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Open a connection inside one read-only transaction."""
        ...

    def require_query(self, sql: str) -> None:
        """Raise UsageError unless `sql` is exactly one query."""
        ...

    def log_bytes(self) -> int:
        """Return how much is committed and not in its place in the file yet."""
        ...

    def checkpoint(self) -> bool:
        """Put it in its place, and free what was deleted; False while others write."""
        ...

    def require_no_transaction(self, sql: str) -> None:
        """Raise UsageError for statements that begin or end a transaction."""
        ...

    def close(self) -> None:
        """Write what is buffered and let go of the file."""
        ...
