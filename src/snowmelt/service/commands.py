"""The verbs, answered by the process that owns the warehouse."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from snowmelt.bronze.copy import REJECTS_OF_FAILED_MAX
from snowmelt.bronze.replay import Replayer
from snowmelt.errors import ConfigError, RunError, UnreachableError, UsageError
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import close_attempts, next_load_seq, open_attempts
from snowmelt.serve.commands import Document
from snowmelt.service.checking import check_file
from snowmelt.service.documents import (
    SCHEMA_VERSION,
    history_document,
    last_run_document,
    loads_since,
    pipe_documents,
    plain,
    rejects_document,
    run_document,
)
from snowmelt.service.explaining import explain
from snowmelt.service.loop import Loop
from snowmelt.transform.dbt import Dbt, project_digest


class OwnCommands:
    """Answers from a loop. `serving`: another thread turns it; else each verb does."""

    def __init__(self, loop: Loop, *, serving: bool) -> None:
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving

    def status(self) -> Document:
        project, pending = self._parts.project, self._parts.pending
        if not self._serving:
            self._look()
        with self._loop.lock:
            waiting = pending.states()
            unmatched = sorted(pending.unmatched)
        with self._parts.warehouse.snapshot() as session:
            pipes = pipe_documents(session, project.pipes)
            last_run = last_run_document(session)
        for pipe in pipes:
            own = [each for each in waiting if each["pipe_name"] == pipe["pipe_name"]]
            pipe["pending"] = len(own)
            pipe["oldest_pending"] = plain(min((e["since"] for e in own), default=None))  # type: ignore[type-var]
        limits = project.settings
        return {
            "schema_version": SCHEMA_VERSION,
            "project": limits.name,
            "service": {"running": self._serving, "pid": os.getpid()},
            "landing": project.location,
            "problems": self._problems(),
            "pipes": pipes,
            "pending": plain(waiting),
            "unmatched": unmatched,
            "last_run": last_run,
            "limits": {
                "settle_seconds": limits.landing.settle.total_seconds(),
                "settle_max_seconds": limits.landing.settle_max.total_seconds(),
                "refresh_every_seconds": limits.landing.refresh_every.total_seconds(),
                "linger_seconds": limits.load.linger.total_seconds(),
                "batch_files_max": limits.load.batch_files_max,
                "batch_bytes_max": limits.load.batch_bytes_max,
                "publish_wait_max_seconds": limits.publish.wait_max.total_seconds(),
                "failing_rows_max": limits.publish.failing_rows_max,
                "rejects_of_failed_max": REJECTS_OF_FAILED_MAX,
            },
        }

    def history(self, pipe: str | None, status: str | None, limit: int) -> Document:
        if pipe:
            self._pipe(pipe)
        with self._parts.warehouse.snapshot() as session:
            return history_document(session, pipe, status, limit)

    def rejects(self, pipe: str | None, file: str | None, limit: int) -> Document:
        if pipe:
            self._pipe(pipe)
        with self._parts.warehouse.snapshot() as session:
            return rejects_document(session, pipe, file, limit)

    def check(self, file: str, pipe: str | None) -> Document:
        chosen = self._pipe(pipe) if pipe else None
        return check_file(self._parts, Path(file), chosen)

    def why(self, target: str) -> Document:
        if not self._serving:
            self._look()
        with self._loop.lock:
            return explain(self._parts, target)

    def run(self, on_error: str | None) -> Document:
        with self._parts.warehouse.session() as session:
            before = next_load_seq(session) - 1
        if on_error == "abort_statement":
            self._load_all_or_nothing()
        problems_before = self._loop.problem_count
        run_before = self._loop.last_run
        self._loop.ask_refresh()
        self._loop.ask_run()
        self._wait_until_quiet()
        if self._loop.stage_problem:
            raise UnreachableError("the landing folder", self._loop.stage_problem)
        with self._parts.warehouse.snapshot() as session:
            loads = loads_since(session, before)
        last_run = self._loop.last_run
        with self._loop.lock:
            new = self._loop.problem_count - problems_before
            problems = self._loop.problems[-new:] if new else []
            unmatched = sorted(self._parts.pending.unmatched)
            settling = [
                each["file_name"]
                for each in self._parts.pending.states()
                if each["state"] == "settling"
            ]
        return {
            "schema_version": SCHEMA_VERSION,
            "loads": loads,
            "row_count": sum(load["row_count"] for load in loads),
            "error_count": sum(load["error_count"] for load in loads),
            "unmatched": unmatched,
            "settling": settling,
            "problems": problems,
            "run": run_document(last_run if last_run is not run_before else None),
        }

    def rebuild(self) -> Document:
        digest = project_digest(self._parts.project.root)
        result = self._parts.publication.publish(digest, rebuild=True)
        return {"schema_version": SCHEMA_VERSION, "run": run_document(result)}

    def replay(self, pipe: str | None, file: str | None) -> Document:
        pipes = [self._pipe(pipe)] if pipe else self._parts.project.pipes
        replayer = Replayer(
            self._parts.warehouse, self._parts.clock, self._parts.project.spool
        )
        with self._parts.loading:
            replayed = [
                each for chosen in pipes for each in replayer.replay(chosen, file)
            ]
        run = None
        if any(each.loaded for each in replayed):
            digest = project_digest(self._parts.project.root)
            run = self._parts.publication.publish(digest)
        return {
            "schema_version": SCHEMA_VERSION,
            "replayed": [
                {
                    "file_name": each.file_name,
                    "tried": each.tried,
                    "loaded": each.loaded,
                    "load_seq": each.load_seq,
                }
                for each in replayed
            ],
            "run": run_document(run),
        }

    def query(self, sql: str, limit: int | None) -> Document:
        self._parts.warehouse.require_query(sql)
        with self._parts.warehouse.snapshot() as session:
            try:
                table = session.table(sql, limit=limit)
            except Exception as error:
                raise UsageError("sql", str(error).strip()) from error
        return {"columns": table.columns, "rows": [plain(row) for row in table.rows]}

    def validate(self) -> Document:
        dbt = Dbt(self._parts.project.root, self._parts.project.warehouse_path)
        with self._parts.warehouse.session() as session:
            dbt.parse(session)
        return {
            "schema_version": SCHEMA_VERSION,
            "project": self._parts.project.settings.name,
            "pipes": [pipe.name for pipe in self._parts.project.pipes],
        }

    def _problems(self) -> list[str]:
        unreadable = [
            f"{self._parts.stage.location}/{folder}: this folder cannot be read"
            for folder in self._parts.stage.unreadable
        ]
        stage = [self._loop.stage_problem] if self._loop.stage_problem else []
        return [*stage, *unreadable, *self._loop.problems]

    def _pipe(self, name: str) -> Pipe:
        pipe = next((p for p in self._parts.project.pipes if p.name == name), None)
        if pipe is None:
            known = ", ".join(p.name for p in self._parts.project.pipes)
            raise UsageError(f"--pipe {name}", "no such pipe", f"Known: {known}.")
        return pipe

    def _look(self) -> None:
        """See what is pending now, without loading anything."""
        self._loop.look()

    def _wait_until_quiet(self) -> None:
        """Return when nothing is left to load or publish.

        A file that still changes after `landing.settle_max` is left for later, and so
        are files that keep arriving at a service.
        """
        clock, never = self._parts.clock, threading.Event()
        longest = self._parts.project.settings.landing.settle_max.total_seconds()
        give_up_at = clock.monotonic() + longest
        while True:
            late = clock.monotonic() >= give_up_at
            if self._loop.is_quiet(settling_too=not late):
                return
            if self._serving:
                if self._loop.stopping:
                    raise UnreachableError("the service", "it is stopping")
                if late and self._loop.run_lane.idle and self._loop.load_lanes.idle:
                    return
                clock.wait(never, 0.02)
                continue
            self._loop.wake.clear()
            self._loop.turn()
            if not self._loop.is_quiet(settling_too=not late):
                clock.wait(self._loop.wake, self._loop.seconds_to_next())

    def _load_all_or_nothing(self) -> None:
        """Load every pending file in one transaction, or none of them.

        Raises RunError naming the first error; nothing is recorded then.
        """
        if self._serving:
            raise ConfigError(
                "--on-error abort_statement",
                "the running service loads files as they come",
                "Stop it first.",
            )
        waiting = self._settled_files()
        parts = self._parts
        with parts.warehouse.session() as session:
            batches = []
            try:
                for pipe, files in waiting:
                    names = [each.file.name for each in files]
                    open_attempts(session, names, pipe.name, parts.clock.now())
                    aborting = pipe.model_copy(update={"on_error": "skip_file"})
                    parts.pending.begin(files)
                    prepared = parts.copier.prepare(session, aborting, files)
                    prepared = replace(prepared, pipe=pipe)
                    batches.append(prepared)
                    for outcome in prepared.outcomes:
                        outcome.record = replace(
                            outcome.record, error_limit="abort_statement"
                        )
                    if prepared.errors:
                        first = prepared.errors[0]
                        line = first.first_error_line_number
                        raise RunError(
                            first.file_name + (f":{line}" if line else ""),
                            f"{first.first_error_column_name or 'the file'}: "
                            f"{first.first_error_message}. Nothing was loaded",
                            "Correct the file, or run without --on-error.",
                        )
                with parts.warehouse.commit_lock, session.transaction():
                    parts.copier.commit(session, batches)
            finally:
                for prepared in batches:
                    prepared.close()
                for _, files in waiting:
                    parts.pending.end(files)
                    close_attempts(session, [each.file.name for each in files])

    def _settled_files(self) -> Sequence[tuple[Pipe, list[Pending]]]:
        """Wait until every file has rested, and return them by pipe."""
        parts = self._parts
        self._look()
        while parts.pending.next_rest() is not None:
            parts.clock.wait(self._loop.wake, self._loop.seconds_to_next())
            self._look()
        return [
            (pipe, parts.pending.waiting(pipe.name))
            for pipe in parts.project.pipes
            if parts.pending.waiting(pipe.name)
        ]
