"""What viewers see of a column: the one place where values are hidden from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from snowmelt.warehouse.sql import identifier


class Veil(Protocol):
    """Says what is copied of a table for those who may not see all of it."""

    def select(self, schema: str, table: str, columns: Sequence[str]) -> list[str]:
        """Return an SQL expression for each column, each with the column's name.

        A query over such a copy cannot find what is not in it, however it asks.
        """
        ...


class NoVeil:
    """Hides nothing."""

    def select(self, schema: str, table: str, columns: Sequence[str]) -> list[str]:
        """Return the columns as they are."""
        del schema, table
        return [identifier(column) for column in columns]
