"""A file's bytes, without reading all of them into memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snowmelt.bronze.records import Content

_STEP = 1 << 22


@contextmanager
def mapped(path: Path) -> Iterator[Content]:
    """Map a file; an empty one cannot be mapped and is empty bytes."""
    with path.open("rb") as opened:
        if opened.seek(0, 2) == 0:
            yield b""
            return
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content


def count_lines(content: Content, start: int, end: int) -> int:
    r"""Count the line ends in [start, end): \n, or \r where it stands alone."""
    lines = 0
    for at in range(start, end, _STEP):
        piece = content[at : min(at + _STEP, end)]
        lines += piece.count(b"\n")
        if b"\r" in piece:
            following = content[at + len(piece) : at + len(piece) + 1]
            pairs = piece.count(b"\r\n") + (
                piece.endswith(b"\r") and following == b"\n"
            )
            lines += piece.count(b"\r") - pairs
    return lines
