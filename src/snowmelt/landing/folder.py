"""A local folder as a stage: listed by scandir, hinted at by file events."""

from __future__ import annotations

import os
import stat
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from operator import attrgetter
from pathlib import Path
from typing import Literal

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from snowmelt.errors import UnreachableError, UsageError
from snowmelt.landing.opened import opened
from snowmelt.landing.stage import (
    KnownStates,
    Notifications,
    StagedFile,
    find_hidden,
    nothing_known,
)


class LocalFolder:
    """Files in a folder and its sub-folders; links are not followed."""

    channel = None

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)
        self.places_whole = False
        self.unreadable: list[str] = []
        self._hints = Notifications()
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None

    def refresh(self, known: KnownStates = nothing_known) -> list[StagedFile]:
        """List every plain file whose name says it is meant for loading.

        Raises UnreachableError when the folder is gone or may not be read.
        """
        self.unreadable = []
        found: list[StagedFile] = []
        try:
            entries = dict(self._scan(self.root, ""))
            states = known([name for name in entries if _printable(name) == name])
            for name, entry in entries.items():
                try:
                    state = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                seen = (state.st_size, state.st_mtime_ns, state.st_ctime_ns)
                if states.get(name) != seen:
                    found.append(_staged(name, state))
        except OSError as error:
            raise UnreachableError(
                str(self.root),
                f"the landing folder cannot be listed: {error.strerror}",
                "Make it, or let this user read it; loading goes on by itself.",
            ) from None
        found.sort(key=attrgetter("mtime_ns"))
        return found

    def _scan(
        self, folder: Path, prefix: str
    ) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Yield each plain file that is not hidden, with its path below the root."""
        entries = self._entries(folder, prefix)
        some_hidden = find_hidden(entry.name for entry in entries) is not None
        for entry in entries:
            name = entry.name
            if some_hidden and find_hidden((name,)):
                continue
            if entry.is_file(follow_symlinks=False):
                yield prefix + name, entry
            elif entry.is_dir(follow_symlinks=False):
                yield from self._scan(folder / name, f"{prefix}{name}/")

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
            found = os.lstat(f"{self.location}/{name}")
        except OSError:
            return None
        return _staged(name, found) if stat.S_ISREG(found.st_mode) else None

    def looks(self, names: Sequence[str]) -> dict[str, StagedFile | None]:
        return {name: self.look(name) for name in names}

    def path(self, name: str) -> Path:
        return self.root / name

    def chunks(self, file: StagedFile) -> Iterator[bytes]:
        with opened(f"{self.location}/{file.name}", file) as raw:
            yield from raw.chunks()

    def remove(self, file: StagedFile) -> None:
        aside = self.path(file.name).with_name(f".leaving-{uuid.uuid4().hex}")
        if self._take(file, aside):
            aside.unlink()

    def archive(self, file: StagedFile, folder: str) -> None:
        """Move a file; one that lies there under its name is kept, under another."""
        target = self.root / folder / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        aside = target.with_name(f".leaving-{uuid.uuid4().hex}")
        if not self._take(file, aside):
            return
        for number in count(2):
            try:
                os.link(aside, target)
                break
            except FileExistsError:
                if target.samefile(aside):
                    break  # an archiving that was interrupted here
                target = target.with_name(f"{Path(file.name).name}.{number}")
        aside.unlink()

    def _take(self, file: StagedFile, aside: Path) -> bool:
        """Rename this version of a file; say if it was that one.

        A file that took its place in the last instant is put back, unless yet another
        one did.
        """
        if self.look(file.name) != file:
            return False
        try:
            self.path(file.name).rename(aside)
        except FileNotFoundError:
            return False
        found = aside.lstat()
        if (found.st_size, found.st_mtime_ns, found.st_ino) == (
            file.size,
            file.mtime_ns,
            file.inode,
        ):
            return True
        with suppress(FileExistsError):
            os.link(aside, self.path(file.name))
        aside.unlink()
        return False

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        raise UsageError(
            "after_load: tag",
            "files of a folder have no tags",
            "Use after_load: archive, or a stage in a bucket.",
        )

    def notified(self) -> Notifications:
        with self._lock:
            hints, self._hints = self._hints, Notifications()
        return hints

    def watch(self, wake: Callable[[], None]) -> None:
        """Begin to take file events as hints; call `wake` at each.

        Where the system offers no events (a network share, no more watches) the
        periodic listing alone finds files, later but as surely.
        """
        observer = _make_observer()
        observer.schedule(_Hints(self, wake), str(self.root), recursive=True)
        try:
            observer.start()
        except OSError:
            return
        self._observer = observer

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        """Nothing to let go of: file events are told once."""

    def unwatch(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def hint(self, path: str, kind: Literal["placed", "finished", "seen"]) -> None:
        """Note what happened to the file at `path`."""
        name = os.path.relpath(path, self.root)
        if name.startswith("..") or find_hidden(Path(name).parts):
            return
        if _printable(name) != name:
            return
        with self._lock:
            names: set[str] = getattr(self._hints, kind)
            names.add(name.replace(os.sep, "/"))

    def hint_lost(self) -> None:
        """Note that files may have appeared that nobody will tell of."""
        with self._lock:
            self._hints.lost = True


def _make_observer() -> BaseObserver:
    """Return what watches here: inotify can tell what is moved in from what is made."""
    if sys.platform == "linux":
        from watchdog.observers.inotify import InotifyObserver

        return InotifyObserver(generate_full_events=True)
    return Observer()


class _Hints(FileSystemEventHandler):
    """Turns file events into hints.

    A file that is moved in from outside the folder has no place that it came from.
    Where the system does not tell of that, it is `created`, as is one that is being
    written. A folder that comes into being may hold files already.
    """

    def __init__(self, folder: LocalFolder, wake: Callable[[], None]) -> None:
        self._folder = folder
        self._wake = wake

    def on_created(self, event: FileSystemEvent) -> None:
        self._note(event.src_path, event, "seen")

    def on_closed(self, event: FileSystemEvent) -> None:
        self._note(event.src_path, event, "finished")

    def on_moved(self, event: FileSystemEvent) -> None:
        if event.dest_path:  # else it left the folder
            self._note(event.dest_path, event, "placed")

    def _note(
        self,
        path: str | bytes,
        event: FileSystemEvent,
        kind: Literal["placed", "finished", "seen"],
    ) -> None:
        if event.is_directory:
            self._folder.hint_lost()
        else:
            self._folder.hint(os.fsdecode(path), kind)
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
    if name.isascii():
        return name
    return os.fsencode(name).decode("utf-8", "backslashreplace")
