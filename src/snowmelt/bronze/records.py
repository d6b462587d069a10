"""Where the records of a CSV file begin and end, decided byte by byte.

The engine parses files in bulk; these readers are independent of it. `find_records`
is exact. `RecordCount` is many times faster and knows where it is not exact.
"""

from __future__ import annotations

import csv as python_csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from snowmelt.errors import FileError
from snowmelt.pipe.file_format import CsvFormat

BOM = b"\xef\xbb\xbf"
_LINE_HELD_MAX = 1 << 22


@dataclass(frozen=True)
class Span:
    """One record: its bytes are [start, end), its terminator [end, after)."""

    start: int
    end: int
    after: int


@dataclass(frozen=True)
class Checkpoint:
    """A byte offset at which a record begins, and the records before it.

    The header counts as a record.
    """

    offset: int
    records: int


def find_records(content: bytes, csv: CsvFormat, start: int = 0) -> Iterator[Span]:
    r"""Yield every record from `start`, blank lines left out, header included.

    A field is quoted only if it begins with the quote, or with one space and the
    quote, as the engine has it; \n, \r\n and \r end a record outside quotes. A
    quoted field that never ends takes the rest of the content.
    """
    for match in _record(*_marks(csv)).finditer(content, start):
        end = match.end(1)
        if end > match.start():
            yield Span(match.start(), end, match.end())


def is_well_quoted(record: bytes, csv: CsvFormat) -> bool:
    """Say whether every quoted field of a record ends, and nothing follows it."""
    return _well_quoted(*_marks(csv)).fullmatch(record) is not None


def unclosed_field(record: bytes, csv: CsvFormat) -> int | None:
    """Return the index of the field whose quote never closes, if there is one."""
    field, opens, closes = _fields(*_marks(csv))
    position = index = 0
    while position < len(record):
        if opens.match(record, position) and not closes.match(record, position):
            return index
        match = field.match(record, position)
        position = match.end() + 1 if match else len(record)
        index += 1
    return None


def split_record(text: str, csv: CsvFormat) -> tuple[str, ...]:
    """Split one record into its fields, quotes and escapes taken off."""
    enclosed = csv.field_optionally_enclosed_by != "none"
    doubled = csv.escape == csv.field_optionally_enclosed_by
    reader = python_csv.reader(
        io.StringIO(text, newline=""),
        delimiter=csv.field_delimiter,
        quotechar=csv.field_optionally_enclosed_by if enclosed else None,
        quoting=python_csv.QUOTE_MINIMAL if enclosed else python_csv.QUOTE_NONE,
        doublequote=doubled,
        escapechar=csv.escape if enclosed and not doubled else None,
    )
    try:
        return tuple(next(reader, ()))
    except python_csv.Error as error:
        raise FileError("", f"the header cannot be split: {error}") from None


def _marks(csv: CsvFormat) -> tuple[str, str, str]:
    return csv.quote, csv.quote_escape, csv.field_delimiter


@lru_cache(maxsize=64)
def _record(quote: str, escape: str, delimiter: str) -> re.Pattern[bytes]:
    opened, body, plain = _pieces(quote, escape, delimiter)
    closed = re.escape(quote.encode())
    field = rb"(?:%s%s(?:%s|\Z))?%s" % (opened, body, closed, plain)
    between = re.escape(delimiter.encode())
    return re.compile(rb"(%s(?:%s%s)*+)(?:\r\n|\n|\r|\Z)" % (field, between, field))


@lru_cache(maxsize=64)
def _fields(quote: str, escape: str, delimiter: str) -> tuple[re.Pattern[bytes], ...]:
    """Return expressions: a field, its opening, and a quoted field that closes."""
    opened, body, plain = _pieces(quote, escape, delimiter)
    closed = opened + body + re.escape(quote.encode())
    whole = rb"(?:%s)?%s" % (closed, plain)
    return re.compile(whole), re.compile(opened), re.compile(closed)


@lru_cache(maxsize=64)
def _well_quoted(quote: str, escape: str, delimiter: str) -> re.Pattern[bytes]:
    opened, body, plain = _pieces(quote, escape, delimiter)
    closed = re.escape(quote.encode())
    field = rb"(?:%s%s%s *|(?!%s)%s)" % (opened, body, closed, opened, plain)
    between = re.escape(delimiter.encode())
    return re.compile(rb"%s(?:%s%s)*+" % (field, between, field))


def _pieces(quote: str, escape: str, delimiter: str) -> tuple[bytes, bytes, bytes]:
    """Return expressions: a quote that opens, a quoted body, a plain field."""
    q, e, d = (re.escape(mark.encode()) for mark in (quote, escape, delimiter))
    opened = q if delimiter == " " else rb" ?" + q
    if quote == escape:
        body = rb"[^%s]*+(?:%s%s[^%s]*+)*+" % (q, q, q, q)
    else:
        body = rb"[^%s%s]*+(?:%s(?:[\s\S]|\Z)[^%s%s]*+)*+" % (q, e, e, q, e)
    return opened, body, rb"[^%s\r\n]*+" % d


class RecordCount:
    r"""Counts records chunk by chunk, by the parity of quotes.

    Most chunks hold whole lines with an even number of quotes each: there every line
    is taken for a record, which costs next to nothing. That never counts too few, so
    where it agrees with the engine at the end it was right all along. Other chunks
    are taken apart, and all are if the count is to be `careful`: only that knows of
    blank lines, and counts none. `exact` says whether in those every quote opens a
    field, closes one, or is doubled inside one; `ends_exact` says so of the end of
    the file. `line_records`: all lines were taken for records. `checkpoints` are
    places to start reading from, one in a chunk at most; they hold where the count
    does.
    """

    def __init__(self, csv: CsvFormat, *, careful: bool = False) -> None:
        self._careful = careful
        self._quote = csv.quote.encode()
        self._delimiter = csv.field_delimiter.encode()
        escape = csv.quote_escape.encode()
        self._escape = escape if escape != self._quote else b""
        self._not_marks = _all_but(self._quote + b"\n")
        self._tail = b""
        self._escaped = False
        self._inside = False
        self._open_line = False
        self._kept = b""
        self._last = b"\n"
        self._quotes = self._opening = self._closing = 0
        self._offset = 0
        self.records = 0
        self.ends_exact = True
        self.line_records = True
        self.blank_lines = False
        self.nul_bytes = False
        self.line_ends: set[bytes] = set()
        self.checkpoints: list[Checkpoint] = []

    @property
    def exact(self) -> bool:
        """Is every quote where a field begins or ends? Ask after `finish`."""
        regular = self._quotes == self._opening == self._closing
        return regular and not self._inside and not self._escaped

    def feed(self, chunk: bytes) -> None:
        """Count the records that end in this chunk.

        A byte-order mark is in the first chunk or not at all.
        """
        self.nul_bytes = self.nul_bytes or b"\x00" in chunk
        if self._offset == 0 and not self._tail and chunk.startswith(BOM):
            self._offset, chunk = len(BOM), chunk[len(BOM) :]
        chunk = self._tail + chunk
        cut = chunk.rfind(b"\n") + 1
        if cut == 0 and len(chunk) > _LINE_HELD_MAX:
            cut = len(chunk)
        whole, self._tail = chunk[:cut], chunk[cut:]
        self._feed_lines(whole)

    def finish(self) -> None:
        """Count the last record, which need not be ended."""
        self._feed_lines(self._tail)
        self._count(self._kept)
        if self._open_line or self._inside:
            self.records += 1
        if self._last == self._quote:
            self._closing += 1
        self.ends_exact = self.exact or (self.ends_exact and not self._inside)

    def _feed_lines(self, chunk: bytes) -> None:
        if not chunk:
            return
        self._offset += len(chunk)
        if self._count_even_lines(chunk):
            self.ends_exact = True
            self.checkpoints.append(Checkpoint(self._offset, self.records))
            return
        odd = self._quotes - self._opening, self._quotes - self._closing
        self._take_apart(chunk)
        after = self._quotes - self._opening, self._quotes - self._closing
        self.ends_exact = odd == after and not self._escaped

    def _count_even_lines(self, chunk: bytes) -> bool:
        """Count a chunk of whole lines, each with even quotes, if it is one."""
        if self._careful or self._inside or self._open_line or self._kept:
            return False
        if chunk[-1:] != b"\n" or (self._escape and self._escape in chunk):
            return False
        marks = chunk.translate(None, self._not_marks)
        if self._quote in marks.replace(self._quote * 2, b""):
            return False
        lines, ended = len(marks.translate(None, self._quote)), b"\n"
        if b"\r" in chunk:
            ended = b"\r\n"
            if not chunk.count(b"\r") == chunk.count(ended) == lines:
                return False
        self.records += lines
        self.line_ends.add(ended)
        self._last = b"\n"
        return True

    def _take_apart(self, chunk: bytes) -> None:
        if b"\n" in chunk or b"\r" in chunk:
            self.line_records = False
        if self._escape and self._escape in chunk:
            self._escaped = True
        pieces = chunk.split(self._quote)
        outside = self._quote.join(pieces[1 if self._inside else 0 :: 2])
        if self._inside and len(pieces) > 1:
            outside = self._quote + outside
        if len(pieces) % 2 == 0:
            self._inside = not self._inside
        if outside.endswith(b"\r"):
            outside, held = outside[:-1], b"\r"
        else:
            held = b""
        self._count(self._kept + outside)
        self._kept = held
        if not self._inside:
            self._note_checkpoint(pieces[-1])

    def _note_checkpoint(self, tail: bytes) -> None:
        r"""Remember the last \n of a chunk: all that was counted ends before it."""
        at = tail.rfind(b"\n")
        if at >= 0:
            offset = self._offset - len(tail) + at + 1
            self.checkpoints.append(Checkpoint(offset, self.records))

    def _count(self, text: bytes) -> None:
        if not text:
            return
        crlf = text.count(b"\r\n")
        if crlf:
            self.line_ends.add(b"\r\n")
        if text.count(b"\n") > crlf:
            self.line_ends.add(b"\n")
        if text.count(b"\r") > crlf:
            self.line_ends.add(b"\r")
        plain = text.replace(b"\r\n", b"\n") if crlf else text
        plain = plain.replace(b"\r", b"\n") if b"\r" in self.line_ends else plain
        self._count_quotes(plain)
        ended = plain.count(b"\n")
        if b"\n\n" in plain or (plain[:1] == b"\n" and not self._open_line):
            self.blank_lines = True
            lines = plain.split(b"\n")
            ended = sum(1 for line in lines[1:-1] if line)
            ended += 1 if lines[0] or self._open_line else 0
            self._open_line = bool(lines[-1])
        elif ended:
            self._open_line = not plain.endswith(b"\n")
        else:
            self._open_line = True
        self.records += ended

    def _count_quotes(self, plain: bytes) -> None:
        """Count quotes, and those of them that stand where a field begins or ends.

        In `plain` one quote stands for a whole quoted piece, so that a doubled
        quote inside a field shows as a run of quotes, which counts as one.
        """
        quote, before = self._quote, self._last
        self._last = plain[-1:]
        if before != quote and quote not in plain:
            return
        text = before + plain
        while quote + quote in text:
            text = text.replace(quote + quote, quote)
        self._quotes += text.count(quote) - (before == quote)
        for edge in (b"\n", self._delimiter):
            self._opening += text.count(edge + quote)
            self._closing += text.count(quote + edge)


@lru_cache(maxsize=64)
def _all_but(marks: bytes) -> bytes:
    return bytes(set(range(256)) - set(marks))


def nearest(
    checkpoints: Sequence[Checkpoint], ordinal: int, after: Checkpoint
) -> Checkpoint:
    """Return the last place to start from for a record, `after` at the earliest.

    `ordinal` 0 is the header.
    """
    at = bisect_right(checkpoints, ordinal, key=lambda point: point.records)
    if at == 0 or checkpoints[at - 1].offset <= after.offset:
        return after
    return checkpoints[at - 1]
