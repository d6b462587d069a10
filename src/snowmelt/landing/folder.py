"""A local folder as a stage: listed by scandir, hinted at by file events."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from snowmelt.errors import UnreachableError
from snowmelt.landing.stage import StagedFile, find_hidden


class LocalFolder:
    """Files in a folder and its sub-folders; links are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)
        self._hints: set[str] = set()
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None

    def refresh(self) -> list[StagedFile]:
        """List every plain file whose name says it is meant for loading.

        Raises UnreachableError when the folder is gone or may not be read.
        """
        try:
            return sorted(self._scan(self.root, ""), key=lambda file: file.mtime_ns)
        except OSError as error:
            raise UnreachableError(
                str(self.root),
                f"the landing folder cannot be listed: {error.strerror}",
                "Make it, or let this user read it; loading goes on by itself.",
            ) from None

    def _scan(self, folder: Path, prefix: str) -> Iterator[StagedFile]:
        with os.scandir(folder) as entries:
            for entry in entries:
                if find_hidden([entry.name]):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from self._scan(folder / entry.name, f"{prefix}{entry.name}/")
                elif entry.is_file(follow_symlinks=False):
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
                    yield _staged(prefix + entry.name, found)

    def look(self, name: str) -> StagedFile | None:
        try:
            found = os.lstat(self.path(name))
        except OSError:
            return None
        return _staged(name, found) if stat.S_ISREG(found.st_mode) else None

    def path(self, name: str) -> Path:
        return self.root / name

    def notified(self) -> set[str]:
        with self._lock:
            hints, self._hints = self._hints, set()
        return hints

    def watch(self, wake: Callable[[], None]) -> None:
        """Begin to take file events as hints; call `wake` at each.

        Where the system offers no events (a network share, no more watches) the
        periodic listing alone finds files, later but as surely.
        """
        observer = Observer()
        observer.schedule(_Hints(self, wake), str(self.root), recursive=True)
        try:
            observer.start()
        except OSError:
            return
        self._observer = observer

    def unwatch(self) -> None:
        """Stop taking file events."""
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def hint(self, path: str) -> None:
        """Note that something was finished at `path`."""
        name = os.path.relpath(path, self.root)
        if name.startswith("..") or find_hidden(Path(name).parts):
            return
        with self._lock:
            self._hints.add(name.replace(os.sep, "/"))


class _Hints(FileSystemEventHandler):
    """Turns the events that mean "finished" into hints."""

    def __init__(self, folder: LocalFolder, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake

    def on_closed(self, event: FileSystemEvent) -> None:
        self._note(event.src_path)

    def on_moved(self, event: FileSystemEvent) -> None:
        self._note(event.dest_path)

    def _note(self, path: str | bytes) -> None:
        self._folder.hint(os.fsdecode(path))
        self._wake()


def _staged(name: str, found: os.stat_result) -> StagedFile:
    return StagedFile(name, found.st_size, found.st_mtime_ns, found.st_ino)
