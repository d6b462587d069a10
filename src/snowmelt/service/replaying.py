"""The verbs for refused records: list, group, export, replay."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from snowmelt.bronze.reject_file import (
    FORMATS,
    Edits,
    export_rejects,
    read_edits,
)
from snowmelt.bronze.rejects import RejectFilter, group_rejects
from snowmelt.bronze.replay import Quarantined, Replayed, Replayer
from snowmelt.errors import UsageError
from snowmelt.events import RejectsReplayed, ReplayFinished, ReplayStarted
from snowmelt.serve.commands import Document
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    as_documents,
    rejects_document,
    run_document,
)
from snowmelt.service.loop import Loop
from snowmelt.service.pages.remembered import remembered
from snowmelt.service.quarantining import Quarantining
from snowmelt.service.questions import find_pipe, name_in_stage, read_instant
from snowmelt.transform.project_digest import project_digest
from snowmelt.warehouse.port import Row, Session

GROUP_COLUMNS = (
    *("pipe_name", "category", "column_name", "reason", "count", "first", "newest"),
)


def _all_groups(session: Session) -> list[Row]:
    return group_rejects(session, RejectFilter())


class Replaying:
    """Shows what was refused, and loads it once it is mended."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._parts = loop.parts

    def rejects(self, pipe: str | None, file: str | None, limit: int) -> Document:
        """Return refused records, one by one."""
        chosen = self._filter(pipe=pipe, file=file)
        with self._parts.warehouse.snapshot() as session:
            return rejects_document(session, chosen, limit)

    def reject_groups(self, pipe: str | None, file: str | None) -> Document:
        """Return refused records counted by what is wrong with them."""
        chosen = self._filter(pipe=pipe, file=file)
        warehouse = self._parts.warehouse
        with warehouse.snapshot() as session:
            if chosen == RejectFilter():
                rows = remembered(warehouse, session, _all_groups)
            else:
                rows = group_rejects(session, chosen)
        groups = as_documents(GROUP_COLUMNS, rows)
        return {
            "schema_version": SCHEMA_VERSION,
            "count": sum(group["count"] for group in groups),
            "groups": groups,
        }

    def export_rejects(
        self, path: str, file_format: str, pipe: str | None, file: str | None
    ) -> Document:
        """Write the open rejects to one file that can be corrected and given back."""
        if file_format not in FORMATS:
            known = ", ".join(FORMATS)
            raise UsageError(f"--format {file_format}", "no such format", f"{known}.")
        chosen = self._filter(pipe=pipe, file=file)
        with self._parts.warehouse.snapshot() as session:
            count = export_rejects(session, chosen, Path(path), file_format)
        return {"schema_version": SCHEMA_VERSION, "path": path, "count": count}

    def replay(self, edit: str | None = None, **filters: str | None) -> Document:
        """Try open rejects again under today's contracts, and publish.

        Raises UsageError for a filter that is none, and for an edited file that
        cannot be read or holds records that no load has refused.
        """
        chosen = self._filter(**filters)
        edits = read_edits(Path(edit)) if edit else None
        quarantined: Quarantined = {}
        if edits:
            quarantined = Quarantining(self._parts).open_rows()
            self._require_known(edit or "", edits, quarantined)
        replayed = self._replay(chosen, edits, quarantined)
        run = None
        if any(each.loaded for each in replayed):
            digest = project_digest(self._parts.project.root)
            run = self._parts.publication.publish(digest)
        return {
            "schema_version": SCHEMA_VERSION,
            "replayed": [vars(each) for each in replayed],
            "run": run_document(run),
        }

    def _replay(
        self, chosen: RejectFilter, edits: Edits | None, quarantined: Quarantined
    ) -> list[Replayed]:
        parts = self._parts
        replayer = Replayer(parts.warehouse, parts.clock, parts.project.spool)
        pipes = [
            pipe
            for pipe in parts.project.pipes
            if chosen.pipe_name in (None, pipe.name)
        ]
        replayed: list[Replayed] = []
        for pipe in pipes:
            started_at = parts.clock.now()
            with parts.loading.of(pipe.name):
                parts.events.emit(ReplayStarted(pipe.name, started_at))
                try:
                    found = replayer.replay(pipe, chosen, edits, quarantined)
                finally:
                    ended = ReplayFinished(pipe.name, started_at, parts.clock.now())
                    parts.events.emit(ended)
            for each in found:
                self._tell(pipe.name, each, started_at)
            replayed += found
        return replayed

    def _tell(self, pipe_name: str, replayed: Replayed, started_at: datetime) -> None:
        self._parts.events.emit(
            RejectsReplayed(
                pipe_name,
                replayed.file_name,
                replayed.origin,
                replayed.load_seq,
                replayed.tried,
                replayed.loaded,
                replayed.problem,
                started_at,
                self._parts.clock.now(),
            )
        )

    def _require_known(self, path: str, edits: Edits, quarantined: Quarantined) -> None:
        """Refuse a file of records that were never refused here."""
        with self._parts.warehouse.snapshot() as session:
            known = {
                load_seq
                for (load_seq,) in session.rows(
                    "select distinct load_seq from snowmelt.rejects "
                    "where load_seq in (select unnest($1::json::bigint[]))",
                    [list(edits)],
                )
            }
        strange = sorted(set(edits) - known - set(quarantined))
        if strange:
            raise UsageError(
                path,
                f"load {strange[0]} has refused nothing here",
                "Give back a file that was exported from this project.",
            )

    def _filter(
        self,
        *,
        pipe: str | None = None,
        file: str | None = None,
        since: str | None = None,
        until: str | None = None,
        **rest: Any,
    ) -> RejectFilter:
        """Read what a person chose. Raises UsageError for what is not there."""
        if pipe:
            find_pipe(self._parts.project, pipe)
        return RejectFilter(
            pipe_name=pipe,
            file_name=name_in_stage(self._parts, file) if file else None,
            since=read_instant("--since", since),
            until=read_instant("--until", until),
            **rest,
        )
