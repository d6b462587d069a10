"""How a CSV sample is written, decided from its first lines."""

from __future__ import annotations

import csv as python_csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from snowmelt.bronze.inference.kinds import Kind, kind_of

DELIMITERS = (",", ";", "\t", "|", "^", "~", "\x01")
_ROWS_LOOKED_AT = 2000
_TYPED_ROWS = 300
_TYPED_FIELDS = 20_000
_SKIPPED_MAX = 200
_UNTYPED = (Kind.TEXT, Kind.EMPTY, Kind.TOKEN)


@dataclass(frozen=True)
class Dialect:
    """What the first lines of one sample say of its format.

    `rows` are the first records, header and lines on top left out. `header` is None
    where the first record is one like the others. `is_sure` is of the header.
    """

    delimiter: str
    quote: str
    escape: str
    comment: str | None
    skip_header: int
    header: tuple[str, ...] | None
    first: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_sure: bool
    share: float


@dataclass(frozen=True)
class _Reading:
    """The head read with one delimiter and quote.

    `starts` are the lines (from 0) on which the rows begin.
    """

    delimiter: str
    quote: str
    escape: str
    rows: list[tuple[str, ...]]
    starts: list[int]
    width: int
    leading: int
    share: float
    clean: float

    @property
    def rank(self) -> tuple[bool, float, int]:
        """More rows are better where all else is equal: no quote swallowed some."""
        score = self.share + 0.2 * self.clean - 0.2 * (self.leading > 0)
        return self.width > 1, round(score, 3), len(self.rows)


def tell_dialect(head: str, *, whole: bool) -> Dialect:
    """Return how a file that begins with `head` is written.

    `whole`: the head is all there is; otherwise its last line may be cut.
    """
    if not whole:
        head = head[: max(head.rfind("\n"), head.rfind("\r")) + 1] or head
    comment = _tell_comment(head)
    lines = head if comment is None else _without_comments(head, comment)
    escape = _tell_escape(lines)
    readings = [
        _read(lines, delimiter, quote, escape)
        for delimiter in DELIMITERS
        if delimiter in lines
        for quote in _quotes(lines, delimiter)
    ]
    # of equals the first: commas and double quotes come before the others
    best = max(readings or [_read(lines, ",", '"', escape)], key=lambda one: one.rank)
    if best.width <= 1:
        best = _read(lines, ",", '"', escape)
    skip = _skipped(head, lines, best, comment)
    rows = [row for row in best.rows[best.leading :] if len(row) == best.width]
    first = rows[0] if rows else ()
    header, is_sure = tell_header(rows)
    return Dialect(
        delimiter=best.delimiter,
        quote=best.quote,
        escape=best.escape if best.quote != "none" else '"',
        comment=comment,
        skip_header=skip,
        header=first if header else None,
        first=first,
        rows=tuple(rows[1:] if header else rows),
        is_sure=is_sure,
        share=best.share,
    )


def tell_header(rows: Sequence[tuple[str, ...]]) -> tuple[bool, bool]:
    """Say whether the first row names the columns, and whether that is sure."""
    if not rows:
        return True, False
    first = rows[0]
    enough = min(_TYPED_ROWS, max(_TYPED_FIELDS // len(first), 10))
    below = rows[1 : enough + 1]
    written = [field.strip() for field in first]
    names = [field for field in written if field]
    if not names or len({name.lower() for name in names}) < len(names):
        return _repeats_below(written, below), False
    votes = sum(_vote(each, [row[i] for row in below]) for i, each in enumerate(first))
    if votes:
        return votes > 0, True
    typed = any(kind_of(each) not in _UNTYPED for each in names)
    return not typed, False


def _repeats_below(written: list[str], below: Sequence[tuple[str, ...]]) -> bool:
    """Is a first row with a name in it twice a header all the same?

    It is if every column below is of another kind than its first field.
    """
    if not below or not any(written):
        return False
    return all(
        not each or _vote(each, [row[i] for row in below]) > 0
        for i, each in enumerate(written)
    )


def _vote(first: str, below: list[str]) -> int:
    """Return 1 if a column's first field is unlike those below, -1 if like them."""
    kinds = {kind_of(each) for each in below} - {Kind.EMPTY, Kind.TOKEN}
    kind = kind_of(first)
    if not kinds or kind in (Kind.EMPTY, Kind.TOKEN):
        return 0
    if Kind.TEXT not in kinds:
        return -1 if kind is not Kind.TEXT else 1
    if kind is not Kind.TEXT:
        return 0 if len(kinds) == 1 else -1
    return -1 if first in below else 0


def _tell_comment(head: str) -> str | None:
    """Return the comment mark, if lines that begin with one are unlike the rest."""
    lines = [line for line in head.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith("#")]
    plain = [line for line in lines if not line.startswith("#")]
    if not marked or not plain:
        return None
    usual = plain[len(plain) // 2 :]
    for delimiter in DELIMITERS:
        counts = Counter(line.count(delimiter) for line in usual)
        width, many = counts.most_common(1)[0]
        if width and many * 2 > len(usual):
            same = sum(line.count(delimiter) == width for line in marked)
            return "#" if same < len(marked) else None
    return "#" if head.startswith("#") else None


def _without_comments(head: str, mark: str) -> str:
    kept = [line for line in head.splitlines(keepends=True) if line[:1] != mark]
    return "".join(kept)


def _tell_escape(head: str) -> str:
    r"""Return `\` where quotes inside fields have it in front, else `"`."""
    slashed = len(re.findall(r'[^\\]\\"(?=[^,;\t|\r\n])', head))
    doubled = len(re.findall(r'[^",;\t|\r\n]""(?=[^",;\t|\r\n])', head))
    return "\\" if slashed > doubled else '"'


def _quotes(head: str, delimiter: str) -> list[str]:
    """Return the quotes worth a try, the likeliest first."""
    edge = re.escape(delimiter)
    doubles = len(re.findall(rf'(?:^|{edge})"', head, re.M))
    singles = len(
        re.findall(rf"(?:^|{edge})'(?:[^'\n]|'')*'(?=$|\r|{edge})", head, re.M)
    )
    opened = len(re.findall(rf"(?:^|{edge})'", head, re.M))
    if not doubles and singles and singles == opened:
        return ["'"]
    return ['"', "none"] if '"' in head else ['"']


def _read(head: str, delimiter: str, quote: str, escape: str) -> _Reading:
    if quote == "'":
        escape = "'" if escape == '"' else escape
    backslash = escape == "\\" and quote != "none"
    reader = python_csv.reader(
        io.StringIO(head, newline=""),
        delimiter=delimiter,
        quotechar=None if quote == "none" else quote,
        quoting=python_csv.QUOTE_NONE if quote == "none" else python_csv.QUOTE_MINIMAL,
        doublequote=not backslash,
        escapechar="\\" if backslash else None,
    )
    rows: list[tuple[str, ...]] = []
    starts: list[int] = []
    before = 0
    try:
        for row in reader:
            if row:
                rows.append(tuple(row))
                starts.append(before)
            before = reader.line_num
            if len(rows) >= _ROWS_LOOKED_AT:
                break
    except python_csv.Error:
        rows, starts = rows[:1], starts[:1]
    width = _usual_width(rows)
    leading = next((i for i, row in enumerate(rows) if len(row) == width), 0)
    records = rows[leading:]
    share = sum(len(row) == width for row in records) / max(len(records), 1)
    return _Reading(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        rows=rows,
        starts=starts,
        width=width,
        leading=leading,
        share=share,
        clean=_clean_share(records[:_TYPED_ROWS], delimiter),
    )


def _usual_width(rows: list[tuple[str, ...]]) -> int:
    """Return how many fields most rows of the lower half have; of equals the most.

    What is no record stands on top.
    """
    widths = Counter(len(row) for row in rows[len(rows) // 2 :])
    return max(widths, key=lambda width: (widths[width], width), default=0)


def _clean_share(rows: list[tuple[str, ...]], delimiter: str) -> float:
    """Return the share of fields that hold no other delimiter, or are numbers."""
    others = [each for each in DELIMITERS if each != delimiter]
    fields = [field for row in rows for field in row]
    clean = sum(
        not any(each in field for each in others) or kind_of(field) is Kind.COMMA
        for field in fields
    )
    return clean / max(len(fields), 1)


def _skipped(head: str, lines: str, best: _Reading, comment: str | None) -> int:
    """Return how many lines stand above the first record; comments are no such.

    A comment among the lines to skip is one of them.
    """
    if not best.starts:
        return 0
    above = best.starts[best.leading]
    if above == 0 or above > _SKIPPED_MAX:
        return 0
    if comment is None:
        return above
    seen = 0
    for number, line in enumerate(head.splitlines()):
        seen += not line.startswith(comment)
        if seen == above:
            return number + 1
    return above
