"""CSV as it comes: compressed, encoded, with a preamble, in other countries' ways."""

from __future__ import annotations

import bz2
import gzip
import lzma

import zstandard
from input_case import BOM, HEAD, A, B, Bad, C, Case, failed, good, partly

LINES = HEAD + b"1,a,1\n2,b,2\n3,c,3\n"
ABC = {1: A, 2: B, 3: C}
GZ = gzip.compress(LINES, mtime=0)
ZST = zstandard.ZstdCompressor(write_checksum=True).compress(LINES)
FRENCH = "id,name,amount\n1,é€,1\n"
LAST: list[Bad] = [(3, 4, "id", b"x,c,3")]
BROKEN_LAST = HEAD + b"1,a,1\n2,b,2\nx,c,3\n"
BOMB = gzip.compress(b"id,name,amount\n" + b"1,a,1\n" * 200_000, mtime=0)


def flipped(content: bytes, at: int) -> bytes:
    """Return content with one bit changed."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


COMPRESSION: list[Case] = [
    good("gz", GZ, ABC),
    good("gz_said", GZ, ABC, file_format={"compression": "gzip"}),
    good("gz_members", GZ + gzip.compress(b"4,d,4\n"), {**ABC, 4: (4, "d", 4.0)}),
    good("gz_padded", GZ + bytes(512), ABC),
    failed("gz_cut", GZ[:-9], "its gzip stream is cut short"),
    failed("gz_cut_in_trailer", GZ[:-4], "its gzip stream is cut short"),
    failed("gz_wrong_checksum", flipped(GZ, len(GZ) - 8), "incorrect data check"),
    failed("gz_wrong_length", flipped(GZ, len(GZ) - 1), "incorrect length check"),
    failed("gz_broken_inside", flipped(GZ, len(GZ) // 2), "its gzip stream is broken"),
    failed("gz_and_more", GZ + b"1,a,1\n", "its gzip stream is broken"),
    failed("gz_of_nothing", gzip.compress(b"", mtime=0), "the file is empty"),
    failed("gz_header_alone", GZ[:10], "its gzip stream is cut short"),
    partly(
        "gz_broken_record",
        gzip.compress(BROKEN_LAST, mtime=0),
        LAST,
        {1: A, 2: B},
        plain=BROKEN_LAST,
    ),
    failed(
        "gz_bomb",
        BOMB,
        "larger than 100000 bytes (limits.max_file_bytes)",
        limits={"max_file_bytes": 100_000},
    ),
    good("zst", ZST, ABC),
    good(
        "zst_frames",
        ZST + ZST[:0] + zstandard.compress(b"4,d,4\n"),
        {
            **ABC,
            4: (4, "d", 4.0),
        },
    ),
    failed("zst_cut", ZST[:-5], "its zstd stream is cut short"),
    failed("zst_wrong_checksum", flipped(ZST, len(ZST) - 1), "match checksum"),
    failed("zst_and_more", ZST + b"1,a,1\n", "its zstd stream is broken"),
    failed("bz2", bz2.compress(LINES), "compressed with bzip2: use gzip, zstd or none"),
    failed("xz", lzma.compress(LINES), "compressed with xz: use gzip, zstd or none"),
    failed(
        "not_gz",
        LINES,
        "not compressed with gzip: it is not compressed",
        file_format={"compression": "gzip"},
    ),
    failed(
        "gz_said_none",
        GZ,
        "not compressed with none: it is gzip",
        file_format={"compression": "none"},
    ),
]

ENCODING: list[Case] = [
    good(
        "latin1",
        "id,name,amount\n1,é,1\n".encode("latin-1"),
        {1: (1, "é", 1.0)},
        file_format={"encoding": "iso88591"},
    ),
    good(
        "cp1252",
        FRENCH.encode("cp1252"),
        {1: (1, "é€", 1.0)},
        file_format={"encoding": "windows1252"},
    ),
    good(
        "utf16_with_mark",
        FRENCH.encode("utf-16"),
        {1: (1, "é€", 1.0)},
        file_format={"encoding": "UTF-16"},
    ),
    good(
        "utf16le",
        FRENCH.encode("utf-16-le"),
        {1: (1, "é€", 1.0)},
        file_format={"encoding": "utf16le"},
    ),
    good(
        "utf16be_gz",
        gzip.compress(FRENCH.encode("utf-16-be")),
        {1: (1, "é€", 1.0)},
        file_format={"encoding": "utf16be"},
    ),
    failed(
        "cp1252_undefined",
        b"id,name,amount\n1,\x81,1\n",
        "byte 17 is not cp1252",
        file_format={"encoding": "windows1252"},
    ),
    failed(
        "utf16_cut",
        FRENCH.encode("utf-16-le")[:-1],
        "is not utf-16-le",
        file_format={"encoding": "utf16le"},
    ),
    good(
        "invalid_replaced",
        HEAD + b"1,\xff,1\n",
        {1: (1, "\ufffd", 1.0)},
        file_format={"replace_invalid_characters": True},
    ),
    partly(
        "utf16_broken_record",
        BROKEN_LAST.decode().encode("utf-16"),
        LAST,
        {1: A, 2: B},
        plain=BROKEN_LAST,
        file_format={"encoding": "utf16"},
    ),
]

PREAMBLE: list[Case] = [
    good("skipped", b"Report\nof today\n" + LINES, ABC, file_format={"skip_header": 2}),
    good("skipped_crlf", b"Report\r\n" + LINES, ABC, file_format={"skip_header": 1}),
    good("skipped_cr", b"Report\r" + LINES, ABC, file_format={"skip_header": 1}),
    partly(
        "skipped_keeps_lines",
        b'Report "of"\n\n' + BROKEN_LAST,
        [(3, 6, "id", b"x,c,3")],
        {1: A, 2: B},
        file_format={"skip_header": 2},
    ),
    failed(
        "skipped_all", b"a\nb\n", "the file is empty", file_format={"skip_header": 5}
    ),
    good(
        "comments",
        b"# made today\n#\n" + HEAD + b'1,a,1\n# "halfway\n2,b,2\n3,c,3\n#end',
        ABC,
        file_format={"comment": "#"},
    ),
    good(
        "no_comment_inside_quotes",
        HEAD + b'1,"a\n#b",1\n2,#,2\n',
        {1: (1, "a\n#b", 1.0), 2: (2, "#", 2.0)},
        file_format={"comment": "#"},
    ),
    partly(
        "comments_keep_lines",
        b"#\n" + HEAD + b"1,a,1\n#\n2,b,2\nx,c,3\n",
        [(3, 6, "id", b"x,c,3")],
        {1: A, 2: B},
        plain=b"#\n" + HEAD + b"1,a,1\n\n2,b,2\nx,c,3\n",
        file_format={"comment": "#"},
    ),
    good(
        "without_header",
        b"1,a,1\n2,b,2\n",
        {1: A, 2: B},
        file_format={
            "parse_header": False,
        },
    ),
    good(
        "no_header_but_mark",
        BOM + b"1,a,1\n",
        {1: A},
        file_format={
            "parse_header": False,
        },
    ),
    partly(
        "no_header_keeps_lines",
        b"1,a,1\nx,b,2\n3,c\n",
        [(2, 2, "id", b"x,b,2"), (3, 3, "amount", b"3,c")],
        {1: A},
        file_format={"parse_header": False},
    ),
    good(
        "header_by_position",
        b"Kundennummer;Name;Betrag\n1;a;1\n",
        {1: A},
        file_format={
            "parse_header": False,
            "skip_header": 1,
            "field_delimiter": ";",
        },
    ),
]

VALUES: list[Case] = [
    good("rounding", HEAD + b"1.7,a,1\n", {1: (2, "a", 1.0)}),
    good(
        "decimal_comma",
        b"id;name;amount\n1;a;1,5\n2;b;2\n",
        {1: (1, "a", 1.5), 2: B},
        file_format={"field_delimiter": ";", "decimal_separator": ","},
    ),
    partly(
        "decimal_comma_and_point",
        b"id;name;amount\n1;a;1,5\n2;b;x\n",
        [(2, 3, "amount", b"2;b;x")],
        {1: (1, "a", 1.5)},
        file_format={"field_delimiter": ";", "decimal_separator": ","},
    ),
    partly(
        "trimmed",
        HEAD + b" 1 ,  a , 1 \n2,b,2\n,  ,\n4 ,d,no\n",
        [(4, 5, "amount", b"4 ,d,no")],
        {1: A, 2: B, 3: (None, None, None)},
        file_format={"trim_space": True},
    ),
    partly(
        "times",
        b"id,at\n1,12:30\n2,25:00\n3,\n",
        [(2, 3, "at", b"2,25:00")],
        {1: (1, "12:30:00"), 3: (3, None)},
        contract="id integer, at time",
        file_format={"time_format": "HH24:MI"},
    ),
    good(
        "instants",
        b"id,at\n1,31.12.2024 23:00:00 +0100\n",
        {1: (1, "2024-12-31 22:00:00+00:00")},
        contract="id integer, at timestamptz",
        file_format={"timestamp_format": "DD.MM.YYYY HH24:MI:SS TZHTZM"},
    ),
    partly(
        "json_in_csv",
        b'id,doc\n1,"{""a"": [1, 2]}"\n2,{nothing}\n3,\n',
        [(2, 3, "doc", b"2,{nothing}")],
        {1: (1, '{"a": [1, 2]}'), 3: (3, None)},
        contract="id integer, doc json",
    ),
    good(
        "quoted_empty_is_text",
        HEAD + b'1,"",1\n2,,2\n3,NA,"NA"\n',
        {1: (1, "", 1.0), 2: (2, None, 2.0), 3: (3, None, None)},
        file_format={"null_if": ["NA"]},
    ),
    good(
        "nothing_encloses",
        HEAD + b'1,"a,1\n2,b",2\n',
        {1: (1, '"a', 1.0), 2: (2, 'b"', 2.0)},
        file_format={"field_optionally_enclosed_by": "none"},
    ),
]

TOLD: list[Case] = [
    good(f"auto_{name}", LINES.replace(b",", mark), ABC, file_format={"type": "auto"})
    for name, mark in (
        ("comma", b","),
        ("semicolon", b";"),
        ("tab", b"\t"),
        ("bar", b"|"),
    )
]

FORMAT_CASES = [*COMPRESSION, *ENCODING, *PREAMBLE, *VALUES, *TOLD]
