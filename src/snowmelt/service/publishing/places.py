"""Publishing what is gold now into one place."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from snowmelt.errors import ConfigError, SnowmeltError, UsageError
from snowmelt.gold.publish_config import PublishTarget
from snowmelt.gold.run_history import published_run
from snowmelt.landing.config import bucket_path
from snowmelt.landing.s3_client import open_aws
from snowmelt.observe.export.described import Models
from snowmelt.serve.publish.address import shown_dsn
from snowmelt.serve.publish.described import GoldTable, Relation, describe_gold
from snowmelt.serve.publish.embedded import READER
from snowmelt.serve.publish.parquet import (
    BucketShelf,
    FolderShelf,
    Keeping,
    Shelf,
    forget_old,
    publish_parquet,
)
from snowmelt.serve.publish.postgres import publishing
from snowmelt.serve.publish.prepared import Desk, Prepared, holds, is_unique, prepare
from snowmelt.serve.publish.publisher import Publisher, StateMovedError
from snowmelt.serve.publish.target import Stamp, Target
from snowmelt.serve.publish.types import postgres_type
from snowmelt.service.asking.readable import published_schemas
from snowmelt.service.parts import Parts
from snowmelt.service.publishing.record import Record, read_record, write_record
from snowmelt.warehouse.port import Session

BY_HAND = "by_hand_"
"""How places are named that snowmelt.yml does not know."""
TRIES_MAX = 5
"""So often a target that is changed by others meanwhile is looked at again."""


@dataclass(frozen=True)
class Place:
    """Where to publish, under a name. `dsn`: of Postgres, once it is known."""

    name: str
    target: PublishTarget
    dsn: str = ""

    @property
    def where(self) -> str:
        """The place as it may be shown."""
        if self.target.kind == "parquet":
            return str(self.target.parquet)
        return shown_dsn(self.dsn or str(self.target.postgres))

    def record(self) -> Record:
        """Return what is known of it before anything was published there."""
        is_embedded = READER in self.target.grant_to
        config = self.target
        return Record(self.name, config.kind, self.where, config.into, is_embedded)


_LOCKS: dict[Path, threading.Lock] = {}
_FINDING = threading.Lock()


def _one_at_a_time(folder: Path) -> threading.Lock:
    """Return the lock of a place, whoever of this process publishes there."""
    with _FINDING:
        return _LOCKS.setdefault(folder, threading.Lock())


def name_of(where: str) -> str:
    """Return a name for a place that snowmelt.yml does not name."""
    return f"{BY_HAND}{hashlib.sha256(where.encode()).hexdigest()[:10]}"


class Publishing:
    """Publishes into places, into each one at a time, and keeps a record of it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._models = Models(parts.project.root)
        self.stopping = threading.Event()

    def folder(self, name: str) -> Path:
        """Return where things are kept of a place."""
        return self._parts.project.published / name

    def publish(self, place: Place, *, whole: bool = False) -> Record:
        """Publish; the record says what came of it. Raises what it failed of."""
        folder, clock = self.folder(place.name), self._parts.clock
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = read_record(folder)
        if known is None or known.where != place.where:
            known = place.record()
        with _one_at_a_time(folder):
            began = clock.monotonic()
            try:
                run_id, tables, notes = self._publish(place, folder, whole=whole)
            except Exception as error:
                self._note(known.failed(*_told(error), clock.now()), folder)
                raise
            now = clock.now().isoformat()
            record = replace(
                known,
                run_id=run_id,
                published_at=now,
                seconds=round(clock.monotonic() - began, 3),
                tables=tables,
                notes=notes,
                problem=None,
                remedy="",
                failing_since=None,
                tried_at=now,
                tries=0,
            )
            write_record(folder, record)
            return record

    def _note(self, record: Record, folder: Path) -> None:
        """Put a failure down; of a place that was only mistyped nothing is kept."""
        if self.stopping.is_set():
            return
        if record.run_id is None and record.name.startswith(BY_HAND):
            shutil.rmtree(folder, ignore_errors=True)
            return
        write_record(folder, record)

    def _publish(
        self, place: Place, folder: Path, *, whole: bool
    ) -> tuple[str, list[dict[str, Any]], list[str]]:
        with self._opened() as (session, spool):
            run_id = published_run(session)
            if run_id is None:
                raise UsageError("publish", "nothing is published yet", "snowmelt run")
            schemas = published_schemas(self._parts.project)
            tables = describe_gold(session, self._models.refresh(), schemas)
            if place.target.kind == "parquet":
                return run_id, self._to_parquet(session, place, tables, spool), []
            _require_apart(tables)
            desk = Desk(folder, spool)
            sent, notes = self._to_postgres(session, place, tables, desk, whole=whole)
            return run_id, sent, notes

    @contextmanager
    def _opened(self) -> Iterator[tuple[Any, Path]]:
        spool = self._parts.project.spool
        with (
            tempfile.TemporaryDirectory(prefix="publish-", dir=spool) as folder,
            self._parts.warehouse.snapshot() as session,
        ):
            yield session, Path(folder)

    # Postgres

    def _to_postgres(
        self,
        session: Session,
        place: Place,
        tables: Sequence[GoldTable],
        desk: Desk,
        *,
        whole: bool,
    ) -> tuple[list[dict[str, Any]], list[str]]:
        config = place.target
        target = Target(
            place.dsn or str(config.postgres), config.into, tuple(config.grant_to)
        )
        clock = self._parts.clock
        run_id = published_run(session) or ""
        stamp = Stamp(self._parts.project.settings.name, run_id, clock.now())
        again = {table.name for table in tables} if whole else set()
        with publishing(target, clock, self.stopping) as publisher:
            for _ in range(TRIES_MAX):
                prepared = self._prepare(session, publisher, tables, desk, again)
                references, notes = _references(session, prepared)
                try:
                    sent = publisher.send(prepared, references, stamp)
                except StateMovedError as error:
                    again.add(str(error))
                    continue
                for each in prepared:
                    desk.forget_others(each.table, each.digest)
                publisher.tidy(sent)
                return [vars(each) for each in sent], notes
        raise ConfigError(place.where, "its tables are changed by others all the time")

    def _prepare(
        self,
        session: Session,
        publisher: Publisher,
        tables: Sequence[GoldTable],
        desk: Desk,
        again: set[str],
    ) -> list[Prepared]:
        state = publisher.state()
        return [
            prepare(
                session,
                table,
                desk,
                state.digests.get(table.name),
                whole=table.name in again,
            )
            for table in tables
        ]

    # Parquet

    def _to_parquet(
        self, session: Session, place: Place, tables: Sequence[GoldTable], spool: Path
    ) -> list[dict[str, Any]]:
        shelf, config = self._shelf(place), place.target
        now = self._parts.clock.now()
        run_id = published_run(session) or ""
        told = publish_parquet(session, tables, shelf, spool, (run_id, now))
        forget_old(shelf, Keeping(config.versions_max, config.versions_keep), now)
        return told

    def _shelf(self, place: Place) -> Shelf:
        given = str(place.target.parquet)
        try:
            bucket = bucket_path(given)
        except ValueError as error:
            raise ConfigError("publish parquet", str(error)) from None
        if bucket is not None:
            aws = open_aws(self._parts.project.settings.landing, self._parts.clock)
            return BucketShelf(aws.s3(), bucket.bucket, bucket.prefix)
        folder = self._parts.project.root / given
        inside = self._parts.project.state
        if folder.resolve().is_relative_to(inside.resolve()):
            raise ConfigError(given, "this folder is our own", "Choose another one.")
        return FolderShelf(folder)


def _told(error: Exception) -> tuple[str, str]:
    """Return what a failure was of, and what helps."""
    if isinstance(error, SnowmeltError):
        return f"{error.where}: {error.problem}", error.remedy
    return str(error), ""


def _require_apart(tables: Sequence[GoldTable]) -> None:
    """Raise ConfigError when two tables would be one."""
    names: dict[str, GoldTable] = {}
    for table in tables:
        other = names.setdefault(table.name, table)
        if other is not table:
            raise ConfigError(
                "publish", f"{other.full_name} and {table.full_name} have one name"
            )


def _references(
    session: Session, prepared: Sequence[Prepared]
) -> tuple[list[Relation], list[str]]:
    """Return references that hold in this snapshot, and what is told of the rest."""
    by_name = {p.table.full_name.lower(): p.table for p in prepared}
    notes = [
        f"{p.table.full_name}: ({', '.join(p.table.key)}) does not tell its rows apart"
        for p in prepared
        if p.table.key and not p.has_key
    ]
    found = []
    for each in prepared:
        for reference in each.table.references:
            parent = by_name.get(reference.parent.lower())
            column = parent and parent.column(reference.parent_column)
            if parent is None or column is None or parent is each.table:
                continue
            told = _why_not(session, each.table, reference.column, parent, column.name)
            if told:
                notes.append(f"{each.table.full_name}: no foreign key: {told}")
                continue
            names = each.table.name, reference.column, parent.name, column.name
            found.append(Relation(*names))
    return found, notes


def _why_not(
    session: Session, child: GoldTable, column: str, parent: GoldTable, field: str
) -> str:
    """Say why a reference cannot be a foreign key; empty if it can."""
    kinds = {
        postgres_type(each.type)
        for each in (child.column(column), parent.column(field))
        if each
    }
    if len(kinds) > 1:
        return f"{column} and {parent.full_name}.{field} have other types"
    if not is_unique(session, parent, field):
        return f"{parent.full_name}.{field} does not tell its rows apart"
    if not holds(session, child, column, parent, field):
        return f"{column} has values that {parent.full_name}.{field} lacks"
    return ""
