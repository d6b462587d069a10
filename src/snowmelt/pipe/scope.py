"""Which of the files that a listing shows are offered to their pipes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import freed_files
from snowmelt.warehouse.port import Warehouse

STAGED_WITHIN = timedelta(days=7)
"""Under Snowpipe's rules a listing offers files no older than this."""


@dataclass(frozen=True)
class Scope:
    """What a person asked to be refreshed; nothing said means everything.

    `freed`: copies of what was superseded meanwhile, whose rows are nowhere else.
    """

    pipe_name: str | None = None
    prefix: str = ""
    modified_after: datetime | None = None
    names: frozenset[str] | None = None
    freed: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Was everything asked for?"""
        return self == Scope()

    def takes(self, file: StagedFile, pipe: Pipe | None) -> bool:
        """Is this file one that was asked for, or that follows from it?"""
        if file.name in self.freed:
            return True
        if self.pipe_name and (pipe is None or pipe.name != self.pipe_name):
            return False
        if self.modified_after and file.modified_at <= self.modified_after:
            return False
        if self.names is not None and file.name not in self.names:
            return False
        return file.name.startswith(self.prefix)


def widen(warehouse: Warehouse, scope: Scope, load_seqs: Sequence[int]) -> Scope:
    """Let a scope take the copies of what these loads superseded, too."""
    if scope.is_whole:
        return scope
    with warehouse.session() as session:
        freed = freed_files(session, load_seqs)
    return replace(scope, freed=scope.freed | set(freed))


def is_forgotten(file: StagedFile, pipe: Pipe | None, now: datetime) -> bool:
    """Is a file too old for a listing to offer it under Snowpipe's rules?"""
    if pipe is None or not pipe.snowpipe_compat:
        return False
    return now - staged_at(file) > STAGED_WITHIN


def staged_at(file: StagedFile) -> datetime:
    """Return when a file was put where it lies, as far as that can be known.

    A file of a folder may keep the modification time of its origin; the time of its
    inode's last change is that of its arrival, or later. A bucket has no inodes.
    """
    changed_ns = file.ctime_ns if file.inode else 0
    return datetime.fromtimestamp(max(file.mtime_ns, changed_ns) / 1e9, UTC)


def offered(
    listed: Sequence[StagedFile], pipes: Sequence[Pipe], scope: Scope, now: datetime
) -> list[StagedFile]:
    """Return the listed files to offer."""
    if scope.is_whole and not any(pipe.snowpipe_compat for pipe in pipes):
        return list(listed)
    chosen = []
    for file in listed:
        pipe = next((each for each in pipes if each.matches(file.name)), None)
        if scope.takes(file, pipe) and not is_forgotten(file, pipe, now):
            chosen.append(file)
    return chosen
