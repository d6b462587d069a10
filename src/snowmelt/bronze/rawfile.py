"""The records of plain content, a window at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from snowmelt.bronze.content import Content
from snowmelt.bronze.records import (
    BOM,
    Checkpoint,
    RecordCount,
    find_records,
    nearest,
)
from snowmelt.errors import FileError
from snowmelt.landing.opened import OpenedFile
from snowmelt.pipe.file_format import CsvFormat

WINDOW = 1 << 20
NEAR_WINDOW = 1 << 12
_TOO_LONG = 4
"""How many times longer than allowed a record may be and still be found whole."""


Count = Callable[[int, int], int]
"""Counts the records between two byte offsets at which records begin."""


class RawRecord(NamedTuple):
    """A record's byte offset and bytes, without its terminator."""

    offset: int
    raw: bytes


class RawFile:
    """One open version of a CSV file. Raises ChangedError once it is another."""

    def __init__(self, file: OpenedFile, csv: CsvFormat, record_bytes_max: int) -> None:
        self._opened = file
        self._csv = csv
        self._found_bytes_max = _TOO_LONG * record_bytes_max
        self.chunks = file.chunks
        self.require_same = file.require_same
        self._read = file.read
        self._size = file.file.size

    def records(self, start: int = 0, window: int = WINDOW) -> Iterator[RawRecord]:
        """Yield the records from `start`, which is where one begins.

        Raises FileError at a record that has no end within the limit.
        """
        base, block = start, b""
        while True:
            more = self._read(base + len(block), max(window, len(block)))
            block += more
            last = base + len(block) >= self._size
            done = len(BOM) if base == 0 and block.startswith(BOM) else 0
            for span in find_records(block, self._csv, done):
                if span.after == len(block) and not last:
                    break
                yield RawRecord(base + span.start, block[span.start : span.end])
                done = span.after
            if last:
                return
            if done == 0 and len(block) > self._found_bytes_max:
                raise FileError(
                    "",
                    f"the record at byte {base} has no end within "
                    f"{self._found_bytes_max} bytes: look for a quote that does not "
                    "close",
                )
            rest = block[done:].lstrip(b"\r\n")
            base, block = base + len(block) - len(rest), rest

    def record_at(self, offset: int) -> RawRecord | None:
        """Return the record that begins at `offset`, or after blank lines there."""
        return next(self.records(offset, NEAR_WINDOW), None)

    def is_after_line_end(self, offset: int) -> bool:
        """May a record begin at `offset`, or after a line end that is there?"""
        around = self._read(max(offset - 1, 0), 2)
        return offset in (0, len(BOM)) or any(end in around for end in b"\r\n")

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

    def find_ordinals(
        self, offsets: Sequence[int], checkpoints: Sequence[Checkpoint], count: Count
    ) -> list[int]:
        """Return the ordinals of the records that begin at these ascending offsets."""
        at = Checkpoint(0, 0)
        ordinals = []
        for offset in offsets:
            place = bisect_right(checkpoints, offset, key=lambda point: point.offset)
            if place and checkpoints[place - 1].offset > at.offset:
                at = checkpoints[place - 1]
            at = Checkpoint(offset, at.records + count(at.offset, offset))
            ordinals.append(at.records)
        return ordinals

    def count_records(self, start: int, end: int) -> int:
        """Count the records in [start, end) by the parity of quotes."""
        count = RecordCount(self._csv)
        for at in range(start, end, WINDOW):
            count.feed(self._read(at, min(WINDOW, end - at)))
        count.finish()
        return count.records

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


@contextmanager
def opened_raw(
    content: Content, csv: CsvFormat, record_bytes_max: int
) -> Iterator[RawFile]:
    """Open content, for the length of a block, if it is the version that was staged.

    Raises ChangedError when it is gone, another one, or a link.
    """
    with content.opened() as file:
        yield RawFile(file, csv, record_bytes_max)
