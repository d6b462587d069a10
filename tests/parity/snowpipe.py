"""A double of Snowpipe and COPY by the documented rules: no more than our reading.

Each rule names the page that it is read from, below https://docs.snowflake.com/en/.
Time is told by whoever asks. What is not documented is not here: how long a load takes,
in which order files that wait are loaded, how files are split into transactions.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PIPE_KEEPS = timedelta(days=14)
"""A pipe's load history (user-guide/data-load-snowpipe-intro)."""
TABLE_KEEPS = timedelta(days=64)
"""A table's, of bulk loads (user-guide/data-load-considerations-load)."""
REFRESH_REACHES = timedelta(days=7)
"""How far back REFRESH looks (sql-reference/sql/alter-pipe)."""
EVENTS_KEPT = timedelta(days=14)
"""What a paused pipe was told (user-guide/data-load-snowpipe-manage)."""


@dataclass(frozen=True)
class Object:
    """One version of a file in the bucket."""

    content: str
    modified_at: datetime

    @property
    def key(self) -> str:
        """METADATA$FILE_CONTENT_KEY and ETag (user-guide/querying-metadata)."""
        return hashlib.md5(self.content.encode(), usedforsecurity=False).hexdigest()

    @property
    def records(self) -> list[int | None]:
        """The records, None for one that has no number.

        MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE: what the table does not have is not
        loaded, what the file does not have is NULL, and one column has to match
        (sql-reference/sql/copy-into-table). Of JSON each object is a record, whatever
        is in it (user-guide/semistructured-data-formats).
        """
        if self.content.startswith("{"):
            told = [json.loads(line) for line in self.content.split("\n") if line]
            found = [each.get("id") for each in told]
            return [each if isinstance(each, int) else None for each in found]
        header, *lines = self.content.split("\n")
        names = header.lower().split(",")
        if "id" not in names:
            return [None]
        words = [line.split(",")[names.index("id")] for line in lines if line]
        return [int(each) if each.isdigit() else None for each in words]


@dataclass(frozen=True)
class Stored:
    """A row of the table, with what INCLUDE_METADATA puts beside it."""

    id: int
    file: str
    file_row: int
    content_key: str
    version_at: datetime
    loaded_at: datetime


@dataclass
class Table:
    """A table, and what bulk COPY remembers of it."""

    rows: list[Stored] = field(default_factory=list)
    copied: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    """COPY_HISTORY: the file and its status, in order."""

    def load(self, path: str, found: Object, on_error: str, now: datetime) -> str:
        """Load one file; return its status as COPY_HISTORY has it."""
        records = found.records
        errors = sum(each is None for each in records)
        if errors and skips(on_error, len(records), errors):
            self.history.append((path, "Load failed"))
            return "Load failed"
        self.rows += [
            Stored(each, path, at, found.key, found.modified_at, now)
            for at, each in enumerate(records, start=1)
            if each is not None
        ]
        status = "Partially loaded" if errors else "Loaded"
        self.history.append((path, status))
        return status

    def copy(self, bucket: Bucket, pattern: str, on_error: str, now: datetime) -> None:
        """COPY INTO: knows a file by name and ETag, of this table, for 64 days.

        user-guide/data-load-considerations-load; what failed is tried again; what
        pipes loaded it does not know (user-guide/data-load-snowpipe-intro).
        """
        for path, found in bucket.matching(pattern):
            key, at = self.copied.get(path, ("", now))
            if key == found.key and now - at < TABLE_KEEPS:
                continue
            if self.load(path, found, on_error, now) != "Load failed":
                self.copied[path] = (found.key, now)


def skips(on_error: str, parsed: int, errors: int) -> bool:
    """Does a file with errors contribute nothing? sql-reference/sql/copy-into-table:
    SKIP_FILE_<n> at n errors or more, 'SKIP_FILE_<n>%' above n percent.
    """
    if on_error == "continue":
        return False
    limit = on_error.removeprefix("skip_file").removeprefix("_")
    if not limit:
        return True
    if limit.endswith("%"):
        return errors * 100 > int(limit[:-1]) * parsed
    return errors >= int(limit)


@dataclass
class Bucket:
    """Files below the stage; what is written tells the pipes that listen."""

    objects: dict[str, Object] = field(default_factory=dict)
    listening: list[Pipe] = field(default_factory=list)

    def put(self, path: str, content: str, now: datetime, *, told: bool = True) -> None:
        """Write a file, over one of its name; a notification may get lost."""
        self.objects[path] = Object(content, now)
        for pipe in self.listening:
            if told:
                pipe.hear(path, now)

    def matching(self, pattern: str) -> Iterable[tuple[str, Object]]:
        """Yield files whose path below the stage the pattern fits, as a whole."""
        for path, found in sorted(self.objects.items()):
            if re.fullmatch(pattern, path):
                yield path, found


@dataclass
class Pipe:
    """A pipe with AUTO_INGEST."""

    bucket: Bucket
    table: Table
    pattern: str
    made_at: datetime
    """CREATED of PIPES (sql-reference/info-schema/pipes)."""
    on_error: str = "skip_file"
    known: dict[str, datetime] = field(default_factory=dict)
    """By path alone, loaded or failed; the ETag is not looked at
    (user-guide/data-load-snowpipe-ts)."""
    waiting: list[tuple[str, datetime]] = field(default_factory=list)
    paused: bool = False

    def __post_init__(self) -> None:
        self.bucket.listening.append(self)

    def hear(self, path: str, now: datetime) -> None:
        """Note what a notification says; a paused pipe notes it too."""
        self.waiting.append((path, now))

    def turn(self, now: datetime) -> None:
        """Load what waits. Notifications may repeat: the history decides."""
        if self.paused:
            return
        heard, self.waiting = self.waiting, []
        for path, at in heard:
            if now - at < EVENTS_KEPT:
                self._ingest(path, now)

    def refresh(self, now: datetime, since: datetime | None = None) -> None:
        """ALTER PIPE … REFRESH: files of the last 7 days that neither the pipe's
        history nor the table's knows (user-guide/data-load-snowpipe-manage); with
        MODIFIED_AFTER those that were staged since, 7 days back at most
        (sql-reference/sql/alter-pipe).
        """
        if since is not None and now - since > REFRESH_REACHES:
            raise ValueError(f"MODIFIED_AFTER is more than 7 days back: {since}")
        oldest = since or now - REFRESH_REACHES
        for path, found in self.bucket.matching(self.pattern):
            key, at = self.table.copied.get(path, ("", now))
            is_copied = key == found.key and now - at < TABLE_KEEPS
            if found.modified_at > oldest and not is_copied:
                self.hear(path, now)
        self.turn(now)

    def recreate(self, pattern: str, now: datetime) -> None:
        """CREATE OR REPLACE PIPE: what it loaded is forgotten, and what it was told
        and had not loaded (user-guide/data-load-snowpipe-manage).
        """
        self.pattern, self.made_at = pattern, now
        self.known, self.waiting, self.paused = {}, [], False

    def _ingest(self, path: str, now: datetime) -> None:
        found = self.bucket.objects.get(path)
        if found is None or not re.fullmatch(self.pattern, path):
            return
        if path in self.known and now - self.known[path] < PIPE_KEEPS:
            return
        self.known[path] = now
        self.table.load(path, found, self.on_error, now)
