"""Finding and counting records, against Python's csv module and simple models."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.bronze import rawfile
from snowmelt.bronze.content import Content
from snowmelt.bronze.fileread import ordinal_of
from snowmelt.bronze.rawfile import RawFile, opened_raw
from snowmelt.bronze.records import (
    BOM,
    RecordCount,
    find_records,
    is_well_quoted,
    unclosed_field,
)
from snowmelt.errors import ChangedError, FileError
from snowmelt.landing.stage import StagedFile
from snowmelt.pipe.file_format import CsvFormat

CSV = CsvFormat.model_validate({})
BACKSLASH = CsvFormat.model_validate({"escape": "\\"})

fields = st.text(alphabet="ab\" ,;\n\r'\\é🧊", max_size=6)
tables = st.lists(st.lists(fields, min_size=2, max_size=4), max_size=8)
line_ends = st.sampled_from(["\n", "\r\n", "\r"])
quotings = st.lists(st.booleans(), min_size=1, max_size=7)
chunk_sizes = st.lists(st.integers(1, 9), min_size=1, max_size=5)
# Bytes that look like CSV and mostly are not.
scraps = st.text(alphabet='ab",\n\r \\', max_size=60).map(str.encode)


def written(table: list[list[str]], quoted: list[bool], end: str) -> bytes:
    """Write well-formed CSV, quoting where it must be or where `quoted` says."""
    number = 0
    lines = []
    for record in table:
        parts = []
        for field in record:
            number += 1
            must = any(mark in field for mark in ',"\n\r')
            if must or quoted[number % len(quoted)]:
                field = '"' + field.replace('"', '""') + '"'
            parts.append(field)
        lines.append(",".join(parts) + end)
    return "".join(lines).encode()


def parsed(content: bytes) -> list[list[str]]:
    """Parse with Python's own reader; blank lines are not records."""
    text = io.StringIO(content.decode(), newline="")
    return [record for record in csv.reader(text) if record]


def in_chunks(content: bytes, sizes: list[int]) -> Iterator[bytes]:
    """Cut content into chunks of these sizes, over and over."""
    at = number = 0
    while at < len(content):
        size = sizes[number % len(sizes)]
        yield content[at : at + size]
        at, number = at + size, number + 1


def counted(
    content: bytes, sizes: list[int], csv_format: CsvFormat = CSV
) -> RecordCount:
    count = RecordCount(csv_format)
    for chunk in in_chunks(content, sizes):
        count.feed(chunk)
    count.finish()
    return count


@contextmanager
def raw_file(content: bytes, record_bytes_max: int = 1 << 26) -> Iterator[RawFile]:
    """Put content into a file and open it as the version that was staged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.csv"
        path.write_bytes(content)
        found = path.stat()
        staged = StagedFile(
            "f", found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
        )
        with opened_raw(Content(path, staged), CSV, record_bytes_max) as raw:
            yield raw


@given(tables, quotings, line_ends, st.booleans())
def test_spans_parse_to_the_rows_that_were_written(
    table: list[list[str]], quoted: list[bool], end: str, last_line_end: bool
) -> None:
    content = written(table, quoted, end)
    if not last_line_end:
        content = content.removesuffix(end.encode())
    spans = list(find_records(content, CSV))
    rows = [parsed(content[span.start : span.end])[0] for span in spans]
    assert rows == parsed(content)
    assert all(is_well_quoted(content[s.start : s.end], CSV) for s in spans)
    assert all(s.end < s.after or s.after == len(content) for s in spans)


@given(scraps)
def test_spans_and_line_ends_cover_every_byte(content: bytes) -> None:
    at = 0
    for span in find_records(content, CSV):
        assert at <= span.start < span.end <= span.after
        assert content[at : span.start].strip(b"\r\n") == b""
        assert content[span.end : span.after] in (b"", b"\n", b"\r", b"\r\n")
        at = span.after
    assert content[at:].strip(b"\r\n") == b""


@given(tables, quotings, line_ends, chunk_sizes, st.booleans())
def test_the_count_is_exact_for_well_formed_files(
    table: list[list[str]], quoted: list[bool], end: str, sizes: list[int], mark: bool
) -> None:
    content = (BOM if mark else b"") + written(table, quoted, end)
    count = counted(content, [len(BOM), *sizes])
    assert count.exact
    assert count.records == len(parsed(content.removeprefix(BOM)))


@given(scraps, chunk_sizes)
def test_where_the_count_is_right_its_checkpoints_are(
    content: bytes, sizes: list[int]
) -> None:
    count = counted(content, sizes)
    starts = [span.start for span in find_records(content, CSV)]
    if not is_sound(count, len(starts)):
        return
    for point in count.checkpoints:
        following = next(find_records(content, CSV, point.offset), None)
        if following is None:
            assert point.records == len(starts)
        else:
            assert starts.index(following.start) == point.records


def is_sound(count: RecordCount, records: int) -> bool:
    """May the checkpoints be used? As the reader of rejects decides it."""
    return count.exact and count.records == records and b"\r" not in count.line_ends


@pytest.mark.parametrize(
    ("content", "exact"),
    [
        (b'a,5" pipe\nb,6" pipe\n', False),
        (b'a,"b"x\n', True),  # even: that it is no field is the engine's to say
        (b'a,"b\n', False),
        (b'a, "b"\n', True),
        (b'a,"b\nc"x\n', False),
        (b'a,"b""c"\n', True),
        (b'"",""""\n', True),
        (BOM + b'"a","b"', True),
    ],
)
def test_lines_with_odd_quotes_in_odd_places_make_the_count_inexact(
    content: bytes, exact: bool
) -> None:
    assert counted(content, [3]).exact is exact


def test_an_escape_that_is_not_the_quote_makes_the_count_inexact() -> None:
    assert not counted(b'a,"b\\"c"\n', [100], BACKSLASH).exact
    assert counted(b'a,"b c"\n', [100], BACKSLASH).exact


@pytest.mark.parametrize(
    ("record", "index"),
    [
        (b'1,"b,3', 1),
        (b'"1,2', 0),
        (b'1,"b ""x"",', 1),
        (b'1,"b",3', None),
        (b'1,b"', None),
        (b'1,"b"x,"', 2),
        (b"", None),
    ],
)
def test_the_field_whose_quote_never_closes_is_named(
    record: bytes, index: int | None
) -> None:
    assert unclosed_field(record, CSV) == index
    assert is_well_quoted(record, CSV) == (b'"x' not in record and index is None)


@given(st.sets(st.integers(1, 40)), st.integers(1, 40))
def test_ordinals_skip_the_refused(refused: set[int], records: int) -> None:
    accepted = [ordinal for ordinal in range(1, records + 1) if ordinal not in refused]
    assert [
        ordinal_of(rank, sorted(refused)) for rank in range(len(accepted))
    ] == accepted


@given(scraps, st.integers(0, 60), st.integers(0, 60), st.integers(1, 9))
def test_lines_are_counted_like_splitlines(
    content: bytes, one: int, two: int, window: int
) -> None:
    start, end = sorted((min(one, len(content)), min(two, len(content))))
    ends = [match.end() for match in re.finditer(rb"\r\n|\n|\r", content)]
    with pytest.MonkeyPatch.context() as patch, raw_file(content) as raw:
        patch.setattr(rawfile, "WINDOW", window)
        # A pair that is cut by `end` has its line end after it.
        assert raw.count_lines(0, end) == sum(1 for at in ends if at <= end)
        both = raw.count_lines(0, start) + raw.count_lines(start, end)
        assert both == raw.count_lines(0, end)


@given(scraps, st.integers(1, 9))
def test_windows_make_no_difference(content: bytes, window: int) -> None:
    spans = [
        (span.start, content[span.start : span.end])
        for span in find_records(content, CSV)
    ]
    with raw_file(content) as raw:
        assert [tuple(record) for record in raw.records(0, window)] == spans
        for offset, record in spans:
            assert raw.record_at(offset) == (offset, record)


@given(scraps, chunk_sizes, st.sets(st.integers(0, 20), max_size=5))
def test_records_are_found_by_ordinal_from_the_nearest_checkpoint(
    content: bytes, sizes: list[int], ordinals: set[int]
) -> None:
    count = counted(content, sizes)
    spans = list(find_records(content, CSV))
    sound = is_sound(count, len(spans))
    wanted = {ordinal for ordinal in ordinals if ordinal < len(spans)}
    with raw_file(content) as raw:
        found = raw.find(wanted, count.checkpoints if sound else ())
        assert found == {
            each: (spans[each].start, content[spans[each].start : spans[each].end])
            for each in wanted
        }
        with pytest.raises(FileError):
            raw.find([len(spans)])


def test_a_record_without_end_is_refused() -> None:
    with (
        raw_file(b'a\n"' + b"x" * (3 << 20), 1 << 18) as raw,
        pytest.raises(FileError) as caught,
    ):
        list(raw.records())
    said = "the record at byte 2 has no end within 1048576 bytes"
    assert said in caught.value.problem


def test_a_file_that_is_cut_short_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    path.write_bytes(b"a\n" * (2 << 20))
    found = path.stat()
    staged = StagedFile(
        "f", found.st_size, found.st_mtime_ns, found.st_ino, found.st_ctime_ns
    )
    with opened_raw(Content(path, staged), CSV, 1 << 26) as raw:
        records = raw.records()
        next(records)
        os.truncate(path, 10)
        with pytest.raises(ChangedError):
            list(records)
        with pytest.raises(ChangedError):
            raw.require_same()
    with pytest.raises(ChangedError), opened_raw(Content(path, staged), CSV, 1 << 26):
        pass


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    os.mkfifo(path)
    with (
        pytest.raises(ChangedError),
        opened_raw(Content(path, StagedFile("f", 1, 1, 1, 1)), CSV, 1 << 26),
    ):
        pass
