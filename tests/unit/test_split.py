"""Cutting files where records end: no byte lost, no record cut in two."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.clock import SystemClock
from snowmelt.errors import UsageError
from snowmelt.landing import split
from snowmelt.landing.split import cut_csv, cut_lines

FIELDS = st.text(st.sampled_from('ab ,;"\n\r\t'), max_size=6)
ROWS = st.lists(st.lists(FIELDS, min_size=2, max_size=3), min_size=1, max_size=12)


def chunked(text: bytes, size: int) -> list[bytes]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def rows_of(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline="")))


@given(ROWS, st.integers(1, 40), st.booleans())
def test_blocks_of_csv_have_whole_records(
    rows: list[list[str]], size: int, bom: bool
) -> None:
    written = io.StringIO(newline="")
    csv.writer(written, quoting=csv.QUOTE_ALL).writerows([["h1", 'h"2'], *rows])
    text = (b"\xef\xbb\xbf" if bom else b"") + written.getvalue().encode()
    cut = cut_csv("a.csv", chunked(text, size), b",")
    blocks = list(cut.blocks)
    assert cut.header + b"".join(blocks) == text
    assert rows_of(cut.header.removeprefix(b"\xef\xbb\xbf")) == [["h1", 'h"2']]
    assert [row for block in blocks for row in rows_of(block)] == rows


@given(st.text(st.sampled_from('ab,;"\n\r '), max_size=60), st.integers(1, 20))
def test_no_byte_is_lost_whatever_the_quotes(text: str, size: int) -> None:
    cut = cut_csv("a.csv", chunked(text.encode(), size))
    assert cut.header + b"".join(cut.blocks) == text.encode()


@pytest.mark.parametrize(
    ("text", "header"),
    [
        (b"a;b\n1;2\n", b"a;b\n"),
        (b"a\tb\r\n1\t2\r\n", b"a\tb\r\n"),
        (b"a|b\n1|2", b"a|b\n"),
        (b'"a;\n",b;"c"\n1;"2\n";3\n', b'"a;\n",b;"c"\n'),
        (b"no end", b"no end"),
        (b"", b""),
    ],
)
def test_the_header_is_the_first_record(text: bytes, header: bytes) -> None:
    cut = cut_csv("a.csv", [text])
    assert cut.header == header
    assert header + b"".join(cut.blocks) == text


def test_a_quote_inside_a_field_opens_nothing() -> None:
    text = b'a,b\n5" disc,x\n6" disc,y\n'
    cut = cut_csv("a.csv", [text[:16], text[16:]])
    assert [cut.header, *cut.blocks] == [b"a,b\n", b'5" disc,x\n', b'6" disc,y\n']


@given(st.binary(max_size=60), st.integers(1, 20))
def test_blocks_of_lines_have_whole_lines(text: bytes, size: int) -> None:
    blocks = list(cut_lines(chunked(text, size)))
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_a_quote_that_never_closes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "RECORD_BYTES_MAX", 10_000)
    text = b'a,b\n1,"2\n' + b"3,4\n" * 10_000
    with pytest.raises(UsageError, match="a quote does not close"):
        list(cut_csv("a.csv", chunked(text, 1_000)).blocks)


def test_cutting_takes_no_more_than_linear_time() -> None:
    text = b'a,b\n1,"' + b"x\n" * 2_000_000 + b'"\n' + b'1,"2"\n' * 1_000_000
    clock = SystemClock()
    began = clock.monotonic()
    cut = cut_csv("a.csv", chunked(text, 1 << 16))
    assert cut.header + b"".join(cut.blocks) == text
    assert clock.monotonic() - began < 5
