"""Progress on stderr: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
from types import TracebackType
from typing import TYPE_CHECKING

from snowmelt.clock import Clock, SystemClock
from snowmelt.events import (
    CopyStarted,
    Event,
    FileSettled,
    FilesFound,
    NodeFinished,
    RunFinished,
    RunStarted,
)

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

LINE_EVERY_SECONDS = 2.0


class Progress:
    """A sink that says what is going on; used as a context."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._said_at = 0.0
        self._files = 0
        self._rows = 0
        self._errors = 0
        self._found = 0
        self._bars: Bars | None = None
        self._files_bar: TaskID | None = None
        self._run_bar: TaskID | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress as Bars

            self._bars = Bars(console=Console(stderr=True), transient=True)
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
        elif self._files:
            self._say_files(force=True)

    def __call__(self, event: Event) -> None:
        """Take one event; from any thread."""
        with self._lock:
            if isinstance(event, FilesFound):
                self._found += event.files
            elif isinstance(event, CopyStarted):
                self._copy_started(event)
            elif isinstance(event, FileSettled):
                self._file_settled(event)
            elif isinstance(event, RunStarted):
                self._run_started(event)
            elif isinstance(event, NodeFinished):
                self._node_finished(event)
            elif isinstance(event, RunFinished):
                self._run_finished(event)

    def _copy_started(self, event: CopyStarted) -> None:
        if self._bars is None:
            return
        if self._files_bar is None:
            self._files_bar = self._bars.add_task("files", total=self._found)
        self._bars.update(
            self._files_bar,
            total=max(self._found, self._files + event.files),
            description=f"{event.pipe_name}: {event.file_bytes / 1e6:,.1f} MB",
        )

    def _file_settled(self, event: FileSettled) -> None:
        self._files += 1
        self._rows += event.row_count
        self._errors += event.error_count
        if event.status == "Load failed":
            self._line(f"{event.file_name}: {event.status}: {event.first_error}")
        if self._bars is not None and self._files_bar is not None:
            self._bars.update(self._files_bar, completed=self._files)
        else:
            self._say_files()

    def _run_started(self, event: RunStarted) -> None:
        if self._bars is not None:
            self._run_bar = self._bars.add_task(f"run: {event.reason}", total=None)
        else:
            self._line(f"run: {event.reason}")

    def _node_finished(self, event: NodeFinished) -> None:
        if self._bars is not None and self._run_bar is not None:
            self._bars.update(
                self._run_bar,
                total=event.total,
                completed=event.finished,
                description=event.node,
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

    def _say_files(self, *, force: bool = False) -> None:
        if force or self._may_speak():
            refused = f", {self._errors:,} records refused" if self._errors else ""
            files = "1 file" if self._files == 1 else f"{self._files:,} files"
            self._line(f"settled: {files}, {self._rows:,} rows loaded{refused}")

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
            from rich.console import Console
            from rich.progress import Progress as Bars

            self._bars = Bars(console=Console(stderr=True), transient=True)
            self._bars.start()
            self._bar = self._bars.add_task("files", total=None)
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
                self._bar, total=total, completed=written, description=name
            )
            return
        now = self._clock.monotonic()
        if now - self._said_at >= LINE_EVERY_SECONDS:
            self._said_at = now
            seconds = now - self._began_at
            sys.stderr.write(f"written: {written} of {total} files, {seconds:.0f} s\n")
            sys.stderr.flush()
