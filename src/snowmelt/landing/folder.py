"""A local folder as a stage: listed by scandir, hinted at by file events."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from snowmelt.errors import UnreachableError
from snowmelt.landing.stage import Notifications, StagedFile, find_hidden


class LocalFolder:
    """Files in a folder and its sub-folders; links are not followed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)
        self.unreadable: list[str] = []
        """Sub-folders that the last listing could not read."""
        self._hints = Notifications()
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None

    def refresh(self) -> list[StagedFile]:
        """List every plain file whose name says it is meant for loading.

        Raises UnreachableError when the folder is gone or may not be read.
        """
        self.unreadable = []
        try:
            return sorted(self._scan(self.root, ""), key=lambda file: file.mtime_ns)
        except OSError as error:
            raise UnreachableError(
                str(self.root),
                f"the landing folder cannot be listed: {error.strerror}",
                "Make it, or let this user read it; loading goes on by itself.",
            ) from None

    def _scan(self, folder: Path, prefix: str) -> Iterator[StagedFile]:
        for entry in self._entries(folder, prefix):
            if find_hidden([entry.name]):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._scan(folder / entry.name, f"{prefix}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    yield _staged(prefix + entry.name, found)

    def _entries(self, folder: Path, prefix: str) -> list[os.DirEntry[str]]:
        """List one folder; a sub-folder may be gone, or closed to this user."""
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except FileNotFoundError:
            if not prefix:
                raise
        except PermissionError:
            if not prefix:
                raise
            self.unreadable.append(prefix)
        return []

    def look(self, name: str) -> StagedFile | None:
        try:
            found = os.lstat(self.path(name))
        except OSError:
            return None
        return _staged(name, found) if stat.S_ISREG(found.st_mode) else None

    def path(self, name: str) -> Path:
        return self.root / name

    def notified(self) -> Notifications:
        with self._lock:
            hints, self._hints = self._hints, Notifications()
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

    def hint(self, path: str, *, finished: bool) -> None:
        """Note that a file appeared, or was finished, at `path`."""
        name = os.path.relpath(path, self.root)
        if name.startswith("..") or find_hidden(Path(name).parts):
            return
        if _printable(name) != name:
            return
        with self._lock:
            names = self._hints.finished if finished else self._hints.seen
            names.add(name.replace(os.sep, "/"))

    def hint_lost(self) -> None:
        """Note that files may have appeared that nobody will tell of."""
        with self._lock:
            self._hints.lost = True


class _Hints(FileSystemEventHandler):
    """Turns file events into hints.

    A file that is moved in from outside the folder is only ever `created`; so is one
    that is being written. A folder that comes into being may hold files already.
    """

    def __init__(self, folder: LocalFolder, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake

    def on_created(self, event: FileSystemEvent) -> None:
        self._note(event.src_path, event, finished=False)

    def on_closed(self, event: FileSystemEvent) -> None:
        self._note(event.src_path, event, finished=True)

    def on_moved(self, event: FileSystemEvent) -> None:
        self._note(event.dest_path, event, finished=True)

    def _note(
        self, path: str | bytes, event: FileSystemEvent, *, finished: bool
    ) -> None:
        if event.is_directory:
            self._folder.hint_lost()
        else:
            self._folder.hint(os.fsdecode(path), finished=finished)
        self._wake()


def _staged(name: str, found: os.stat_result) -> StagedFile:
    shown = _printable(name)
    return StagedFile(
        shown,
        found.st_size,
        found.st_mtime_ns,
        found.st_ino,
        found.st_ctime_ns,
        shown == name,
    )


def _printable(name: str) -> str:
    """Return a name as text that can be written anywhere."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
