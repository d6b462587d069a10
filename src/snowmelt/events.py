"""What happened, told in the past tense to whoever listens.

Stages emit; sinks (progress, log, metrics) listen. A sink that fails is dropped with
a warning: it never fails a load. What a thread is at (`concerning`) goes with every
line that is logged on it.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

log = logging.getLogger("snowmelt")


@dataclass(frozen=True)
class FilesFound:
    """Files became pending. `way`: notification, listing, or request of a person."""

    files: int
    way: str
    found_at: datetime


@dataclass(frozen=True)
class CopyStarted:
    """A batch of files of one pipe is being read; others of it are left, as known."""

    pipe_name: str
    files: int
    file_bytes: int
    left_files: int
    left_bytes: int
    started_at: datetime


@dataclass(frozen=True)
class CopyFinished:
    """A batch was dealt with; `problem`: why nothing of it was copied."""

    pipe_name: str
    files: int
    first_file: str
    started_at: datetime
    ended_at: datetime
    problem: str | None


@dataclass(frozen=True)
class FileSettled:
    """One file has a record in load history, or was found unchanged.

    `load_seq` is 0 of one that is unchanged. `ended_at`: when its load was committed.
    """

    pipe_name: str
    file_name: str
    status: str
    row_count: int
    error_count: int
    first_error: str | None
    row_parsed: int
    file_bytes: int
    load_seq: int
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class RejectsReplayed:
    """Refused records of one load were tried again; `problem`: why none was loaded."""

    pipe_name: str
    file_name: str
    replay_of: int
    load_seq: int | None
    tried: int
    row_count: int
    problem: str | None
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class ActionEnded:
    """A file was archived, tagged or purged after its load, or could not be.

    `state`: done or failed. `told`: what went wrong, or why it was left alone.
    """

    pipe_name: str
    file_name: str
    load_seq: int
    action: str
    state: str
    told: str | None
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class ContentRepeated:
    """A file was loaded although a live load has the same bytes."""

    pipe_name: str
    file_name: str
    load_seq: int
    repeats: int


@dataclass(frozen=True)
class BatchIncomplete:
    """Files have waited for the rest of their batch for longer than they may."""

    pipe_name: str
    batch: str
    missing: str


@dataclass(frozen=True)
class FreshnessChanged:
    """A pipe's expected file is late, missing, or there again.

    `lag_seconds`: how long before that the pipe's newest rows were loaded, if any.
    """

    pipe_name: str
    state: str
    due_at: datetime
    judged_at: datetime
    lag_seconds: float | None


@dataclass(frozen=True)
class RunStarted:
    """A publication began."""

    run_id: str
    reason: str
    started_at: datetime


@dataclass(frozen=True)
class NodeFinished:
    """A model or test of a run is done."""

    run_id: str
    node: str
    status: str
    finished: int
    total: int


@dataclass(frozen=True)
class StatementFinished:
    """A statement of a run was carried out, or failed.

    `node`: the model or test it was for, by its unique id. `rows`: those that it
    wrote or returned; None of one that has none, such as CREATE VIEW.
    """

    run_id: str
    node: str | None
    sql: str
    started_at: datetime
    seconds: float
    rows: int | None
    error: str | None


@dataclass(frozen=True)
class NodeOutcome:
    """What one model or test of a run came to.

    `started_at` and `rows_out` are None where only the statements of the run tell.
    """

    node: str
    resource_type: str
    status: str
    seconds: float
    failures: int | None
    message: str | None
    failed: bool
    started_at: datetime | None = None
    rows_out: int | None = None


@dataclass(frozen=True)
class RunFinished:
    """A publication is visible, or was rolled back.

    `ended_at`: when all was built and tested; the commit came after it. `way`: how
    the run was made, dbt or replay. `read_through`: the last load that it read.
    """

    run_id: str
    state: str
    seconds: float
    error: str | None
    reason: str
    started_at: datetime
    ended_at: datetime
    nodes: tuple[NodeOutcome, ...]
    way: str = "dbt"
    read_through: int | None = None


@dataclass(frozen=True)
class Spilled:
    """The engine had too little memory for a load of a pipe, or for a run.

    `peak_bytes`: the most that was on disk for it; `memory_bytes`: what it may use.
    """

    pipe_name: str | None
    run_id: str | None
    peak_bytes: int
    memory_bytes: int
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class TaskStarted:
    """A task of a graph run began. `scheduled_at`: when it was due."""

    name: str
    kind: str
    graph_run_group_id: str
    attempt_number: int
    scheduled_from: str
    scheduled_at: datetime
    started_at: datetime


@dataclass(frozen=True)
class TaskFinished:
    """A task ended, or was skipped; `state` is one of TASK_HISTORY's.

    `run_id`: the publication that it was part of.
    """

    name: str
    kind: str
    state: str
    graph_run_group_id: str
    attempt_number: int
    scheduled_from: str
    scheduled_at: datetime
    started_at: datetime
    ended_at: datetime
    error: str | None
    run_id: str | None


@dataclass(frozen=True)
class ReplayStarted:
    """Refused records of a pipe are being tried again."""

    pipe_name: str
    started_at: datetime


@dataclass(frozen=True)
class ReplayFinished:
    """All of them were tried."""

    pipe_name: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True)
class AuditStarted:
    """Everything is being rebuilt, to be compared."""

    audit_id: str
    started_at: datetime


@dataclass(frozen=True)
class AuditFinished:
    """Everything was rebuilt and compared; `differing` says what is otherwise."""

    audit_id: str
    state: str
    seconds: float
    tables: int
    differing: tuple[str, ...]
    error: str | None


@dataclass(frozen=True)
class Vacuumed:
    """Rows of superseded loads and refused records were let go; streams became stale.

    `loads`: those of which nothing is left.
    """

    rows: int
    rejects: int
    loads: int
    stale: tuple[str, ...]
    started_at: datetime
    ended_at: datetime


Event = (
    FilesFound
    | CopyStarted
    | CopyFinished
    | FileSettled
    | RejectsReplayed
    | ActionEnded
    | ContentRepeated
    | BatchIncomplete
    | FreshnessChanged
    | RunStarted
    | StatementFinished
    | NodeFinished
    | RunFinished
    | Spilled
    | TaskStarted
    | TaskFinished
    | AuditFinished
    | Vacuumed
    | ReplayStarted
    | ReplayFinished
    | AuditStarted
)
Sink = Callable[[Event], None]


def describe(event: Event) -> dict[str, Any]:
    """Return an event as JSON holds it; FileSettled has the name file_settled."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower()
    return {"event": name, **_plain(asdict(event))}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


class Events:
    """The one way from stages to sinks; safe to use from any thread."""

    def __init__(self) -> None:
        self._sinks: list[Sink] = []
        self._lock = threading.Lock()

    def subscribe(self, sink: Sink) -> None:
        """Send every later event to `sink`."""
        with self._lock:
            self._sinks.append(sink)

    def emit(self, event: Event) -> None:
        """Tell every sink; one that raises is told nothing any more."""
        with self._lock:
            sinks = list(self._sinks)
        for sink in sinks:
            try:
                sink(event)
            except Exception:
                log.warning("a sink of events failed and was dropped", exc_info=True)
                with self._lock:
                    self._sinks.remove(sink)


_CONCERNS: ContextVar[Mapping[str, str]] = ContextVar(
    "concerns", default=MappingProxyType({})
)


@contextmanager
def concerning(**names: str) -> Iterator[None]:
    """Say what this thread is at while the block lasts: `pipe`, `run_id`."""
    token = _CONCERNS.set({**_CONCERNS.get(), **names})
    try:
        yield
    finally:
        _CONCERNS.reset(token)


def concerns() -> Mapping[str, str]:
    """Return what this thread is at."""
    return _CONCERNS.get()
