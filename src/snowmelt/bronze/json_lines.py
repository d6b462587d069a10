r"""Lines of JSON: what they are, and how many. A line ends with \n alone."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MAY_BE_BLANK = re.compile(rb"\n[ \t\n\r\x0b\x0c]")


class LineCount:
    r"""Counts lines chunk by chunk; blank ones are among them."""

    def __init__(self) -> None:
        self._ends = 0
        self._last = b""

    def feed(self, chunk: bytes) -> None:
        """Count the lines that end in this chunk."""
        self._ends += chunk.count(b"\n")
        self._last = chunk or self._last

    @property
    def lines(self) -> int:
        unended = bool(self._last) and not self._last.endswith(b"\n")
        return self._ends + unended


def has_blank_line(block: bytes) -> bool:
    """May a block of whole lines hold one of blanks alone?"""
    return block[:1].isspace() or _MAY_BE_BLANK.search(block) is not None


def count_records(block: bytes) -> int:
    """Count the lines of a block that are not blank."""
    if has_blank_line(block):
        return sum(1 for line in block.split(b"\n") if line.strip())
    return block.count(b"\n") + (not block.endswith(b"\n"))


def lines_of(block: bytes) -> Iterator[bytes]:
    """Yield the lines of a block, each with its end."""
    start = 0
    while start < len(block):
        end = block.find(b"\n", start) + 1 or len(block)
        yield block[start:end]
        start = end
