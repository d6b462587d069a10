"""Where JSON records stand in plain content: found again by their ordinals."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from snowmelt.bronze.content import Content
from snowmelt.bronze.json_lines import has_blank_line, lines_of
from snowmelt.bronze.records import BOM
from snowmelt.errors import FileError
from snowmelt.landing.opened import OpenedFile

_WINDOW = 1 << 20
_TOO_LONG = 4
"""How many times longer than allowed a line may be and still be held."""


class Place(NamedTuple):
    """A record's ordinal, its line and byte, both of the content, and its bytes."""

    ordinal: int
    line: int
    offset: int
    raw: bytes


class Places(Protocol):
    """The records of one file, by ordinal."""

    def find(self, ordinals: Iterable[int]) -> Iterator[Place]:
        """Yield places; ordinals ascend, the first record is 1.

        Raises ChangedError when the file is not the one that was read, FileError
        when it has no such record.
        """
        ...


class LinePlaces:
    r"""Records that are lines. A line ends with \n; one of blanks is no record."""

    def __init__(self, content: Content, record_bytes_max: int) -> None:
        self._content = content
        self._held_max = _TOO_LONG * record_bytes_max

    def find(self, ordinals: Iterable[int]) -> Iterator[Place]:
        """Yield places; see `Places`."""
        wanted = iter(ordinals)
        ordinal = next(wanted, None)
        passed, line = 0, 0
        for offset, block in self.blocks():
            if ordinal is None:
                return
            lines = block.count(b"\n") + (not block.endswith(b"\n"))
            if not has_blank_line(block) and passed + lines < ordinal:
                passed, line = passed + lines, line + lines
                continue
            for each in lines_of(block):
                line += 1
                start, offset = offset, offset + len(each)
                if not each.strip():
                    continue
                passed += 1
                if passed == ordinal:
                    raw = each.strip()
                    at = start + each.index(raw)
                    yield Place(ordinal, line, at, raw)
                    ordinal = next(wanted, None)
        if ordinal is not None:
            raise FileError("", f"the file has no record {ordinal}")

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield blocks of whole lines with their offsets; the last may be unended.

        Raises FileError at a line that has no end within the limit.
        """
        content = self._content
        with content.opened() as file:
            at = len(BOM) if file.read(0, len(BOM)) == BOM else 0
            held: list[bytes] = []
            held_bytes = 0
            for piece in pieces(file, at):
                cut = piece.rfind(b"\n") + 1
                if not cut:
                    held.append(piece)
                    held_bytes += len(piece)
                    if held_bytes > self._held_max:
                        raise FileError(
                            "",
                            f"the line at byte {at} has no end within "
                            f"{self._held_max} bytes",
                        )
                    continue
                block = b"".join([*held, piece[:cut]])
                yield at, block
                at += len(block)
                held, held_bytes = [piece[cut:]], len(piece) - cut
            last = b"".join(held)
            if last:
                yield at, last
            file.require_same()


class IndexedPlaces:
    """Records of any form, whose bounds were written down as they were found."""

    def __init__(self, content: Content, index: Path) -> None:
        self._content = content
        self._index = index

    def find(self, ordinals: Iterable[int]) -> Iterator[Place]:
        """Yield places; see `Places`."""
        content = self._content
        with content.opened() as file, self._index.open("rb") as at:
            line, counted = 1, 0
            for ordinal in ordinals:
                at.seek((ordinal - 1) * 16)
                pair = at.read(16)
                if len(pair) < 16:
                    raise FileError("", f"the file has no record {ordinal}")
                start, end = struct.unpack("=QQ", pair)
                line += count_lines(file, counted, start)
                counted = start
                yield Place(ordinal, line, start, read_all(file, start, end))
            file.require_same()


class PlaceIndex:
    """Writes down where records begin and end, 16 bytes a record."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._bounds = array("Q")
        self._file = path.open("xb")

    def __enter__(self) -> PlaceIndex:
        return self

    def __exit__(self, *_: object) -> None:
        self._bounds.tofile(self._file)
        self._file.close()

    def add(self, start: int, end: int) -> None:
        """Note the next record."""
        self._bounds.extend((start, end))
        self.count += 1
        if len(self._bounds) >= 1 << 14:
            self._bounds.tofile(self._file)
            del self._bounds[:]


def pieces(file: OpenedFile, start: int) -> Iterator[bytes]:
    """Yield content from an offset to its end."""
    at = start
    while at < file.file.size:
        piece = file.read(at, _WINDOW)
        yield piece
        at += len(piece)


def read_all(file: OpenedFile, start: int, end: int) -> bytes:
    """Return the bytes between two offsets."""
    parts = []
    while start < end:
        parts.append(file.read(start, end - start))
        start += len(parts[-1])
    return b"".join(parts)


def count_lines(file: OpenedFile, start: int, end: int) -> int:
    r"""Count the \n between two offsets."""
    lines = 0
    while start < end:
        piece = file.read(start, min(_WINDOW, end - start))
        lines += piece.count(b"\n")
        start += len(piece)
    return lines
