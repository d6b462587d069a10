"""Files with odd headers and formats, files that are no CSV, and the grades."""

from __future__ import annotations

import gzip

from input_case import (
    BOM,
    FAILED,
    HEAD,
    PARTLY,
    STRICT,
    A,
    B,
    Bad,
    C,
    Case,
    failed,
    good,
    partly,
)

HEADERS = [
    good("bom", BOM + HEAD + b"1,a,1\n", {1: A}),
    partly(
        "bom_quoted_header",
        BOM + b'"id","name","amount"\n1,a,1\nx,b,2\n',
        [(2, 3, "id", b"x,b,2")],
        {1: A},
    ),
    good("bom_quoted_one_column", BOM + b'"id"\n1\n', {1: (1,)}, contract="id integer"),
    partly(
        "bom_blank_lines",
        BOM + b"\n" + HEAD + b"1,a,1\nx,b,2\n",
        [(2, 4, "id", b"x,b,2")],
        {1: A},
    ),
    good("other_order_and_case", b"AMOUNT, Id ,name\n1,1,a\n2,2,b\n", {1: A, 2: B}),
    good("unknown_columns", b"x,id,y,name,amount,y\n9,1,8,a,1,7\n", {1: A}),
    partly(
        "unknown_columns_too_few",
        b"id,name,amount,note\n1,a,1,n\n2,b,2\n",
        [(2, 3, "note", b"2,b,2")],
        {1: A},
        says="has 3 fields, the header 4",
    ),
    good(
        "optional_column_missing",
        b"id,name\n1,a\n",
        {1: (1, "a", None)},
        contract="id integer, name varchar, amount double optional",
    ),
    good("header_with_line_end", b'id,"na\nme",name,amount\n1,x,a,1\n', {1: A}),
    partly(
        "header_with_line_end_and_rejects",
        b'id,"n\nm",name,amount\n1,x,a,1\nz,x,b,2\n',
        [(2, 4, "id", b"z,x,b,2")],
        {1: A},
    ),
    good("header_only", HEAD, {}),
    good("header_only_unended", b"id,name,amount", {}),
    failed(
        "column_twice", b"id,name,ID,amount\n1,a,1,1\n", "'id' is in the header twice"
    ),
    failed(
        "column_missing",
        b"id,name\n1,a\n",
        "required column 'amount' is not in the header, which reads 'id, name'",
    ),
    failed("columns_missing", b"id\n1\n", "required columns 'name', 'amount' are not"),
    failed("no_header", b"1,a,1\n2,b,2\n", "none of the contract's columns"),
    failed("empty_file", b"", "the file is empty"),
    failed("only_blanks", b" \n\t\r\n\n", "the file is empty"),
    failed("only_bom", BOM, "the file is empty"),
    failed(
        "header_not_utf8",
        b"id,n\xe9me,amount\n1,a,1\n",
        "the header is not UTF-8: byte 4; if it is Latin-1, or of an older Windows: "
        "set file_format.encoding: windows1252",
    ),
    failed(
        "header_without_end", b'"' + b"x" * 1_100_000, "the header has no end within"
    ),
    failed("json", b'[{"id": 1}]\n', "none of the contract's columns"),
]

NOT_TEXT = [
    failed("png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "looks like PNG"),
    good("gzip", gzip.compress(HEAD + b"1,a,1\n", mtime=0), {1: A}),
    failed("zip", b"PK\x03\x04\x14\x00\x00\x00", "compressed with zip"),
    failed("parquet", b"PAR1\x15\x04\x15\x00", "looks like Parquet"),
    failed("utf16", (HEAD + b"1,a,1\n").decode().encode("utf-16"), "looks like UTF-16"),
    failed("utf16_without_mark", HEAD.decode().encode("utf-16-le"), "NUL bytes"),
    failed("garbage", bytes(range(128, 256)) * 40, "not UTF-8"),
    failed("garbage_with_nul", bytes(range(256)) * 40, "not CSV text"),
    good(
        "text_like_parquet",
        b"PAR1,id,name,amount\nx,1,a,1\n",
        {1: A},
    ),
]

FORMATS = [
    failed("semicolons", b"id;name;amount\n1;a;1\n", "divided by semicolons"),
    failed("tabs", b"id\tname\tamount\n1\ta\t1\n", "divided by tabs"),
    good(
        "semicolon_format",
        b'id;name;amount\n1;"a;b";1\n',
        {1: (1, "a;b", 1.0)},
        file_format={"field_delimiter": ";"},
    ),
    good(
        "tab_format",
        b"id\tname\tamount\n1\ta, b\t1\n",
        {1: (1, "a, b", 1.0)},
        file_format={"field_delimiter": "\t"},
    ),
    partly(
        "bar_and_apostrophe",
        b"id|name|amount\n1|'a|''b'|1\n2|b\"|x\n",
        [(2, 3, "amount", b'2|b"|x')],
        {1: (1, "a|'b", 1.0)},
        file_format={
            "field_delimiter": "|",
            "field_optionally_enclosed_by": "'",
            "escape": "'",
        },
    ),
    partly(
        "backslash",
        HEAD + b'1,"a\\"\nb",1\n2,"b\\\\",2\nx,"c",3\n4,d\\e,4\n',
        [(3, 5, "id", b'x,"c",3')],
        {1: (1, 'a"\nb', 1.0), 2: (2, "b\\", 2.0), 4: (4, "d\\e", 4.0)},
        file_format={"escape": "\\"},
    ),
    good(
        "null_if",
        HEAD + b'1,NULL,NA\n2,,2\n3,"NA",3\n',
        {1: (1, None, None), 2: (2, None, 2.0), 3: (3, None, 3.0)},
        file_format={"null_if": ["NULL", "NA"]},
    ),
    good(
        "null_if_nothing",
        HEAD + b'1,,1\n2,"",2\n',
        {1: (1, None, 1.0), 2: (2, "", 2.0)},
        file_format={"null_if": []},
    ),
    good(
        "empty_is_empty",
        HEAD + b'1,,1\n2,"",2\n',
        {1: (1, "", 1.0), 2: (2, "", 2.0)},
        file_format={"null_if": [], "empty_field_as_null": False},
    ),
    partly(
        "date_format",
        b"id,day\n1,31.12.2024\n2,2024-12-31\n",
        [(2, 3, "day", b"2,2024-12-31")],
        {1: (1, "2024-12-31")},
        contract="id integer, day date",
        file_format={"date_format": "DD.MM.YYYY"},
    ),
    partly(
        "timestamp_format",
        b"id,at\n1,31/12/2024 23:59\n2,yesterday\n",
        [(2, 3, "at", b"2,yesterday")],
        {1: (1, "2024-12-31 23:59:00")},
        contract="id integer, at timestamp",
        file_format={"timestamp_format": "DD/MM/YYYY HH24:MI"},
    ),
    good(
        "leading_zeros",
        b"id,name\n1,007\n2,0\n3,1e5\n",
        {1: (1, "007"), 2: (2, "0"), 3: (3, "1e5")},
        contract="id integer, name varchar",
    ),
    good(
        "stray_quotes",
        HEAD + b'1,5" pipe,1\n2,b,2\n3,6" x 7" pipe,3\n4,d"",4\n5,8",5\n',
        {
            1: (1, '5" pipe', 1.0),
            2: B,
            3: (3, '6" x 7" pipe', 3.0),
            4: (4, 'd""', 4.0),
            5: (5, '8"', 5.0),
        },
    ),
    partly(
        "stray_quotes_and_rejects",
        HEAD + b'1,5" pipe,1\nx,b,2\n3,"a\nb",3\n4,6" pipe,y\n5,e,5\n',
        [(2, 3, "id", b"x,b,2"), (4, 6, "amount", b'4,6" pipe,y')],
        {1: (1, '5" pipe', 1.0), 3: (3, "a\nb", 3.0), 5: (5, "e", 5.0)},
    ),
    good(
        "blank_before_a_quote",
        HEAD + b'1, "a\n,b",1\n2,  "b",2\n',
        {1: (1, "a\n,b", 1.0), 2: (2, '  "b"', 2.0)},
    ),
    good(
        "quoted_empty",
        HEAD + b'1,"",1\n2,"""",2\n',
        {1: (1, None, 1.0), 2: (2, '"', 2.0)},
    ),
    good(
        "formulas_and_injection",
        HEAD
        + b"1,=cmd|' /C calc'!A0,1\n2,'); drop table bronze.x; --,2\n3,$1 {} %s,3\n",
        {
            1: (1, "=cmd|' /C calc'!A0", 1.0),
            2: (2, "'); drop table bronze.x; --", 2.0),
            3: (3, "$1 {} %s", 3.0),
        },
    ),
    good(
        "unicode",
        HEAD + "1,São Paulo 🧊 \u2028 \u00a0,1\n".encode(),
        {1: (1, "São Paulo 🧊 \u2028 \u00a0", 1.0)},
    ),
]

EMPTY = [
    partly(
        "required_empty",
        HEAD + b',a,1\n2,b,2\n3,"",3\n',
        [(1, 2, "id", b",a,1"), (3, 4, "name", b'3,"",3')],
        {2: B},
        contract=STRICT,
        says="required column 'id' is empty",
    ),
    partly(
        "required_empty_among_rejects",
        HEAD + b"x,a,1\n,b,2\n3,c,3\n4,d\n,,6\n6,f,y\n7,,7\n8,h,8\n",
        [
            (1, 2, "id", b"x,a,1"),
            (2, 3, "id", b",b,2"),
            (4, 5, "amount", b"4,d"),
            (5, 6, "id", b",,6"),
            (6, 7, "amount", b"6,f,y"),
            (7, 8, "name", b"7,,7"),
        ],
        {3: C, 8: (8, "h", 8.0)},
        contract=STRICT,
    ),
]

SIX = HEAD + b"1,a,1\nx,b,2\n3,c,3\ny,d,4\n5,e,5\n6,f,6\n"
SIX_BAD: list[Bad] = [(2, 3, "id", b"x,b,2"), (4, 5, "id", b"y,d,4")]
SIX_ROWS = {1: A, 3: C, 5: (5, "e", 5.0), 6: (6, "f", 6.0)}


def _six(name: str, on_error: str, status: str) -> Case:
    kept = status == PARTLY
    return Case(
        name,
        SIX,
        status,
        (6, 4 if kept else 0, 2),
        tuple(SIX_BAD),
        SIX_ROWS if kept else {},
        "'x' is not a valid integer",
        on_error=on_error,
    )


GRADES = [
    _six("grade_continue", "continue", PARTLY),
    _six("grade_skip_file", "skip_file", FAILED),
    _six("grade_skip_file_2", "skip_file_2", FAILED),
    _six("grade_skip_file_3", "skip_file_3", PARTLY),
    _six("grade_skip_file_33_percent", "skip_file_33%", FAILED),
    _six("grade_skip_file_34_percent", "skip_file_34%", PARTLY),
    _six("grade_skip_file_0_percent", "skip_file_0%", FAILED),
]
