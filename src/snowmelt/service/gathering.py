"""Files that wait for the rest of their batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from snowmelt.errors import ChangedError, UnreachableError
from snowmelt.events import BatchIncomplete, Events
from snowmelt.landing.stage import Stage, StagedFile
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.completeness import Group, WaitFor, group_files, read_manifest
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import settled_files
from snowmelt.pipe.pending import PendingFiles
from snowmelt.warehouse.port import Warehouse

_LOOK_AGAIN = timedelta(seconds=2)
_MANIFEST_BYTES_MAX = 1 << 24


class Gathering:
    """Lets the files of a pipe go when all of their batch are there."""

    def __init__(
        self, stage: Stage, warehouse: Warehouse, pending: PendingFiles, events: Events
    ) -> None:
        self._stage = stage
        self._warehouse = warehouse
        self.pending = pending
        self._events = events
        self._looked: dict[str, tuple[datetime, bool]] = {}
        self._read: dict[StagedFile, list[str]] = {}
        self._incomplete: dict[str, list[Group]] = {}
        self._told: set[tuple[str, str]] = set()

    def ready(self, pipe: Pipe, now: datetime) -> list[Pending]:
        """Return the whole files of a pipe that need not wait for others."""
        waiting = self.pending.waiting(pipe.name)
        wait_for = pipe.wait_for
        if wait_for is None or not waiting:
            self._incomplete.pop(pipe.name, None)
            return waiting
        manifests = self._manifests(wait_for)
        listed = sorted({name for names in manifests.values() for name in names})
        groups = group_files(
            wait_for,
            waiting,
            markers=self._markers(wait_for, waiting, now),
            manifests=manifests,
            known=self._known(listed),
        )
        self._incomplete[pipe.name] = [group for group in groups if group.missing]
        for group in self._incomplete[pipe.name]:
            if now - group.since > wait_for.deadline:
                self._tell(pipe.name, group, group.since + wait_for.deadline, now)
        return [each for group in groups if not group.missing for each in group.files]

    @property
    def count(self) -> int:
        """How many files wait for others."""
        return sum(
            len(group.files) for groups in self._incomplete.values() for group in groups
        )

    def forget_looks(self) -> None:
        """Look for every marker anew."""
        self._looked.clear()

    def incomplete(self) -> list[dict[str, object]]:
        """Return what waits for more, and for what."""
        return [
            {
                "pipe_name": pipe_name,
                "batch": group.key,
                "files": len(group.files),
                "missing": group.missing,
                "since": group.since,
            }
            for pipe_name, groups in self._incomplete.items()
            for group in groups
        ]

    def _markers(
        self, wait_for: WaitFor, waiting: Sequence[Pending], now: datetime
    ) -> dict[str, bool]:
        """Look for the marker in each folder; again after a while if it is absent."""
        if wait_for.marker is None:
            return {}
        found = {}
        for folder in {each.file.name.rpartition("/")[0] for each in waiting}:
            path = f"{folder}/{wait_for.marker}".lstrip("/")
            looked_at, is_there = self._looked.get(path, (None, False))
            if looked_at is None or is_there or now - looked_at >= _LOOK_AGAIN:
                is_there = self._is_there(path)
                self._looked[path] = (now, is_there)
            found[folder] = is_there
        return found

    def _is_there(self, path: str) -> bool:
        try:
            return self._stage.look(path) is not None
        except UnreachableError:
            return False  # the loop tells of it; the marker is looked for again

    def _manifests(self, wait_for: WaitFor) -> dict[str, list[str]]:
        """Return what each manifest lists; one that cannot be read lists nothing."""
        files = [
            file
            for file in self.pending.manifests.values()
            if wait_for.is_manifest(file.name)
        ]
        return {file.name: names for file in files if (names := self._names(file))}

    def _names(self, file: StagedFile) -> list[str]:
        if file in self._read:
            return self._read[file]
        if file.size > _MANIFEST_BYTES_MAX:
            return []
        try:
            content = b"".join(self._stage.chunks(file))
            names = read_manifest(content, file.name)
        except (ChangedError, UnreachableError):
            return []
        except ValueError as error:
            names = []
            self._events.emit(
                BatchIncomplete("", file.name, f"a manifest that can be read: {error}")
            )
        self._read[file] = names
        return names

    def _known(self, names: list[str]) -> frozenset[str]:
        if not names:
            return frozenset()
        with self._warehouse.session() as session:
            return frozenset(settled_files(session, names))

    def _tell(
        self, pipe_name: str, group: Group, due_at: datetime, now: datetime
    ) -> None:
        """Put on record, once, that a batch is overdue."""
        if (pipe_name, group.key) in self._told:
            return
        self._told.add((pipe_name, group.key))
        detail = {
            "batch": group.key,
            "missing": group.missing,
            "files": [each.file.name for each in group.files[:100]],
        }
        with self._warehouse.session() as session:
            session.insert(
                "snowmelt.pipe_events",
                {
                    "pipe_name": [pipe_name],
                    "event": ["batch"],
                    "state": ["late"],
                    "due_at": [due_at],
                    "happened_at": [now],
                    "detail": [json.dumps(detail, ensure_ascii=False)],
                },
            )
        missing = group.missing or ""
        self._events.emit(BatchIncomplete(pipe_name, group.key, missing))
