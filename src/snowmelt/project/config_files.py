"""The files that a project is read from once: its settings and its pipes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

Stamps = Mapping[str, tuple[int, int, int]]


def digests_of(root: Path) -> dict[str, str]:
    """Return what is in each file, by its name in the project."""
    found = {}
    for path in _files(root):
        try:
            content = path.read_bytes()
        except OSError:
            continue  # it is just being replaced, or nobody may read it
        found[_shown(root, path)] = hashlib.sha256(content).hexdigest()
    return found


def stamps_of(root: Path) -> Stamps:
    """Return what differs of a file that was written, without reading any."""
    found = {}
    for path in _files(root):
        try:
            stat = path.stat()
        except OSError:
            continue
        found[_shown(root, path)] = stat.st_mtime_ns, stat.st_size, stat.st_ino
    return found


def changes_between(
    before: Mapping[str, str], after: Mapping[str, str]
) -> dict[str, str]:
    """Return the files that are not as they were: changed, added or removed."""
    found = {}
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            found[name] = "added"
        elif name not in after:
            found[name] = "removed"
        elif before[name] != after[name]:
            found[name] = "changed"
    return found


def _files(root: Path) -> list[Path]:
    """Return the files there are; also of pipes that are called otherwise."""
    pipes = [*(root / "pipes").glob("*.yml"), *(root / "pipes").glob("*.yaml")]
    return [root / "snowmelt.yml", *sorted(pipes)]


def _shown(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()
