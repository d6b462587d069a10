"""Dashboards as their files say, read again as they are saved.

While a file is off, the one before it goes on: who looks at a page is not to suffer
from who edits it.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from pathlib import Path

from snowmelt.errors import ConfigError
from snowmelt.project.dashboards import (
    FOLDER,
    Dashboard,
    dashboard_names,
    load_dashboard,
)

_SQL_FILE = re.compile(r"[^\s'\"]+\.sql")
_Stamp = tuple[tuple[int, int] | None, ...]


@dataclass
class _Read:
    stamp: _Stamp = ()
    files: list[Path] = field(default_factory=list)
    good: Dashboard | None = None
    problem: ConfigError | None = None


class Definitions:
    """The dashboards of a project."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._read: dict[str, _Read] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> tuple[Dashboard, ConfigError | None]:
        """Return the newest that can be shown, and what is wrong with the file now.

        Raises UsageError for an unknown name, ConfigError for a file that never was
        right.
        """
        with self._lock:
            if name not in dashboard_names(self._root):
                self._read.pop(name, None)
                load_dashboard(self._root, name)
            read = self._read.setdefault(name, _Read())
            if not read.stamp or _stamp(read.files) != read.stamp:
                self._reread(name, read)
            if read.good is None:
                assert read.problem is not None
                raise read.problem
            return read.good, read.problem

    def require(self, name: str) -> Dashboard:
        """Return a dashboard as its file says now. Raises ConfigError if it is off."""
        dashboard, problem = self.find(name)
        if problem is not None:
            raise problem
        return dashboard

    def _reread(self, name: str, read: _Read) -> None:
        read.files = self._files(name)
        stamp = _stamp(read.files)
        try:
            read.good, read.problem = load_dashboard(self._root, name), None
        except ConfigError as error:
            read.problem = error
        read.stamp = stamp

    def _files(self, name: str) -> list[Path]:
        path = self._root / FOLDER / f"{name}.yml"
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return [path]
        return [path, *(self._root / each for each in _SQL_FILE.findall(text))]


def _stamp(files: list[Path]) -> _Stamp:
    return tuple(_stamp_of(path) for path in files)


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
