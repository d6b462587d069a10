"""A named place where files arrive."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

_HIDDEN = (".", "_SUCCESS", "_temporary")
_UNFINISHED = (".tmp", ".part", ".partial", ".crdownload", ".swp", ".filepart", "~")


@dataclass(frozen=True)
class StagedFile:
    r"""One state of one file in a stage, as far as it can be known unread.

    `name` is the path below the stage, with slashes. Two looks at a file saw the
    same version when all of these agree; the time of the inode's last change also
    tells of content replaced under an old modification time, and of new permissions.
    Objects of a bucket have an `etag`.
    """

    name: str
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    loadable: bool = True
    etag: str = ""

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.mtime_ns / 1e9, UTC)


@dataclass
class Notifications:
    """Hints of where to look.

    `placed`: names that were renamed into place, or objects that were put: whole at
    once. `finished`: names that were closed after writing. `seen`: names that
    appeared, perhaps unfinished. `lost`: more happened than was told, as when a
    folder was moved in: only a listing can tell what.
    """

    placed: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    lost: bool = False


KnownStates = Callable[[Collection[str]], Mapping[str, tuple[int, int, int]]]
"""Tells of names the (size, mtime_ns, ctime_ns) in which each was dealt with."""


def nothing_known(names: Collection[str]) -> Mapping[str, tuple[int, int, int]]:
    """Say that no file was dealt with."""
    del names
    return {}


@dataclass
class Channel:
    """A queue that notifications come by, as far as this process knows it.

    `outstanding` messages were received and not let go of yet; `unread_count` could
    not be read; `problem` is why it cannot be reached now.
    """

    name: str
    outstanding: int = 0
    received_count: int = 0
    unread_count: int = 0
    last_pulled_at: datetime | None = None
    last_received_at: datetime | None = None
    problem: str | None = None


class Stage(Protocol):
    """Notifications are hints; the listing is the truth.

    Every method that has to reach the stage raises UnreachableError when it cannot;
    nothing is known then, and the loop asks again.
    """

    location: str
    """Where it is, as load history's STAGE_LOCATION has it."""
    places_whole: bool
    """Does a file appear whole, so that a listing need not wait for it to rest?"""
    unreadable: list[str]
    """Parts of the stage that the last listing could not read."""

    @property
    def channel(self) -> Channel | None:
        """Return how the queue is doing that notifications come by, if they do."""
        ...

    def refresh(self, known: KnownStates = nothing_known) -> list[StagedFile]:
        """List every file that is there, whole or not, but as it is known.

        Of very many files few have changed since they were dealt with: of the others
        nothing need be made.
        """
        ...

    def watch(self, wake: Callable[[], None]) -> None:
        """Begin to take notifications; call `wake` at each."""
        ...

    def unwatch(self) -> None:
        """Stop taking notifications."""
        ...

    def notified(self) -> Notifications:
        """Return what was noticed since the last call."""
        ...

    def acknowledge(self, is_pending: Callable[[str], bool]) -> None:
        """Let go of notifications none of whose files is pending any more.

        A queue delivers a message again unless it is let go of: the loop calls this
        after each turn, so that a message is deleted only when what it told of is
        committed, or known not to matter.
        """
        ...

    def look(self, name: str) -> StagedFile | None:
        """Look at one file again; None when it is gone or is no plain file."""
        ...

    def looks(self, names: Sequence[str]) -> Mapping[str, StagedFile | None]:
        """Look at many files again, in the time of a few."""
        ...

    def path(self, name: str) -> Path | None:
        """Return the path under which this machine can read a file, if there is one."""
        ...

    def chunks(self, file: StagedFile) -> Iterator[bytes]:
        """Yield this version of a file from front to back, whole or not at all.

        Raises ChangedError when it is gone or is another version.
        """
        ...

    def remove(self, file: StagedFile) -> None:
        """Delete this version of a file; another version of it stays."""
        ...

    def archive(self, file: StagedFile, folder: str) -> None:
        """Move this version of a file below `folder`; what lies there is kept."""
        ...

    def tag(self, file: StagedFile, tags: Mapping[str, str]) -> None:
        """Mark this version of a file.

        Raises UsageError where the stage knows no tags.
        """
        ...


def find_hidden(names: Iterable[str]) -> str | None:
    """Return the first part of a path that marks a file as not for loading.

    Hidden files, and the names that browsers, editors, rsync and Spark give to
    files that are not finished.
    """
    for name in names:
        if name.startswith(_HIDDEN) or name.lower().endswith(_UNFINISHED):
            return name
    return None
