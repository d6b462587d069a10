"""A file's bytes, a window at a time, and only of the version that was staged.

Nothing is mapped: a writer that cuts a mapped file short kills the reader.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from snowmelt.bronze.records import BOM, Checkpoint, find_records, nearest
from snowmelt.errors import ChangedError, FileError
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.definition import CsvFormat

WINDOW = 1 << 20
CHUNK = 1 << 18
NEAR_WINDOW = 1 << 12
RECORD_BYTES_MAX = 1 << 26
# No link is followed, and a pipe that took the file's place is not waited for.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class RawRecord(NamedTuple):
    """A record's byte offset and bytes, without its terminator."""

    offset: int
    raw: bytes


class RawFile:
    """One open version of a file. Raises ChangedError once it is another."""

    def __init__(self, descriptor: int, file: StagedFile, csv: CsvFormat) -> None:
        self._descriptor = descriptor
        self._file = file
        self._csv = csv

    def require_same(self) -> None:
        """Raise ChangedError unless the file is still the version that was staged."""
        found = os.fstat(self._descriptor)
        file = self._file
        if (found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns) != (
            file.size,
            file.mtime_ns,
            file.inode,
            file.ctime_ns,
        ):
            raise ChangedError(self._file.name, "it changed while it was read")

    def chunks(self) -> Iterator[bytes]:
        """Yield the whole file, in pieces that fit a processor's cache."""
        at = 0
        while at < self._file.size:
            chunk = self._read(at, CHUNK)
            yield chunk
            at += len(chunk)
        self.require_same()

    def records(self, start: int = 0, window: int = WINDOW) -> Iterator[RawRecord]:
        """Yield the records from `start`, which is where one begins.

        Raises FileError at a record that has no end within RECORD_BYTES_MAX.
        """
        base, block = start, b""
        while True:
            more = self._read(base + len(block), max(window, len(block)))
            block += more
            last = base + len(block) >= self._file.size
            done = len(BOM) if base == 0 and block.startswith(BOM) else 0
            for span in find_records(block, self._csv, done):
                if span.after == len(block) and not last:
                    break
                yield RawRecord(base + span.start, block[span.start : span.end])
                done = span.after
            if last:
                return
            if done == 0 and len(block) > RECORD_BYTES_MAX:
                raise FileError(
                    "",
                    f"the record at byte {base} has no end within "
                    f"{RECORD_BYTES_MAX >> 20} MiB: look for a quote that does "
                    "not close",
                )
            rest = block[done:].lstrip(b"\r\n")
            base, block = base + len(block) - len(rest), rest

    def record_at(self, offset: int) -> RawRecord | None:
        """Return the record that begins at `offset`, or after blank lines there."""
        return next(self.records(offset, NEAR_WINDOW), None)

    def find(
        self, ordinals: Iterable[int], checkpoints: Sequence[Checkpoint] = ()
    ) -> dict[int, RawRecord]:
        """Return records by ordinal; 0 is the header, 1 the first after it.

        Raises FileError when the file has fewer.
        """
        found: dict[int, RawRecord] = {}
        at = Checkpoint(0, 0)
        records = self.records()
        for ordinal in sorted(set(ordinals)):
            start = nearest(checkpoints, ordinal, at)
            if start is not at:
                at, records = start, self.records(start.offset)
            for record in records:
                at = Checkpoint(record.offset + 1, at.records + 1)
                if at.records > ordinal:
                    found[ordinal] = record
                    break
            else:
                self.require_same()
                raise FileError("", f"the file has no record {ordinal}")
        return found

    def count_lines(self, start: int, end: int) -> int:
        r"""Count the line ends in [start, end): \n, or \r where it stands alone."""
        lines = 0
        at = start
        while at < end:
            size = min(WINDOW, end - at)
            piece = self._read(at, size + 1)
            following, piece = piece[size:], piece[:size]
            lines += piece.count(b"\n")
            if b"\r" in piece:
                pair = piece.endswith(b"\r") and following == b"\n"
                lines += piece.count(b"\r") - piece.count(b"\r\n") - pair
            at += len(piece)
        return lines

    def _read(self, offset: int, size: int) -> bytes:
        piece = os.pread(self._descriptor, size, offset)
        if not piece and offset < self._file.size:
            raise ChangedError(self._file.name, "it changed while it was read")
        return piece


@contextmanager
def opened(path: Path, file: StagedFile, csv: CsvFormat) -> Iterator[RawFile]:
    """Open a file, for the length of a block, if it is the version that was staged.

    Raises ChangedError when it is gone, another one, or a link.
    """
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise ChangedError(file.name, f"it cannot be read: {error.strerror}") from None
    try:
        raw = RawFile(descriptor, file, csv)
        raw.require_same()
        yield raw
    finally:
        os.close(descriptor)
