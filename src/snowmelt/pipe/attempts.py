"""Which files are being read: noted beside the warehouse before they are opened.

A file that kills its reader must not be read at once again by the process that follows.
So the note is in a file that outlives a process that is killed. It need not outlive a
machine that loses power, which no file brings about: nothing is flushed to the disk,
and a batch costs one commit instead of two.
"""

from __future__ import annotations

import json
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from snowmelt.errors import EngineError

_LOG_BYTES_MAX = 1 << 20


class Attempts:
    """A log of attempts that began and ended, empty when none is open.

    Several threads may use it, and one process: the one that owns the warehouse.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open = _read(path)
        self._write_anew()

    def interrupted(self) -> dict[str, int]:
        """Return how often each file's load was begun and never ended."""
        with self._lock:
            return dict(self._open)

    @contextmanager
    def at(self, names: Iterable[str]) -> Iterator[None]:
        """Note an attempt at these files for the length of a block.

        It stays open only if the process is killed: an error is no end of a process.
        """
        noted = list(names)
        self.begin(noted)
        try:
            yield
        except Exception:
            self.end(noted)
            raise
        self.end(noted)

    def begin(self, names: Iterable[str]) -> None:
        """Note that these files are about to be read.

        Raises EngineError when there is no room for it.
        """
        noted = list(names)
        with self._lock:
            try:
                self._append("begin", noted)
            except OSError as error:
                problem = f"attempts cannot be noted: {error.strerror}"
                raise EngineError(str(self._path), problem) from error
            self._open.update(noted)

    def end(self, names: Iterable[str]) -> None:
        """Forget all attempts at these files: their loads ended, however they did.

        What cannot be noted for want of room stays open: such a file goes alone once.
        """
        noted = list(names)
        if not noted:
            return
        with self._lock, suppress(OSError):
            for name in noted:
                self._open.pop(name, None)
            if not self._open:
                os.truncate(self._path, 0)
            elif self._path.stat().st_size > _LOG_BYTES_MAX:
                self._write_anew()
            else:
                self._append("end", noted)

    def _append(self, what: str, names: list[str]) -> None:
        """Add a line by one call; one that was cut off spoils no other."""
        with self._path.open("ab", buffering=0) as log:
            log.write(b"\n" + json.dumps({what: names}).encode())

    def _write_anew(self) -> None:
        """Write only what is open."""
        fresh = self._path.with_suffix(".new")
        names = list(self._open.elements())
        fresh.write_text(f"\n{json.dumps({'begin': names})}" if names else "")
        fresh.replace(self._path)


def _read(path: Path) -> Counter[str]:
    opened: Counter[str] = Counter()
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            noted = json.loads(line)
            opened.update(noted.get("begin", ()))
            for name in noted.get("end", ()):
                opened.pop(name, None)
        except ValueError:
            continue  # empty, or cut off
    return opened
