"""The real code, broken on purpose: each break has to be found by the simulation."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any
from unittest.mock import patch

from simulation.weave import WovenLock
from snowmelt.bronze import copy
from snowmelt.bronze.intake import Intake
from snowmelt.events import Event, Events, FileSettled
from snowmelt.pipe import history, identity
from snowmelt.pipe.attempts import Attempts
from snowmelt.pipe.pending import PendingFiles
from snowmelt.service import load_lanes
from snowmelt.service.loop import Loop
from snowmelt.warehouse.duckdb import warehouse
from snowmelt.warehouse.duckdb.warehouse import DuckDBSession

Mutation = AbstractContextManager[Any]
Mutate = Callable[[], Mutation]


def _apart(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do on a connection of its own, past the caller's transaction, what is asked."""

    @wraps(function)
    def outside(session: DuckDBSession, *words: Any) -> Any:
        return function(DuckDBSession(session._connection.cursor(), 0), *words)

    return outside


def history_before_rows() -> Mutation:
    """Load history is written by a transaction of its own."""
    return patch.object(copy, "insert_loads", _apart(history.insert_loads))


def settled_before_commit() -> Mutation:
    """A file counts as dealt with before its load is committed."""
    return patch.object(copy, "settle_files", _apart(history.settle_files))


def acknowledged_before_commit() -> Mutation:
    """A message is let go of when the load of its file begins."""

    def has(self: PendingFiles, name: str) -> bool:
        return name in self._settling or name in self._waiting

    return patch.object(PendingFiles, "has", has)


def attempts_left_open() -> Mutation:
    """A load that ended does not close its attempt."""
    return patch.object(Attempts, "end", lambda *_: None)


def nothing_superseded() -> Mutation:
    """The version before stays live."""
    return patch.object(copy, "supersede", lambda *_: None)


def twins_loaded() -> Mutation:
    """The same bytes under another name are loaded again."""
    return patch.object(identity, "_twin", lambda *_: None)


def commits_beside_one_another() -> Mutation:
    """Nobody waits for the commit lock: positions are drawn twice."""
    return patch.object(WovenLock, "acquire", lambda _: True)


def spool_left_full() -> Mutation:
    """The private copies of files are not removed."""
    return patch.object(Intake, "close", lambda _: None)


def told_twice() -> Mutation:
    """A sink hears twice of a load."""
    emit = Events.emit

    def twice(self: Events, event: Event) -> None:
        emit(self, event)
        if isinstance(event, FileSettled):
            emit(self, event)

    return patch.object(Events, "emit", twice)


def overtaken_forgotten() -> Mutation:
    """A version that was noticed while the one before it loaded is forgotten."""
    end = PendingFiles.end

    def forgets(self: PendingFiles, *words: Any) -> set[str]:
        end(self, *words)
        return set()

    return patch.object(PendingFiles, "end", forgets)


def changes_unnoticed() -> Mutation:
    """A load that could not be made is not tried again."""
    return patch.object(Loop, "_end_load", lambda self, loaded: _end(self, loaded))


def _end(loop: Loop, loaded: load_lanes.Loaded) -> None:
    loop.parts.pending.end(loaded.batch)


def log_left_to_the_engine() -> Mutation:
    """The engine takes in the log of a killed process as it closes the file."""
    return patch.object(warehouse, "_take_in_log", lambda *_: None)


MUTATIONS: list[Mutate] = [
    history_before_rows,
    settled_before_commit,
    acknowledged_before_commit,
    attempts_left_open,
    nothing_superseded,
    twins_loaded,
    commits_beside_one_another,
    spool_left_full,
    told_twice,
    overtaken_forgotten,
    changes_unnoticed,
    log_left_to_the_engine,
]
