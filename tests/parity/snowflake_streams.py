"""A double of a stream on a table by the documented rules: no more than our reading.

Each rule names the page that it is read from, below https://docs.snowflake.com/en/.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

EXTENDED = timedelta(days=14)
"""MAX_DATA_EXTENSION_TIME_IN_DAYS, by default (user-guide/streams-intro)."""
Change = tuple[str, int]
"""METADATA$ACTION and the value of a row."""


@dataclass
class Table:
    """A table that remembers each version: rows by an id of their own."""

    versions: list[dict[int, int]] = field(default_factory=lambda: [{}])
    inserts: list[list[int]] = field(default_factory=lambda: [[]])
    """What each version added, whatever became of it."""
    ids: int = 0

    @property
    def rows(self) -> dict[int, int]:
        return self.versions[-1]

    def insert(self, values: list[int]) -> None:
        rows = dict(self.rows)
        for value in values:
            self.ids += 1
            rows[self.ids] = value
        self._commit(rows, values)

    def delete(self, values: list[int]) -> None:
        kept = {key: each for key, each in self.rows.items() if each not in values}
        self._commit(kept, [])

    def truncate(self) -> None:
        """For a stream its rows are gone (user-guide/streams-intro)."""
        self._commit({}, [])

    def _commit(self, rows: dict[int, int], added: list[int]) -> None:
        self.versions.append(rows)
        self.inserts.append(added)


@dataclass
class Stream:
    """A stream: no more than an offset between two versions of its table."""

    table: Table
    read_at: datetime
    append_only: bool = False
    retention: timedelta = timedelta(days=1)
    offset: int = -1

    def __post_init__(self) -> None:
        if self.offset < 0:
            self.offset = len(self.table.versions) - 1

    def look(self) -> list[Change]:
        """SELECT: the net change since the offset, which it leaves where it is.

        Standard: a row that came and went in between is not there. Append-only: what
        was inserted, whatever became of it (user-guide/streams-intro).
        """
        if self.append_only:
            later = self.table.inserts[self.offset + 1 :]
            return [("INSERT", value) for added in later for value in added]
        before, now = self.table.versions[self.offset], self.table.rows
        gone = [("DELETE", before[key]) for key in before if key not in now]
        new = [("INSERT", now[key]) for key in now if key not in before]
        return [*gone, *new]

    def read(self, now: datetime, *, commits: bool = True) -> list[Change]:
        """A DML that reads it: the offset moves when the transaction commits, and only
        then (user-guide/streams-intro).
        """
        found = self.look()
        if commits:
            self.offset = len(self.table.versions) - 1
            self.read_at = now
        return found if commits else []

    def has_data(self, now: datetime) -> bool:
        """SYSTEM$STREAM_HAS_DATA: never no where there is some; asked of an empty
        stream it keeps it from growing stale (sql-reference/functions/
        system_stream_has_data).
        """
        found = self.offset < len(self.table.versions) - 1
        if not found:
            self.read_at = now
        return found

    def is_stale(self, now: datetime) -> bool:
        """STALE_AFTER has passed: last consumption and the longer of retention and
        extension (sql-reference/sql/show-streams).
        """
        return now > self.read_at + max(self.retention, EXTENDED)
