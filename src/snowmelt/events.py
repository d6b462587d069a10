"""What happened, told in the past tense to whoever listens.

Stages emit; sinks (progress, log, later metrics and alerts) listen. A sink that
fails is dropped with a warning: it never fails a load.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

log = logging.getLogger("snowmelt")


@dataclass(frozen=True)
class FilesFound:
    """Files became pending."""

    files: int


@dataclass(frozen=True)
class CopyStarted:
    """A batch of files of one pipe is being read."""

    pipe_name: str
    files: int
    file_bytes: int


@dataclass(frozen=True)
class FileSettled:
    """One file has a record in load history, or was found unchanged."""

    pipe_name: str
    file_name: str
    status: str
    row_count: int
    error_count: int
    first_error: str | None


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
    """A pipe's expected file is late, missing, or there again."""

    pipe_name: str
    state: str
    due_at: datetime


@dataclass(frozen=True)
class RunStarted:
    """A publication began."""

    run_id: str
    reason: str


@dataclass(frozen=True)
class NodeFinished:
    """A model or test of a run is done."""

    run_id: str
    node: str
    status: str
    finished: int
    total: int


@dataclass(frozen=True)
class RunFinished:
    """A publication is visible, or was rolled back."""

    run_id: str
    state: str
    seconds: float
    error: str | None


Event = (
    FilesFound
    | CopyStarted
    | FileSettled
    | ContentRepeated
    | BatchIncomplete
    | FreshnessChanged
    | RunStarted
    | NodeFinished
    | RunFinished
)
Sink = Callable[[Event], None]


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
