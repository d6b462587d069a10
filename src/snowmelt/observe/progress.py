"""Progress on stderr: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from snowmelt.clock import Clock, SystemClock
from snowmelt.events import (
    CopyStarted,
    Event,
    FileSettled,
    NodeFinished,
    RunFinished,
    RunStarted,
    Spilled,
    TaskFinished,
    TaskStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

LINE_EVERY_SECONDS = 2.0


@dataclass
class _OfPipe:
    """How far the files of a pipe are, as far as they are known."""

    files: int = 0
    file_bytes: int = 0
    left_files: int = 0
    left_bytes: int = 0
    bar: TaskID | None = None


class Progress:
    """A sink that says what is going on; used as a context."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._said_at = 0.0
        self._began_at = self._done_bytes = 0.0
        self._rows = 0
        self._errors = 0
        self._pipes: dict[str, _OfPipe] = {}
        self._bars: Bars | None = None
        self._run_bar: TaskID | None = None
        self._takes: dict[type, Callable[[Any], None]] = {
            CopyStarted: self._copy_started,
            FileSettled: self._file_settled,
            RunStarted: self._run_started,
            NodeFinished: self._node_finished,
            RunFinished: self._run_finished,
            Spilled: self._spilled,
            TaskStarted: self._task_started,
            TaskFinished: self._task_finished,
        }

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        elif any(pipe.files for pipe in self._pipes.values()):
            self._say_files(force=True)

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread."""
        take: Callable[[Any], None] | None = self._takes.get(type(event))
        if take is not None:
            with self._lock:
                take(event)

    def _copy_started(self, event: CopyStarted) -> None:
        if not any(pipe.left_files for pipe in self._pipes.values()):
            self._began_at, self._done_bytes = self._clock.monotonic(), 0
        pipe = self._pipes.setdefault(event.pipe_name, _OfPipe())
        pipe.left_files = event.files + event.left_files
        pipe.left_bytes = event.file_bytes + event.left_bytes
        self._show(event.pipe_name, pipe)

    def _file_settled(self, event: FileSettled) -> None:
        pipe = self._pipes.setdefault(event.pipe_name, _OfPipe())
        pipe.files += 1
        pipe.file_bytes += event.file_bytes
        pipe.left_files = max(pipe.left_files - 1, 0)
        pipe.left_bytes = max(pipe.left_bytes - event.file_bytes, 0)
        self._done_bytes += event.file_bytes
        self._rows += event.row_count
        self._errors += event.error_count
        if event.status == "Load failed":
            self._line(f"{event.file_name}: {event.status}: {event.first_error}")
        self._show(event.pipe_name, pipe)
        if self._bars is None:
            self._say_files()

    def _show(self, name: str, pipe: _OfPipe) -> None:
        """Draw the bar of a pipe: its bytes, with the time that is left."""
        if self._bars is None:
            return
        if pipe.bar is None:
            pipe.bar = self._bars.add_task(name, total=None, told="")
        self._bars.update(
            pipe.bar,
            description=f"{name}: {pipe.files} of {pipe.files + pipe.left_files} files",
            total=pipe.file_bytes + pipe.left_bytes,
            completed=pipe.file_bytes,
            told=f"of {_megabytes(pipe.file_bytes + pipe.left_bytes)}",
        )

    def _run_started(self, event: RunStarted) -> None:
        if self._bars is not None:
            self._run_bar = self._bars.add_task(
                f"run: {event.reason}", total=None, told=""
            )
        else:
            self._line(f"run: {event.reason}")

    def _node_finished(self, event: NodeFinished) -> None:
        if self._bars is not None and self._run_bar is not None:
            self._bars.update(
                self._run_bar,
                total=event.total,
                completed=event.finished,
                description=event.node,
                told=f"{event.finished} of {event.total}",
            )
        elif self._may_speak():
            self._line(f"run: {event.finished} of {event.total} models and tests")

    def _run_finished(self, event: RunFinished) -> None:
        if self._bars is not None and self._run_bar is not None:
            self._bars.remove_task(self._run_bar)
            self._run_bar = None
        if event.state == "SUCCEEDED":
            self._line(f"run: published in {event.seconds:.1f} s")
        else:
            self._line(f"run: failed, gold is as it was: {event.error}")

    def _task_started(self, event: TaskStarted) -> None:
        attempt = event.attempt_number
        again = f", attempt {attempt}" if attempt > 1 else ""
        self._line(f"task {event.name}: {event.kind}{again}")

    def _task_finished(self, event: TaskFinished) -> None:
        told = f": {event.error}" if event.error else ""
        seconds = (event.ended_at - event.started_at).total_seconds()
        self._line(f"task {event.name}: {event.state} in {seconds:.1f} s{told}")

    def _spilled(self, event: Spilled) -> None:
        """Say that memory was short, and what helps."""
        self._line(
            f"{event.pipe_name or 'run'}: {_megabytes(event.peak_bytes)} did not fit "
            f"in the {_megabytes(event.memory_bytes)} of warehouse.memory_limit and "
            "went over the disk, which is slower; raise it if there is more memory"
        )

    def _say_files(self, *, force: bool = False) -> None:
        if not force and not self._may_speak():
            return
        count = sum(pipe.files for pipe in self._pipes.values())
        refused = f", {self._errors:,} records refused" if self._errors else ""
        files = "1 file" if count == 1 else f"{count:,} files"
        left = self._left()
        self._line(f"settled: {files}, {self._rows:,} rows loaded{refused}{left}")

    def _left(self) -> str:
        """Say how many files are left, and how long they take at the speed until now.

        The speed is that since files began to wait; other pipes may bring more.
        """
        files = sum(pipe.left_files for pipe in self._pipes.values())
        if not files:
            return ""
        left = sum(pipe.left_bytes for pipe in self._pipes.values())
        told = f"; {files:,} left, {_megabytes(left)}"
        if not self._done_bytes:
            return told
        passed = self._clock.monotonic() - self._began_at
        return f"{told}, about {_span(passed * left / self._done_bytes)}"

    def _may_speak(self) -> bool:
        now = self._clock.monotonic()
        if now - self._said_at < LINE_EVERY_SECONDS:
            return False
        self._said_at = now
        return True

    def _line(self, text: str) -> None:
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False)
        else:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


class Writing:
    """Says how many files of a set are written; used as a context, called with each."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._began_at = self._said_at = self._clock.monotonic()
        self._bars: Bars | None = None
        self._bar: TaskID | None = None

    def __enter__(self) -> Writing:
        if sys.stderr.isatty():
            self._bars = _bars()
            self._bars.start()
            self._bar = self._bars.add_task("files", total=None, told="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, name: str, written: int, total: int) -> None:
        """Take a file that is there, how many are, and of how many."""
        if self._bars is not None and self._bar is not None:
            self._bars.update(
                self._bar,
                total=total,
                completed=written,
                description=name,
                told=f"{written} of {total}",
            )
            return
        now = self._clock.monotonic()
        if now - self._said_at >= LINE_EVERY_SECONDS:
            self._said_at = now
            seconds = now - self._began_at
            sys.stderr.write(f"written: {written} of {total} files, {seconds:.0f} s\n")
            sys.stderr.flush()


def _bars() -> Bars:
    """Return bars on stderr that go when they are done."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _megabytes(count: float) -> str:
    return f"{count / 1e6:,.1f} MB"


def _span(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
