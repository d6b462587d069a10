"""A file's bytes, and only of the version that was staged.

Nothing is mapped: a writer that cuts a mapped file short kills the reader.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from snowmelt.errors import ChangedError, UnreachableError, UnreadableError
from snowmelt.landing.stage import StagedFile

CHUNK = 1 << 18
# No link is followed, and a pipe that took the file's place is not waited for.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenedFile:
    """One open version of a file. Raises ChangedError once it is another."""

    def __init__(
        self, descriptor: int, file: StagedFile, check: Callable[[], None]
    ) -> None:
        self._descriptor = descriptor
        self._check = check
        self.file = file

    def require_same(self) -> None:
        """Raise ChangedError unless the file is still the version that was staged."""
        found = os.fstat(self._descriptor)
        file = self.file
        if (found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns) != (
            file.size,
            file.mtime_ns,
            file.inode,
            file.ctime_ns,
        ):
            raise ChangedError(file.name, "it changed while it was read")

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole file, in pieces that fit a processor's cache."""
        at = 0
        while at < self.file.size:
            chunk = self.read(at, CHUNK)
            yield chunk
            at += len(chunk)
        self.require_same()

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from `offset`; none at the end."""
        self._check()
        piece = os.pread(self._descriptor, size, offset)
        if not piece and offset < self.file.size:
            raise ChangedError(self.file.name, "it changed while it was read")
        return piece


@contextmanager
def opened(
    path: Path | str, file: StagedFile, check: Callable[[], None] = lambda: None
) -> Iterator[OpenedFile]:
    """Open a file, for the length of a block, if it is the version that was staged.

    `check` is asked before each piece is read, and raises when the time is over.

    Raises ChangedError when it is gone, another one, or a link, UnreadableError when
    this user may not read it, UnreachableError when the machine cannot open it now.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        problem = f"it cannot be read: {error.strerror}"
        if isinstance(error, PermissionError):
            raise UnreadableError(file.name, problem) from None
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise ChangedError(file.name, problem) from None
        raise UnreachableError(file.name, problem) from None
    try:
        raw = OpenedFile(descriptor, file, check)
        raw.require_same()
        yield raw
    finally:
        os.close(descriptor)
