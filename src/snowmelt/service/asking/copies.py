"""Copies of what is published, one for each run that somebody asks about.

A copy is made when it is asked for, once for a run, and removed when the next one is
there and nobody reads it any more. What viewers may not see is not in it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.clock import uuid7
from snowmelt.errors import UnreachableError, UsageError
from snowmelt.gold.relations import all_columns
from snowmelt.gold.run_history import published_run
from snowmelt.service.asking.readable import published_schemas, readable_tables
from snowmelt.service.asking.veil import Veil
from snowmelt.service.parts import Parts
from snowmelt.warehouse.duckdb.published_file import write_published
from snowmelt.warehouse.port import Session
from snowmelt.warehouse.sql import identifier

FOLDER = "published"
_ROOM_BYTES = 1 << 28


@dataclass
class Copy:
    """One file. `readers`: how many read it now."""

    path: Path
    run_id: str
    readers: int = field(default=0)


class Copies:
    """Makes and keeps copies of published tables below the project's spool."""

    def __init__(self, parts: Parts, veil: Veil, name: str) -> None:
        self._parts = parts
        self._veil = veil
        self._name = name
        self._making = threading.Lock()
        self._lock = threading.Lock()
        self._newest: Copy | None = None
        self.schemas = published_schemas(parts.project)

    @contextmanager
    def current(self) -> Iterator[Copy]:
        """Yield a copy of what is published now; it stays for the block.

        Raises UsageError before the first run.
        """
        with self._making:
            copy = self._up_to_date()
            with self._lock:
                copy.readers += 1
        try:
            yield copy
        finally:
            with self._lock:
                copy.readers -= 1
                self._remove_if_old(copy)

    def _up_to_date(self) -> Copy:
        with self._parts.warehouse.snapshot() as session:
            run_id = published_run(session)
        if run_id is None:
            raise UsageError("sql", "nothing is published yet", "snowmelt run")
        newest = self._newest
        if newest is not None and newest.run_id == run_id and newest.path.is_file():
            return newest
        copy = self._make()
        with self._lock:
            before, self._newest = self._newest, copy
            if before is not None:
                self._remove_if_old(before)
        return copy

    def _make(self) -> Copy:
        """Write a copy. What is published meanwhile is the next one's."""
        folder = self._parts.project.spool / FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        if shutil.disk_usage(folder).free < _ROOM_BYTES:
            raise UnreachableError("sql", "the disk has no room for a copy of gold")
        path = folder / f"{self._name}-{uuid7(self._parts.clock.now())}.duckdb"
        copy = Copy(path, "")

        def plan(session: Session) -> dict[tuple[str, str], str]:
            copy.run_id = published_run(session) or ""
            return self._queries(session)

        with self._parts.warehouse.session() as session:
            write_published(session, path, plan)
        return copy

    def _queries(self, session: Session) -> dict[tuple[str, str], str]:
        queries = {}
        columns_of = all_columns(session, self.schemas)
        for schema, table, _ in readable_tables(session, self.schemas):
            columns = [name for name, _ in columns_of[schema, table]]
            chosen = ", ".join(self._veil.select(schema, table, columns))
            relation = f"{identifier(schema)}.{identifier(table)}"
            queries[schema, table] = f"select {chosen} from {relation}"
        return queries

    def _remove_if_old(self, copy: Copy) -> None:
        """Remove a copy that is not the newest and that nobody reads."""
        if copy is not self._newest and not copy.readers:
            copy.path.unlink(missing_ok=True)
