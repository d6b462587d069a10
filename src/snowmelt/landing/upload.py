"""Putting files into a stage so that nobody ever sees half of one."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path

from snowmelt.errors import UsageError
from snowmelt.landing.stage import find_hidden


def land(files: list[Path], folder: Path, *, into: str = "") -> list[str]:
    """Copy files into the landing folder and return their names there.

    Each is written under a hidden name, flushed to disk, given the modification
    time of its origin and renamed into place: a reader sees the old version or the
    new one. All are checked before the first is copied.

    Raises UsageError for a path that is no plain file, for a name that loading
    would leave alone, and for two files of one name.
    """
    target = (folder / into).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise UsageError(into, "the sub-folder lies outside the landing folder")
    hidden = find_hidden(Path(into).parts)
    if hidden:
        raise UsageError(into, f"files below '{hidden}' are never loaded")
    check_files(files)
    target.mkdir(parents=True, exist_ok=True)
    return [
        str(_put(file, target).relative_to(folder.resolve())).replace(os.sep, "/")
        for file in files
    ]


def check_files(files: list[Path]) -> None:
    names: set[str] = set()
    for file in files:
        if not file.is_file():
            raise UsageError(str(file), "this is no file")
        if find_hidden([file.name]):
            raise UsageError(
                str(file),
                "hidden and temporary names are never loaded",
                "Give the file another name.",
            )
        if file.name in names:
            raise UsageError(
                str(file),
                "two files of this name were given",
                "Land them one after the other, or with --into.",
            )
        names.add(file.name)


def _put(file: Path, target: Path) -> Path:
    hidden = target / f".{uuid.uuid4().hex}.tmp"
    try:
        with file.open("rb") as origin, hidden.open("xb") as copy:
            shutil.copyfileobj(origin, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
        found = file.stat()
        os.utime(hidden, ns=(found.st_atime_ns, found.st_mtime_ns))
        placed = target / file.name
        hidden.replace(placed)
    finally:
        hidden.unlink(missing_ok=True)
    return placed
