"""Copies a database file while another process writes it. Runs as a program.

The owner must not open its own file a second time: when a process closes any
descriptor of a file, all its locks on that file are gone, and another process could
open it for writing. So the owner starts this program and reads its exit code:
0 copied, 3 a checkpoint came in between: try again.

Between two checkpoints the engine changes no block that the file's headers or the log
lead to; commits are appended to the log beside it. So if the headers are the same
before and after, the two copies are what a killed process leaves: the state of the
last checkpoint, and the commits since. The log is copied first: a large commit writes
its rows into the file, and only then to the log where they are.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

HEADERS_BYTES = 3 * 4096
LOG_SUFFIX = ".wal"
BUSY_SUFFIXES = (".wal.checkpoint", ".wal.recovery")
AGAIN = 3


def copy_unchanged(source: Path, target: Path) -> bool:
    """Copy a database and its log; say whether no checkpoint came in between."""
    before = _headers(source)
    if _is_busy(source):
        return False
    log = source.with_name(source.name + LOG_SUFFIX)
    try:
        shutil.copyfile(log, target.with_name(target.name + LOG_SUFFIX))
    except FileNotFoundError:
        target.with_name(target.name + LOG_SUFFIX).unlink(missing_ok=True)
    shutil.copyfile(source, target)
    return _headers(source) == before and not _is_busy(source)


def _headers(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEADERS_BYTES)


def _is_busy(source: Path) -> bool:
    """Is the log just now written elsewhere, because a checkpoint is under way?"""
    return any(source.with_name(source.name + end).exists() for end in BUSY_SUFFIXES)


if __name__ == "__main__":
    if not copy_unchanged(Path(sys.argv[1]), Path(sys.argv[2])):
        sys.exit(AGAIN)
