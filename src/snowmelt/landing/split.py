"""Cutting a text file where records end. Bytes in, the same bytes out, in blocks.

CSV records may hold line ends between quotes; a quote counts where it opens a field,
as it does to the reader. JSON lines end where the line does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from snowmelt.errors import UsageError

RECORD_BYTES_MAX = 1 << 28
_DELIMITERS = (b",", b";", b"\t", b"|")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Cut:
    """The first record of a CSV file, repeated in each piece, and whole records."""

    header: bytes
    blocks: Iterator[bytes]


def cut_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield blocks of whole lines; the last line need not be ended."""
    kept: list[bytes] = []
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if not end:
            kept.append(chunk)
            continue
        yield b"".join([*kept, chunk[:end]])
        kept = [chunk[end:]]
    if rest := b"".join(kept):
        yield rest


def cut_csv(name: str, chunks: Iterable[bytes], delimiter: bytes | None = None) -> Cut:
    """Split off the header, and yield the rest in blocks of whole records.

    Without a delimiter, the one that the header's line has most of is taken.

    Raises UsageError when a record does not end within some 256 MB.
    """
    blocks = _record_blocks(name, iter(chunks), delimiter)
    header = next(blocks, b"")
    return Cut(header, blocks)


class _Records:
    """Takes whole records off the front of what was fed."""

    def __init__(self, delimiter: bytes | None) -> None:
        self._delimiter = delimiter
        self._held = bytearray()
        self._looked = 0
        self._first = True

    @property
    def held_bytes(self) -> int:
        return len(self._held)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the records that are whole now; the first one by itself.

        A long record is not looked through again at every chunk, but each time that
        what is held has doubled.
        """
        self._held += chunk
        if len(self._held) >= 2 * self._looked:
            yield from self._take()
            self._looked = len(self._held)

    def finish(self) -> Iterator[bytes]:
        """Yield the rest; the last record need not be ended."""
        yield from self._take()
        if self._held:
            yield bytes(self._held)

    def _take(self) -> Iterator[bytes]:
        if self._delimiter is None and b"\n" in self._held:
            self._delimiter = _delimiter_of(self._held)
        if self._delimiter is None:
            return
        while end := _end(_records(self._delimiter, only_one=self._first), self._held):
            block = bytes(self._held[:end])
            del self._held[:end]
            self._first = False
            yield block


def _record_blocks(
    name: str, chunks: Iterator[bytes], delimiter: bytes | None
) -> Iterator[bytes]:
    """Yield the first record, then the others in blocks."""
    records = _Records(delimiter)
    for chunk in chunks:
        yield from records.feed(chunk)
        if records.held_bytes > RECORD_BYTES_MAX:
            raise UsageError(
                name,
                f"no record ends within {RECORD_BYTES_MAX >> 20} MB: "
                "a quote does not close",
                "Land it whole, without splitting.",
            )
    yield from records.finish()


def _delimiter_of(text: bytearray) -> bytes:
    line = text.split(b"\n", 1)[0]
    return max(_DELIMITERS, key=lambda each: line.count(each))


def _records(delimiter: bytes, *, only_one: bool) -> re.Pattern[bytes]:
    """Return an expression for whole records, as many as there are, or one.

    Groups with alternatives repeat greedily: where a repeat of such a group gives
    nothing back, Python 3.11.2 matches what is no match.
    """
    d = re.escape(delimiter)
    quoted = rb' ?"[^"]*+(?:""[^"]*+)*+"[^%s\n]*+' % d
    field = rb'(?:%s|(?! ?")[^%s\n]*+)' % (quoted, d)
    record = rb"%s(?:%s%s)*\n" % (field, d, field)
    return re.compile(rb"(?:%s)%s" % (record, b"" if only_one else b"*"))


def _end(records: re.Pattern[bytes], text: bytearray) -> int:
    """Return where the whole records at the beginning end; 0 when there is none.

    A byte-order mark stands before the first field, and is no part of it.
    """
    start = len(_BOM) if text.startswith(_BOM) else 0
    found = records.match(text, start)
    return found.end() if found and found.end() > start else 0
