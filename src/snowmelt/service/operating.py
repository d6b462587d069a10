"""The verbs that stop and start: pause and resume a pipe, hold and release a file."""

from __future__ import annotations

from snowmelt.errors import UsageError
from snowmelt.pipe.held import (
    HeldDecision,
    HeldReason,
    decide_held,
    hold_file,
    insert_held,
)
from snowmelt.pipe.history import settled_files
from snowmelt.pipe.pause import paused_pipes, record_state
from snowmelt.pipe.pending import is_settled
from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, plain
from snowmelt.service.loop import Loop
from snowmelt.service.questions import find_pipe, find_staged, name_in_stage


class Operating:
    """Changes what waits; what is under way ends as it would have."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._parts = loop.parts

    def pause(self, pipe: str, reason: str | None) -> Document:
        """Let a pipe's files wait until it is resumed; again changes nothing."""
        name = find_pipe(self._parts.project, pipe, "pause").name
        now = self._parts.clock.now()
        with self._loop.lock, self._parts.warehouse.session() as session:
            before = paused_pipes(session).get(name)
            if before is None:
                record_state(session, name, "PAUSED", reason, now)
                self._parts.pending.paused.add(name)
        since, why = (before.since, before.reason) if before else (now, reason)
        return self._state(name, "PAUSED") | {
            "changed": before is None,
            "paused_since": plain(since),
            "reason": why,
        }

    def resume(self, pipe: str) -> Document:
        """Let a pipe go on with what waits, and list the stage for what it missed."""
        name = find_pipe(self._parts.project, pipe, "resume").name
        now = self._parts.clock.now()
        with self._loop.lock, self._parts.warehouse.session() as session:
            before = paused_pipes(session).get(name)
            if before is not None:
                record_state(session, name, "RUNNING", None, now)
                self._parts.pending.paused.discard(name)
                self._loop.ask_refresh()
        return self._state(name, "RUNNING") | {
            "changed": before is not None,
            "was_stale": before is not None and before.is_stale(now),
        }

    def _state(self, name: str, state: str) -> Document:
        with self._loop.lock:
            states = self._parts.pending.states()
        pending = sum(each["pipe_name"] == name for each in states)
        return {
            "schema_version": SCHEMA_VERSION,
            "pipe_name": name,
            "execution_state": state,
            "pending": pending,
        }

    def hold(self, file: str, reason: str | None) -> Document:
        """Let one version of a file wait for a decision.

        Raises UsageError when it is not there, is being loaded, or was dealt with:
        then nothing waits.
        """
        staged, pipe = find_staged(self._parts, file)
        pending, now = self._parts.pending, self._parts.clock.now()
        with self._loop.lock, self._parts.warehouse.session() as session:
            states = {each["file_name"]: each["state"] for each in pending.states()}
            state = states.get(staged.name)
            if state == "loading":
                raise UsageError(
                    file,
                    "it is being loaded",
                    f"See what comes of it: snowmelt why {staged.name}",
                )
            known = settled_files(session, [staged.name]).get(staged.name)
            if state is None and known and is_settled(staged, known, pipe):
                raise UsageError(
                    file,
                    f"this version of it was dealt with: {known.settled}",
                    f"See: snowmelt why {staged.name}",
                )
            detail = {"reason": reason} if reason else {}
            held = hold_file(staged, pipe.name, HeldReason.PERSON, detail, now)
            with session.transaction():
                insert_held(session, [held])
            pending.hold([held])
        return {
            "schema_version": SCHEMA_VERSION,
            "file_name": staged.name,
            "pipe_name": pipe.name,
            "state": "held",
            "held_at": plain(now),
            "reason": reason,
        }

    def release(self, file: str) -> Document:
        """Let a held file go on. Raises UsageError when it is not held."""
        name = name_in_stage(self._parts, file)
        now = self._parts.clock.now()
        with self._loop.lock, self._parts.warehouse.session() as session:
            held = self._parts.pending.held.get(name)
            if held is not None and held.reason is HeldReason.DRIFT:
                raise UsageError(
                    file,
                    "it is held for its columns",
                    f"Decide: snowmelt drift approve {name}, or drift reject {name}",
                )
            with session.transaction():
                was_held = decide_held(session, name, HeldDecision.RELEASED, now)
            if not was_held:
                raise UsageError(file, "it is not held", "See: snowmelt status")
            self._parts.pending.release(name)
            self._loop.ask_refresh()
        return {
            "schema_version": SCHEMA_VERSION,
            "file_name": name,
            "state": "released",
        }
