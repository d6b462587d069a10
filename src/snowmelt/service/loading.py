"""The verbs that load files: run, refresh, reload."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

from snowmelt.errors import ConfigError, RunError, UnreachableError, UsageError
from snowmelt.gold.run_result import RunResult
from snowmelt.pipe.batch import Pending
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.history import (
    failed_files,
    next_load_seq,
)
from snowmelt.pipe.scope import Scope, is_forgotten
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, loads_since, run_document
from snowmelt.service.loop import Loop
from snowmelt.service.questions import find_pipe, find_staged, read_instant
from snowmelt.service.telling import tell_settled


@dataclass(frozen=True)
class _Before:
    """How things stood before a verb: what is new after it is its own."""

    load_seq: int
    problems: int
    run: RunResult | None


class Loading:
    """Loads what is asked for, and waits until it is published.

    A running service loads everything as it comes: then a verb for some files only
    makes sure of these. Without one, a verb for some files loads no others.
    """

    def __init__(
        self, loop: Loop, *, serving: bool, given_up: threading.Event | None = None
    ) -> None:
        """`given_up`: nobody waits for this any more, once it is set."""
        self._loop = loop
        self._parts = loop.parts
        self._serving = serving
        self._given_up = given_up or threading.Event()

    def run(self, on_error: str | None) -> Document:
        """Load all that is pending, build, test, publish."""
        before = self._before()
        if on_error == "abort_statement":
            self._load_all_or_nothing()
        return self._load_and_publish(before)

    def refresh(
        self, pipe: str | None, prefix: str | None, modified_after: str | None
    ) -> Document:
        """List the stage now, and load what is new of what was asked for."""
        if pipe:
            find_pipe(self._parts.project, pipe)
        after = read_instant("--modified-after", modified_after)
        scope = Scope(pipe, prefix or "", after)
        self._retry_registered(scope)
        return self._load_and_publish(self._before(), scope)

    def _retry_registered(self, scope: Scope) -> None:
        """Under Snowpipe's rules a failed file is tried again only when asked."""
        parts = self._parts
        pipes = [pipe for pipe in parts.project.pipes if pipe.snowpipe_compat]
        with parts.warehouse.snapshot() as session:
            failed = [(pipe, failed_files(session, pipe.name)) for pipe in pipes]
        now = parts.clock.now()
        names = [
            file.name
            for pipe, files in failed
            for file in map(parts.stage.look, files)
            if file and scope.takes(file, pipe) and not is_forgotten(file, pipe, now)
        ]
        with self._loop.lock:
            parts.pending.ask_reload(names)

    def reload(self, files: Sequence[str]) -> Document:
        """Load files again although they are loaded.

        Raises UsageError for a file that is not there, is held, is just being
        loaded, or whose pipe is paused or missing.
        """
        if not files:
            raise UsageError("reload", "no file is named", "snowmelt reload FILE...")
        chosen = [find_staged(self._parts, str(given)) for given in files]
        before = self._before()
        with self._loop.lock:
            for file, pipe in chosen:
                self._require_free(file.name, pipe)
            names = [file.name for file, _ in chosen]
            self._parts.pending.ask_reload(names)
            self._loop.offer([file for file, _ in chosen])
        return self._load_and_publish(before, Scope(names=frozenset(names)))

    def _require_free(self, name: str, pipe: Pipe) -> None:
        pending = self._parts.pending
        if pipe.name in pending.paused:
            raise UsageError(
                name,
                f"pipe {pipe.name} is paused",
                f"Resume it first: snowmelt resume {pipe.name}",
            )
        if name in pending.held:
            raise UsageError(
                name, "it is held", f"Release it first: snowmelt release {name}"
            )
        states = {each["file_name"]: each["state"] for each in pending.states()}
        if states.get(name) == "loading":
            raise UsageError(name, "it is being loaded", "Try again when it is done.")

    def _before(self) -> _Before:
        with self._parts.warehouse.session() as session:
            load_seq = next_load_seq(session) - 1
        return _Before(load_seq, self._loop.problem_count, self._loop.last_run)

    def _load_and_publish(
        self, before: _Before, scope: Scope | None = None
    ) -> Document:
        """Turn until nothing is left to do, and tell what was done since `before`."""
        loop, warned = self._loop, set(self._loop.warnings)
        if scope is not None and not self._serving:
            loop.arrivals.scope = scope
        loop.ask_refresh()
        loop.ask_run()
        try:
            self.wait_until_quiet()
        finally:
            loop.arrivals.scope = Scope()
        if loop.stage_problem:
            raise UnreachableError("the landing folder", loop.stage_problem)
        with self._parts.warehouse.snapshot() as session:
            loads = loads_since(session, before.load_seq)
        last_run = loop.last_run
        with loop.lock:
            new = loop.problem_count - before.problems
            problems = loop.problems[-new:] if new else []
            unmatched = sorted(self._parts.pending.unmatched)
            states = self._parts.pending.states()
        settling = [e["file_name"] for e in states if e["state"] == "settling"]
        return {
            "schema_version": SCHEMA_VERSION,
            "loads": loads,
            "row_count": sum(load["row_count"] for load in loads),
            "error_count": sum(load["error_count"] for load in loads),
            "unmatched": unmatched,
            "settling": settling,
            "held": [e["file_name"] for e in states if e["state"] == "held"],
            "paused": sorted(self._parts.pending.paused),
            "problems": problems,
            "warnings": [told for told in loop.warnings if told not in warned],
            "run": run_document(last_run if last_run is not before.run else None),
        }

    def wait_until_quiet(self) -> None:
        """Return when nothing is left to load or publish.

        A file that still changes after `landing.settle_max` is left for later, and so
        are files that keep arriving at a service. Without one, what was loaded until
        then is published once, not in parts that each cost a run.
        """
        clock = self._parts.clock
        longest = self._parts.project.settings.landing.settle_max.total_seconds()
        give_up_at = clock.monotonic() + longest
        while True:
            late = clock.monotonic() >= give_up_at
            loading = self._loop.is_loading
            self._loop.publishes_once = not self._serving and (loading or not late)
            if self._loop.is_quiet(settling_too=not late):
                return
            if self._serving:
                if self._loop.stopping:
                    raise UnreachableError("the service", "it is stopping")
                if late and self._loop.run_lane.idle and self._loop.load_lanes.idle:
                    return
                if clock.wait(self._given_up, 0.02):
                    raise RunError("run", "nobody waits for it any more")
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
                    parts.attempts.begin(names)
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
                for outcome in (each for b in batches for each in b.outcomes):
                    tell_settled(parts.events, outcome)
            finally:
                for prepared in batches:
                    prepared.close()
                for _, files in waiting:
                    parts.pending.end(files)
                    parts.attempts.end(each.file.name for each in files)

    def _settled_files(self) -> Sequence[tuple[Pipe, list[Pending]]]:
        """Wait until every file has rested, and return them by pipe."""
        parts = self._parts
        self._loop.look()
        while parts.pending.next_rest() is not None:
            parts.clock.wait(self._loop.wake, self._loop.seconds_to_next())
            self._loop.look()
        return [
            (pipe, parts.pending.waiting(pipe.name))
            for pipe in parts.project.pipes
            if parts.pending.waiting(pipe.name)
        ]
