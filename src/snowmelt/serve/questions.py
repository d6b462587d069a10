"""What the SQL page asks, and of whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from snowmelt.serve.commands import Document
from snowmelt.serve.users import Role

SQL_LENGTH_MAX = 8000
"""Characters of a query: it has to fit into an address."""


@dataclass(frozen=True)
class Answer:
    """What a query returned. `more`: are there rows beyond those?

    `place`: the warehouse as it is, or a copy of what is published.
    """

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    more: bool
    seconds: float
    run_id: str | None
    place: str


@dataclass(frozen=True)
class Flow:
    """What a query returns, rows at a time, for a download."""

    columns: list[str]
    types: list[str]
    rows: Iterator[list[list[Any]]]
    run_id: str | None


@dataclass(frozen=True)
class Download:
    """A file with all rows of an answer, as far as downloads may have them."""

    path: Path
    run_id: str | None


class Questions(Protocol):
    """Who answers queries. Each method raises SnowmeltError for what it refuses."""

    def refusal(self, role: Role) -> str:
        """Say why somebody of this role may not ask; empty if they may."""
        ...

    def tables(self, role: Role) -> Document:
        """Return schemas and tables that may be read."""
        ...

    def columns(self, role: Role, name: str) -> list[Document]:
        """Return the columns of a table: name and type."""
        ...

    def ask(self, role: Role, sql: str, rows_max: int) -> Answer:
        """Answer a query with its first rows."""
        ...

    def download(
        self, role: Role, sql: str, kind: str
    ) -> AbstractContextManager[Download]:
        """Answer a query with a file: csv, xlsx or parquet; gone after the block."""
        ...

    def card(self, role: Role, sql: str) -> str:
        """Return a query as a card of a dashboard, in YAML."""
        ...
