"""Where tasks are, and what they use. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql

TAKEN = "news_taken"
"""The table of news that a run has begun to build."""
OWED = "news_owed"
"""The stream on it: news that was taken, and that no run has built to its end."""
RETRY = "retry_due"
"""Another stream on it: true while what is owed is to be built at once."""


@dataclass(frozen=True)
class Place:
    """Where tasks are, and what they use."""

    database: str
    schema: str
    bronze: str
    warehouse: str
    dbt_project: str
    dbt_version: str
    run_timeout: timedelta | None
    target: str
    root: Path
    tables: tuple[str, ...]
    """Tables of bronze."""
    pipes: tuple[str, ...]
    needs: tuple[Address, ...]
    stale_for: timedelta | None = None
    """How stale gold may become, where the project says so."""

    def path(self, name: str) -> str:
        return sql.path(self.database, self.schema, name)

    @property
    def bronze_rows(self) -> dict[str, str]:
        """All rows of each table of bronze, by the table."""
        bronze = partial(sql.path, self.database, self.bronze)
        return {table: bronze(f"{table}__all") for table in self.tables}

    @property
    def owed(self) -> str:
        """The stream that says whether news was taken and not built to its end."""
        return self.path(OWED)

    @property
    def retry(self) -> str:
        """The stream that says whether what is owed is to be tried again now."""
        return self.path(RETRY)

    def news(self, table: str) -> str:
        """The stream that says whether a table of bronze has rows nobody has built."""
        return sql.path(self.database, self.bronze, f"{table}__news")

    def own(self, root: str, table: str) -> str:
        """The stream that a graph which does not publish reads for itself."""
        return sql.path(self.database, self.bronze, f"{table}__read_by_{root}")

    def pipe(self, name: str) -> str:
        return sql.path(self.database, self.bronze, f"{name}_pipe")

    def pipe_as_kept(self, name: str) -> tuple[str, str]:
        """The schema and the name of a pipe as the account keeps them."""
        return self.bronze.upper(), f"{name}_pipe".upper()
