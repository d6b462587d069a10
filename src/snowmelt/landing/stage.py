"""A named place where files arrive."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class StagedFile:
    r"""One state of one file in a stage, as far as it can be known unread.

    `name` is the path below the stage, with slashes. Two looks at a file saw the
    same version when all of these agree; the time of the inode's last change also
    tells of content replaced under an old modification time, and of new permissions.
    """

    name: str
    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    loadable: bool = True

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.mtime_ns / 1e9, UTC)


@dataclass
class Notifications:
    """Hints of where to look.

    `finished`: names that were closed after writing or renamed into place. `seen`:
    names that appeared, perhaps unfinished. `lost`: more happened than was told, as
    when a folder was moved in: only a listing can tell what.
    """

    finished: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    lost: bool = False


class Stage(Protocol):
    """Notifications are hints; the listing is the truth."""

    location: str

    def refresh(self) -> list[StagedFile]:
        """List every file that is there, whole or not."""
        ...

    def notified(self) -> Notifications:
        """Return what was noticed since the last call."""
        ...

    def look(self, name: str) -> StagedFile | None:
        """Look at one file again; None when it is gone or is no plain file."""
        ...

    def path(self, name: str) -> Path:
        """Return the path under which a file can be read."""
        ...


def find_hidden(names: Iterable[str]) -> str | None:
    """Return the first part of a path that marks a file as not for loading.

    Hidden files, and the names that browsers, editors, rsync and Spark give to
    files that are not finished.
    """
    endings = (".tmp", ".part", ".partial", ".crdownload", ".swp", ".filepart", "~")
    for name in names:
        if name.startswith((".", "_SUCCESS", "_temporary")):
            return name
        if name.lower().endswith(endings):
            return name
    return None
