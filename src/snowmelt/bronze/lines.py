"""Lines that are no records: skipped at the front, commented out, or put in front."""

from __future__ import annotations

import csv as python_csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from snowmelt.bronze.records import BOM
from snowmelt.errors import FileError
from snowmelt.pipe.file_format import CsvFormat

_FRONT_BYTES_MAX = 1 << 24
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)")


@dataclass
class LinesTaken:
    """What is done to a file's lines, and what it did to their positions.

    `header`: the names to put in front of records that have none. `lines_before` and
    `bytes_before` are what to add to a position in the copy for one in the original;
    after comments further down only the lines are right.
    """

    csv: CsvFormat
    header: tuple[str, ...] = ()
    lines_before: int = 0
    bytes_before: int = 0


def take_lines(chunks: Iterable[bytes], lines: LinesTaken) -> Iterator[bytes]:
    """Yield the content without the lines to skip, and with the header to add.

    Comments before the first record are left out like skipped lines; a comment
    further down, outside quotes, becomes a blank line.
    """
    front = _Front(iter(chunks))
    comment = (lines.csv.comment or "").encode()
    while line := front.line():
        is_comment = bool(comment) and line.removeprefix(BOM).startswith(comment)
        if lines.lines_before >= lines.csv.skip_header and not is_comment:
            front.put_back(line)
            break
        lines.lines_before += 1
        lines.bytes_before += len(line)
    if lines.header:
        header = write_record(lines.header, lines.csv) + b"\n"
        bom = front.take_bom()
        lines.lines_before -= 1
        lines.bytes_before += bom - len(header)
        yield header
    rest = front.rest()
    yield from _blank_comments(rest, comment, lines.csv) if comment else rest


class _Front:
    """The beginning of content, line by line, and then the rest of it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""

    def line(self) -> bytes:
        """Take the next line with its end; nothing at the end of the content."""
        while True:
            match = _LINE.match(self._held)
            if match and match.end() < len(self._held):
                break
            chunk = next(self._chunks, b"")
            if not chunk:
                line, self._held = self._held, b""
                return line
            if len(self._held) > _FRONT_BYTES_MAX:
                raise FileError("", "a line to skip, or the first line, has no end")
            self._held += chunk
        line, self._held = self._held[: match.end()], self._held[match.end() :]
        return line

    def put_back(self, line: bytes) -> None:
        self._held = line + self._held

    def take_bom(self) -> int:
        """Leave out a byte-order mark; return how many bytes it had."""
        before = len(self._held)
        self._held = self._held.removeprefix(BOM)
        return before - len(self._held)

    def rest(self) -> Iterator[bytes]:
        yield self._held
        yield from self._chunks


def _blank_comments(
    chunks: Iterable[bytes], mark: bytes, csv: CsvFormat
) -> Iterator[bytes]:
    """Make blank lines of those that begin with the mark outside quotes."""
    begins = re.compile(rb"(?m)^" + re.escape(mark) + rb"[^\r\n]*")
    quote, inside, tail = csv.quote.encode(), False, b""
    for chunk in chain(chunks, [b""]):
        held = tail + chunk
        cut = held.rfind(b"\n") + 1 if chunk else len(held)
        whole, tail = held[:cut], held[cut:]
        kept = counted = 0
        pieces = []
        for match in begins.finditer(whole):
            inside ^= whole.count(quote, counted, match.start()) % 2 == 1
            counted = match.start()
            if not inside:
                pieces.append(whole[kept : match.start()])
                kept = counted = match.end()
        inside ^= whole.count(quote, counted) % 2 == 1
        pieces.append(whole[kept:])
        yield b"".join(pieces)


def write_record(fields: Iterable[str], csv: CsvFormat) -> bytes:
    """Write one record as the format has it, without a line end."""
    text = io.StringIO()
    quotes = csv.field_optionally_enclosed_by
    python_csv.writer(
        text,
        delimiter=csv.field_delimiter,
        quotechar=None if quotes == "none" else quotes,
        quoting=python_csv.QUOTE_NONE if quotes == "none" else python_csv.QUOTE_MINIMAL,
        escapechar=csv.escape,
        lineterminator="",
    ).writerow(fields)
    return text.getvalue().encode()
