"""JSON files, odd and broken, and what loading them must come to."""

from __future__ import annotations

from decimal import Decimal

from input_case import BOM, STRICT, A, B, C, failed, good, partly

JSON = {"type": "json"}
L1 = b'{"id": 1, "name": "a", "amount": 1}'
L2 = b'{"id": 2, "name": "b", "amount": 2.0}'
L3 = b'{"id":3,"name":"c","amount":3e0}'
BAD = b'{"id": "x", "name": "b", "amount": 2}'
NOT_JSON = b'{"id": 2, "name": "b", "amount": }'
AB = {1: A, 2: B}
ABC_ROWS = {1: A, 2: B, 3: C}
A_C = {1: A, 3: C}
LONG = b'{"id": 2, "name": "' + b"x" * 2000 + b'", "amount": 2}'

LINES = [
    good("lines", b"\n".join([L1, L2, L3, b""]), ABC_ROWS, file_format=JSON),
    good("lines_unended", b"\n".join([L1, L2]), AB, file_format=JSON),
    good("lines_crlf", b"\r\n".join([L1, L2, b""]), AB, file_format=JSON),
    good("one_line", L1, {1: A}, file_format=JSON),
    good("lines_bom", BOM + L1 + b"\n" + L2 + b"\n", AB, file_format=JSON),
    partly(
        "lines_bom_and_blank",
        BOM + b"\r\n" + L1 + b"\n" + BAD + b"\n" + L3,
        [(2, 3, "id", BAD)],
        A_C,
        file_format=JSON,
    ),
    partly(
        "lines_bom_and_reject",
        BOM + L1 + b"\n" + BAD + b"\n" + L3,
        [(2, 2, "id", BAD)],
        A_C,
        file_format=JSON,
    ),
    good(
        "lines_blank",
        b"\n\n" + L1 + b"\n \t\n" + L2 + b"\n\r\n\n",
        AB,
        file_format=JSON,
    ),
    partly(
        "lines_blank_and_reject",
        b"\n" + L1 + b"\n\n  " + BAD + b"  \n\r\n" + L3 + b"\n",
        [(2, 4, "id", BAD)],
        A_C,
        file_format=JSON,
    ),
    good(
        "line_with_a_return",
        L1.replace(b", ", b",\r") + b"\n" + L2,
        AB,
        file_format=JSON,
    ),
    partly(
        "lines_cast",
        b"\n".join([L1, BAD, L3, b""]),
        [(2, 2, "id", BAD)],
        A_C,
        says="'x' is not a valid integer",
        file_format=JSON,
    ),
    partly(
        "lines_several_errors",
        b"\n".join([L1, b'{"id": [1], "name": "b", "amount": "two"}', L3]),
        [(2, 2, "id", b'{"id": [1], "name": "b", "amount": "two"}')],
        A_C,
        file_format=JSON,
    ),
    partly(
        "lines_malformed",
        b"\n".join([L1, NOT_JSON, L3]),
        [(2, 2, None, NOT_JSON)],
        A_C,
        says="not valid JSON",
        file_format=JSON,
    ),
    partly(
        "lines_first_malformed",
        b"\n".join([b'{"id": 1, "name', L2]),
        [(1, 1, None, b'{"id": 1, "name')],
        {2: B},
        file_format=JSON,
    ),
    partly(
        "lines_cut_short",
        b"\n".join([L1, L2, L3[:-9]]),
        [(3, 3, None, L3[:-9])],
        AB,
        file_format=JSON,
    ),
    partly(
        "two_on_a_line",
        b"\n".join([L1, L2 + b" " + L3, L3]),
        [(2, 2, None, L2 + b" " + L3)],
        A_C,
        file_format=JSON,
    ),
    partly(
        "junk_after_a_record",
        b"\n".join([L1, L2 + b" junk", L3]),
        [(2, 2, None, L2 + b" junk")],
        A_C,
        file_format=JSON,
    ),
    partly(
        "comma_before_the_end",
        b"\n".join([L1, L2[:-1] + b" , }", L3]),
        [(2, 2, None, L2[:-1] + b" , }")],
        A_C,
        file_format=JSON,
    ),
    partly(
        "control_byte_1",
        b"\n".join([L1, b'{"id": 2,\x01 "name": "b"}', L3]),
        [(2, 2, None, b'{"id": 2,\x01 "name": "b"}')],
        A_C,
        file_format=JSON,
    ),
    partly(
        "nul_byte",
        b"\n".join([L1, L2.replace(b'"b"', b'"\x00"'), L3]),
        [(2, 2, None, L2.replace(b'"b"', b'"\x00"'))],
        A_C,
        file_format=JSON,
    ),
    partly(
        "nul_escape",
        b"\n".join([L1, L2.replace(b'"b"', b'"x\\u0000"'), L3]),
        [(2, 2, "name", L2.replace(b'"b"', b'"x\\u0000"'))],
        A_C,
        says="holds a NUL byte",
        file_format=JSON,
    ),
    partly(
        "not_utf8",
        b"\n".join([L1, L2.replace(b'"b"', b'"caf\xe9"'), L3]),
        [(2, 2, None, L2.replace(b'"b"', b'"caf\xe9"'))],
        A_C,
        says="not UTF-8",
        file_format=JSON,
    ),
    partly(
        "half_a_surrogate",
        b"\n".join([L1, L2.replace(b'"b"', b'"\\ud800"'), L3]),
        [(2, 2, None, L2.replace(b'"b"', b'"\\ud800"'))],
        A_C,
        file_format=JSON,
    ),
    partly(
        "too_long",
        b"\n".join([L1, LONG, L3]),
        [(2, 2, None, LONG)],
        A_C,
        says="longer than 1024 bytes",
        limits={"max_record_bytes": 1024},
        file_format=JSON,
    ),
    partly(
        "not_objects",
        b"\n".join([L1, b"[1, 2]", b"5", b'"s"', b"null", b"true", L2]),
        [
            (2, 2, None, b"[1, 2]"),
            (3, 3, None, b"5"),
            (4, 4, None, b'"s"'),
            (5, 5, None, b"null"),
            (6, 6, None, b"true"),
        ],
        {1: A, 7: B},
        says="a record must be an object, not an array",
        file_format=JSON,
    ),
    partly(
        "first_is_an_array",
        b"\n".join([b"[1]", L2, L3]),
        [(1, 1, None, b"[1]")],
        {2: B, 3: C},
        file_format=JSON,
    ),
    partly(
        "not_a_number",
        b"\n".join(
            [L1, L2.replace(b"2.0", b"NaN"), L3, L2.replace(b"2.0", b"-Infinity")]
        ),
        [
            (2, 2, None, L2.replace(b"2.0", b"NaN")),
            (4, 4, None, L2.replace(b"2.0", b"-Infinity")),
        ],
        A_C,
        says="NaN is no JSON",
        file_format=JSON,
    ),
    failed("json_empty", b"", "the file is empty", file_format=JSON),
    failed("json_blank", BOM + b" \n\n", "the file is empty", file_format=JSON),
    failed(
        "json_utf16_unsaid",
        (L1 + b"\n").decode().encode("utf-16"),
        "looks like UTF-16",
        file_format=JSON,
    ),
    good(
        "json_utf16",
        b"\n".join([L1, L2]).decode().encode("utf-16"),
        AB,
        file_format=JSON | {"encoding": "utf16"},
    ),
]

KEYS = [
    good(
        "other_case",
        b'{"ID": 1, "Name": "a", "AMOUNT": 1}\n{"ID": 2, "Name": "b", "AMOUNT": 2}',
        AB,
        file_format=JSON,
    ),
    good(
        "case_changes",
        b"\n".join([L1, b'{"Id": 2, "NAME": "b", "amounT": 2}', L3]),
        ABC_ROWS,
        file_format=JSON,
    ),
    good(
        "exact_key_first",
        b"\n".join([b'{"ID": 9, "id": 1, "name": "a", "amount": 1}', L2]),
        AB,
        file_format=JSON,
    ),
    good(
        "exact_key_first_later",
        b'{"ID": 2, "name": "b", "amount": 2}\n'
        b'{"ID": 9, "id": 1, "name": "a", "amount": 1}\n',
        {1: B, 2: A},
        file_format=JSON,
    ),
    partly(
        "two_keys_match",
        b"\n".join([L1, b'{"ID": 9, "Id": 1, "name": "a", "amount": 1}', L3]),
        [(2, 2, "id", b'{"ID": 9, "Id": 1, "name": "a", "amount": 1}')],
        A_C,
        file_format=JSON,
    ),
    good(
        "escaped_keys",
        b"\n".join([L1, b'{"\\u0069d": 2, "\\u004eame": "b", "amount": 2}']),
        AB,
        file_format=JSON,
    ),
    partly(
        "key_twice",
        b"\n".join([L1, b'{"id": 2, "id": 3, "name": "b", "amount": 2}', L3]),
        [(2, 2, "id", b'{"id": 2, "id": 3, "name": "b", "amount": 2}')],
        A_C,
        says="the key 'id' is there twice",
        file_format=JSON,
    ),
    good(
        "key_twice_allowed",
        b"\n".join([L1, b'{"id": 9, "id": 2, "name": "b", "amount": 2}', L3]),
        ABC_ROWS,
        file_format=JSON | {"allow_duplicate": True},
    ),
    good(
        "unknown_key_twice",
        b"\n".join([L1, b'{"id": 2, "x": 1, "x": 2, "name": "b", "amount": 2}']),
        AB,
        file_format=JSON,
    ),
    good(
        "nulls_and_missing",
        b'{"id": 1, "name": null, "amount": 1}\n{"id": 2}\n{"id": 3, "name": "c"}',
        {1: (1, None, 1.0), 2: (2, None, None), 3: (3, "c", None)},
        file_format=JSON,
    ),
    partly(
        "required_missing_or_null",
        b"\n".join([L1, b'{"id": null, "name": "b"}', b'{"id": 3}', b"{}", L2]),
        [
            (2, 2, "id", b'{"id": null, "name": "b"}'),
            (3, 3, "name", b'{"id": 3}'),
            (4, 4, "id", b"{}"),
        ],
        {1: A, 5: B},
        says="required column 'id' is empty",
        contract=STRICT,
        file_format=JSON,
    ),
    failed(
        "column_in_no_record",
        b'{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n',
        "required column 'amount' is in no record",
        file_format=JSON,
    ),
    good(
        "column_null_in_every_record",
        b'{"id": 1, "name": "a", "amount": null}\n',
        {1: (1, "a", None)},
        file_format=JSON,
    ),
    good(
        "optional_column_in_no_record",
        b'{"id": 1, "name": "a"}\n',
        {1: (1, "a", None)},
        contract="id integer, name varchar, amount double optional",
        file_format=JSON,
    ),
    good(
        "paths",
        b'{"id": 1, "a": {"b": [{"x y": "p"}, 5], "*": {"q": true}}}\n'
        b'{"id": 2, "a": "no"}\n{"id": 3, "a": {"B": [{"X Y": "r"}]}}\n'
        b'{"id": 4, "a": {"b": [], "*": null}}',
        {
            1: (1, "p", 5, '{"q":true}'),
            2: (2, None, None, None),
            3: (3, "r", None, None),
            4: (4, None, None, None),
        },
        contract='id integer, p varchar optional @a.b[0]."x y", '
        'n integer optional @a.b[1], s json optional @a."*"',
        file_format=JSON,
    ),
    partly(
        "path_key_twice",
        b'{"id": 1, "a": {"b": "x"}}\n{"id": 2, "a": {"b": "x", "b": "y"}}\n',
        [(2, 2, "p", b'{"id": 2, "a": {"b": "x", "b": "y"}}')],
        {1: (1, "x")},
        contract="id integer, p varchar @a.b",
        file_format=JSON,
    ),
]

BIG = b'{"id": 9223372036854775808, "n": 12345678901234567890123456789012345678}'
VALUES = [
    partly(
        "numbers",
        b'{"id": 1.7, "n": 1.10, "d": 1.005}\n{"id": 2.5, "n": 7, "d": "1.5"}\n'
        + BIG
        + b'\n{"id": true, "n": 1, "d": 1}\n{"id": "12", "n": 1e3, "d": 1e2}\n'
        b'{"id": -0, "n": 99999999999999999999999999999999999999, "d": 12345678.125}\n',
        [
            (3, 3, "id", BIG),
            (4, 4, "id", b'{"id": true, "n": 1, "d": 1}'),
        ],
        {
            1: (2, Decimal("1"), Decimal("1.01")),
            2: (3, Decimal("7"), Decimal("1.50")),
            5: (12, Decimal("1000"), Decimal("100.00")),
            6: (
                0,
                Decimal("99999999999999999999999999999999999999"),
                Decimal("12345678.13"),
            ),
        },
        contract="id bigint, n decimal(38,0), d decimal(10,2) optional",
        file_format=JSON,
    ),
    good(
        "tiny_decimals",
        b'{"d": 0.00000006}\n{"d": "5e-5"}\n{"d": -896.777E-8}\n{"d": 12345e-2}\n'
        b'{"d": 5e-3}\n',
        {
            1: (Decimal("0.00"),),
            2: (Decimal("0.00"),),
            3: (Decimal("0.00"),),
            4: (Decimal("123.45"),),
            5: (Decimal("0.01"),),
        },
        contract="d decimal(12,2)",
        file_format=JSON,
    ),
    good(
        "long_decimals",
        b'{"d": 12345678901234567.891}\n{"d": 0.12345678901234567890}\n',
        {
            1: (Decimal("12345678901234567.89100000000000000000"),),
            2: (Decimal("0.12345678901234567890"),),
        },
        contract="d decimal(38,20)",
        file_format=JSON,
    ),
    good(
        "texts",
        b'{"t": 1.5}\n{"t": 10}\n{"t": true}\n{"t": {"a": [1, "x"]}}\n{"t": [1, 2]}\n'
        b'{"t": "S\\u00e3o \\ud83e\\uddca"}\n{"t": ""}\n{"t": "NaN"}\n'
        b'{"t": 12345678901234567890}\n',
        {
            1: ("1.5",),
            2: ("10",),
            3: ("true",),
            4: ('{"a":[1,"x"]}',),
            5: ("[1,2]",),
            6: ("São 🧊",),
            7: (None,),
            8: ("NaN",),
            9: ("12345678901234567890",),
        },
        contract="t varchar",
        file_format=JSON,
    ),
    good(
        "kept_as_json",
        b'{"j": {"a": null, "b": [null, 1]}}\n{"j": "x"}\n{"j": null}\n{"j": 5}\n{}\n',
        {
            1: ('{"a":null,"b":[null,1]}',),
            2: ('"x"',),
            3: (None,),
            4: ("5",),
            5: (None,),
        },
        contract="j json",
        file_format=JSON,
    ),
    good(
        "nulls_stripped",
        b'{"j": {"a": null, "b": [null, 1, {"c": null}], "d": "null"}}\n',
        {1: ('{"b":[1,{}],"d":"null"}',)},
        contract="j json",
        file_format=JSON | {"strip_null_values": True},
    ),
    partly(
        "nested_in_scalar",
        b'{"id": {"a": 1}}\n{"id": 2}\n{"id": [3]}\n',
        [(1, 1, "id", b'{"id": {"a": 1}}'), (3, 3, "id", b'{"id": [3]}')],
        {2: (2,)},
        contract="id integer",
        file_format=JSON,
    ),
    good(
        "null_if_and_trim",
        b'{"id": " 1 ", "name": "  NA "}\n{"id": "", "name": " x "}\n',
        {1: (1, None), 2: (None, "x")},
        contract="id integer, name varchar",
        file_format=JSON | {"null_if": ["NA", ""], "trim_space": True},
    ),
    partly(
        "times",
        b'{"d": "31.12.2024", "t": "31.12.2024 10:11", "z": "10:11"}\n'
        b'{"d": "2024-12-31", "t": null, "z": null}\n',
        [(2, 2, "d", b'{"d": "2024-12-31", "t": null, "z": null}')],
        {1: ("2024-12-31", "2024-12-31 10:11:00", "10:11:00")},
        contract="d date, t timestamp, z time",
        file_format=JSON
        | {
            "date_format": "DD.MM.YYYY",
            "timestamp_format": "DD.MM.YYYY HH24:MI",
            "time_format": "HH24:MI",
        },
    ),
    partly(
        "iso_times",
        b'{"d": "2024-02-29", "z": "2024-01-01T10:00:00+02:00"}\n'
        b'{"d": "2024-02-30", "z": "2024-01-01T10:00:00Z"}\n'
        b'{"d": 20240101, "z": "2024-01-01T10:00:00Z"}\n',
        [
            (2, 2, "d", b'{"d": "2024-02-30", "z": "2024-01-01T10:00:00Z"}'),
            (3, 3, "d", b'{"d": 20240101, "z": "2024-01-01T10:00:00Z"}'),
        ],
        {1: ("2024-02-29", "2024-01-01 08:00:00+00:00")},
        contract="d date, z timestamptz",
        file_format=JSON,
    ),
    partly(
        "booleans",
        b'{"b": true}\n{"b": false}\n{"b": "true"}\n{"b": 1}\n{"b": "maybe"}\n{"b": 7}',
        [(5, 5, "b", b'{"b": "maybe"}'), (6, 6, "b", b'{"b": 7}')],
        {1: (True,), 2: (False,), 3: (True,), 4: (True,)},
        contract="b boolean",
        file_format=JSON,
    ),
]

PRETTY = (
    b'{\n  "id": 1,\n  "name": "a",\n  "amount": 1\n}\n'
    b'{\r\n  "id": "x",\r\n  "name": "b"\r\n}\n'
    b'{"id": 3, "name": "c",\n "amount": 3}'
)
SHAPES = [
    good("array", b"[" + b",".join([L1, L2, L3]) + b"]\n", ABC_ROWS, file_format=JSON),
    good("array_bom", BOM + b"[" + L1 + b",\n" + L2 + b"]", AB, file_format=JSON),
    good("array_empty", b" [ ]\n", {}, file_format=JSON),
    partly(
        "array_by_lines",
        b"[\n" + L1 + b",\n" + BAD + b",\n" + L3 + b"\n]\n",
        [(2, 3, "id", BAD)],
        A_C,
        file_format=JSON,
    ),
    partly(
        "array_pretty",
        b'[\n  {\n    "id": 1,\n    "name": "a",\n    "amount": 1\n  },\n  '
        b'{\n    "id": "x"\n  },\n  ' + L3 + b"\n]",
        [(2, 7, "id", b'{\n    "id": "x"\n  }')],
        A_C,
        file_format=JSON,
    ),
    partly(
        "array_invalid_element",
        b"[" + L1 + b", " + NOT_JSON + b", 5, null, " + L3 + b"]",
        [(2, 1, None, NOT_JSON), (3, 1, None, b"5"), (4, 1, None, b"null")],
        {1: A, 5: C},
        file_format=JSON,
    ),
    failed(
        "array_cut_short",
        b"[" + L1 + b",\n" + L2,
        "line 2, byte 75: the file ends where a ']' is missing",
        file_format=JSON,
    ),
    failed(
        "array_element_cut_short",
        b"[" + L1 + b",\n" + L2[:-4],
        "line 2, byte 38: a value has no end",
        file_format=JSON,
    ),
    failed(
        "array_quote_open",
        b"[" + L1 + b',\n{"id": 2, "name": "b},\n' + L3 + b"]",
        "line 2, byte 56: a quote does not close on its line",
        file_format=JSON,
    ),
    failed(
        "array_quotes_join_records",
        b'[{"id": 1, "name": "a}, {"id": 2, "name": b"}, ' + L3 + b"]",
        "cannot be told apart",
        file_format=JSON,
    ),
    failed(
        "array_brackets",
        b"[" + L1 + b', {"id": [2}, ' + L3 + b"]",
        "brackets do not match",
        file_format=JSON,
    ),
    failed(
        "array_followed",
        b"[" + L1 + b"]\n" + L2,
        "something follows the array",
        file_format=JSON | {"strip_outer_array": True},
    ),
    partly(
        "array_not_stripped",
        b"[" + L1 + b"]\n" + L2,
        [(1, 1, None, b"[" + L1 + b"]")],
        {2: B},
        file_format=JSON | {"strip_outer_array": False},
    ),
    failed(
        "array_expected",
        L1 + b"\n" + L2,
        "a '[' is missing",
        file_format=JSON | {"strip_outer_array": True},
    ),
    partly(
        "pretty",
        PRETTY,
        [(2, 6, "id", b'{\r\n  "id": "x",\r\n  "name": "b"\r\n}')],
        A_C,
        file_format=JSON,
    ),
    good("side_by_side", L1 + L2 + b" " + L3, ABC_ROWS, file_format=JSON),
    good("returns_alone", b"\r".join([L1, L2, L3]), ABC_ROWS, file_format=JSON),
    failed(
        "pretty_cut_short",
        PRETTY[:-3],
        "line 10, byte 78: a value has no end",
        file_format=JSON,
    ),
    good(
        "columns_orient",
        b'{"id":{"0":1,"1":2,"2":3},"name":{"0":"a","1":"b","2":"c"},'
        b'"amount":{"0":1.0,"1":2.0,"2":3.0}}',
        ABC_ROWS,
        file_format=JSON,
    ),
    good(
        "columns_unequal",
        b'{"id": {"7": 1, "x": 2}, "name": {"x": "b", "y": "c"}, "z": {"7": 1}, '
        b'"amount": {}}',
        {1: (1, None, None), 2: (2, "b", None), 3: (None, "c", None)},
        contract="id integer, name varchar, amount double optional",
        file_format=JSON | {"orient": "columns"},
    ),
    failed(
        "columns_not_columns",
        b'{"id": {"0": 1}, "name": 5}',
        "a '{' is missing",
        file_format=JSON,
    ),
    good(
        "looks_like_columns",
        b'{"c": {"0": 1}}\n{"c": {"0": 2}}\n',
        {1: ('{"0":1}',), 2: ('{"0":2}',)},
        contract="c json",
        file_format=JSON,
    ),
]
