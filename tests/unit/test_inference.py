"""What samples come to: types, formats, names, keys, and what is said of doubts."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snowmelt.bronze.inference.column_type import (
    FormatFacts,
    Separator,
    Traits,
    choose_separator,
    choose_tokens,
    decide,
)
from snowmelt.bronze.inference.dialect import tell_dialect
from snowmelt.bronze.inference.draft import Draft, draft_pipe
from snowmelt.bronze.inference.evidence import Evidence, gather_evidence
from snowmelt.bronze.inference.json_shape import Shape, leaves
from snowmelt.bronze.inference.kinds import Kind, kind_of
from snowmelt.bronze.inference.names import propose_name, propose_names
from snowmelt.bronze.inference.pipe_text import render_pipe
from snowmelt.bronze.inference.sample import COLUMNS_MAX
from snowmelt.bronze.inference.time_forms import (
    Choice,
    Form,
    Reading,
    candidate_forms,
    choose_format,
)
from snowmelt.errors import UsageError
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.time_format import to_strptime
from snowmelt.warehouse.duckdb.scratch import scratch


def evidence_of(*texts: str) -> Evidence:
    """Ask the engine for the evidence of one column."""
    with scratch() as connection:
        connection.execute("create table sample (c0 varchar)")
        connection.executemany("insert into sample values (?)", [[t] for t in texts])
        (evidence,) = gather_evidence(connection, "sample", ["c0"], [len(texts)])
    return evidence


def draft_of(*samples: str | bytes, name: str = "sample.csv") -> Draft:
    """Draft a pipe from samples in files."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{i}_{name}" for i in range(len(samples))]
        for path, sample in zip(paths, samples, strict=True):
            path.write_bytes(sample if isinstance(sample, bytes) else sample.encode())
        return draft_pipe(paths)


def types_of(draft: Draft) -> dict[str, str]:
    return {column.name: column.decision.type for column in draft.columns}


def notes_of(draft: Draft, name: str) -> str:
    (column,) = (each for each in draft.columns if each.name == name)
    return "; ".join(column.decision.notes)


# ---------------------------------------------------------------- evidence to types


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["1", "-20", "0"], "integer"),
        (["0", "1", "1"], "integer"),
        (["2000000000"], "bigint"),
        (["999999999999999999"], "bigint"),
        (["1234567890123456789"], "varchar"),
        (["007", "12"], "varchar"),
        (["-0", "1"], "varchar"),
        (["+5", "-3"], "varchar"),
        (["1", "2.5"], "decimal(18,2)"),
        (["19.99", "5.00"], "decimal(18,2)"),
        (["1.125", "2.250"], "decimal(18,3)"),
        (["1.125", "2.25"], "decimal(18,5)"),
        (["12345678901234567.25"], "decimal(38,2)"),
        (["0.1234567", "0.25"], "double"),
        (["0.1234567", "0.7654321"], "decimal(18,7)"),
        (["0.12345678901234567", "0.5"], "decimal(38,19)"),
        (["1.5e3", "2"], "double"),
        (["12E4", "34E5"], "varchar"),
        (["1e400"], "varchar"),
        ([f"{'9' * 37}.25"], "varchar"),
        (["true", "FALSE"], "boolean"),
        (["t", "f"], "varchar"),
        (["2024-02-29"], "date"),
        (["2024-02-30"], "varchar"),
        (["2024-01-01", "2024-01-01 10:00:00"], "timestamp"),
        (["2024-01-01T10:00", "2024-01-01 10:00:00.123456"], "timestamp"),
        (["2024-01-01T10:00:00.123456789"], "varchar"),
        (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00+02:00"], "timestamptz"),
        (["2024-01-01T10:00:00Z", "2024-01-01 10:00:00"], "varchar"),
        (["10:00", "23:59:59.5"], "time"),
        (["24:00"], "varchar"),
        (["", ""], "varchar"),
        (["x", ""], "varchar"),
    ],
)
def test_a_type_holds_every_value(texts: list[str], expected: str) -> None:
    assert decide(evidence_of(*texts), FormatFacts(), Traits()).type == expected


def test_a_column_is_required_only_after_a_hundred_records() -> None:
    few, many = ["1"] * 99, ["1"] * 100
    assert decide(evidence_of(*few), FormatFacts(), Traits()).nullable
    assert not decide(evidence_of(*many), FormatFacts(), Traits()).nullable
    assert decide(evidence_of(*many), FormatFacts(), Traits(optional=True)).nullable
    assert decide(evidence_of(*many, " "), FormatFacts(), Traits()).nullable


def test_values_in_the_way_are_shown_and_counted() -> None:
    decision = decide(evidence_of(*"12345", "x", "7y"), FormatFacts(), Traits())
    assert decision.type == "varchar"
    assert decision.is_unsure
    (note,) = decision.notes
    assert note.startswith("2 of 7 values are not integers: ")
    assert "'x'" in note
    assert "'7y'" in note


def test_a_text_for_nothing_counts_where_the_column_is_typed_without_it() -> None:
    columns = {0: evidence_of("1", "NA"), 1: evidence_of("Namibia", "-")}
    assert choose_tokens(columns, typed=[0]) == {"NA"}
    assert choose_tokens({1: evidence_of("a", "NULL")}, typed=[]) == {"NULL"}
    facts = FormatFacts(tokens=frozenset({"NA"}))
    assert decide(columns[0], facts, Traits()).type == "integer"
    country = decide(evidence_of("DE", "NA"), facts, Traits())
    assert country.notes == ("means NULL here too: 'NA' (1)",)
    assert country.is_unsure


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ([["1,5", "2,25"]], Separator.COMMA),
        ([["1,500", "12,250"]], Separator.POINT),
        ([["1,5"], ["2.5"]], Separator.POINT),
        ([["1,5"], ["2,5"], ["2.5"]], Separator.COMMA),
        ([["1"]], Separator.POINT),
    ],
)
def test_the_separator_of_most_columns_counts(
    columns: list[list[str]], expected: Separator
) -> None:
    assert choose_separator(evidence_of(*each) for each in columns) is expected


def test_every_pattern_tells_python_and_the_engine_the_same() -> None:
    texts = [
        *(
            "1",
            "-1",
            "0",
            "-0",
            "01",
            "+1",
            "1.5",
            ".5",
            "-.5",
            "1,5",
            "1e5",
            "-1.5E-3",
        ),
        *("1" * 19, "true", "False", "2024-01-31", "2024-01-31 10:00", "x", "NA", "-"),
        *("2024-01-31T10:00:00.123456789Z", "2024-01-31 10:00:00+02", "10:00", "9:05"),
        *("31/01/2024", "31.1.24", "5-Jan-2024", "Jan 5, 2024", "10:05 PM", "", " 7 "),
        *("1.2.3", "12-34", "a,b", "1 2", "January 5, 2024 10:00", "\\N", "2024"),
    ]
    for text in texts:
        (kind,) = evidence_of(text).kinds
        assert kind == kind_of(text), text


# ---------------------------------------------------------------- dates and times


@pytest.mark.parametrize(
    ("text", "formats"),
    [
        ("31/01/2024", ["DD/MM/YYYY", "MM/DD/YYYY"]),
        ("1.2.24", ["DD.MM.YY", "MM.DD.YY"]),
        ("2024/1/31", ["YYYY/MM/DD"]),
        ("05-Jan-2024", ["DD-MON-YYYY"]),
        ("5 January 2024", ["DD MMMM YYYY"]),
        ("Jan 5, 2024", ["MON DD, YYYY"]),
        ("1/31/2024 1:05 PM", ["DD/MM/YYYY HH12:MI AM", "MM/DD/YYYY HH12:MI AM"]),
        (
            "31.01.2024 10:00:00.5",
            ["DD.MM.YYYY HH24:MI:SS.FF", "MM.DD.YYYY HH24:MI:SS.FF"],
        ),
        ("9:05", ["HH24:MI"]),
        ("9:05:01 am", ["HH12:MI:SS AM"]),
        ("hello", []),
    ],
)
def test_forms_of_a_text(text: str, formats: list[str]) -> None:
    forms = candidate_forms([text])
    assert [form.format for form in forms] == formats
    for form in forms:
        to_strptime(form.format)
        assert re.fullmatch(form.expression, text)


def readings(*given: tuple[str, int]) -> list[Reading]:
    return [Reading(Form("date", form), 9, span) for form, span in given]


def test_the_form_that_reads_most_columns_is_chosen() -> None:
    both = readings(("DD/MM/YYYY", 300), ("MM/DD/YYYY", 20))
    american = readings(("MM/DD/YYYY", 200))
    assert choose_format({"a": american}, [], None) == Choice("MM/DD/YYYY")
    assert choose_format({"a": both, "b": american}, [], None) == Choice("MM/DD/YYYY")
    assert choose_format({"a": american}, ["b"], None) == Choice(None)
    assert choose_format({}, ["b"], None) == Choice(None)


def test_where_no_value_decides_a_guess_is_told_with_its_evidence() -> None:
    both = readings(("DD/MM/YYYY", 300), ("MM/DD/YYYY", 20))
    guess = choose_format({"a": both}, [], None)
    assert guess.format == "MM/DD/YYYY"
    assert "guess" in guess.doubt
    assert "20" in guess.doubt
    assert "300" in guess.doubt
    known = choose_format({"a": both}, [], day_first=True)
    assert known.format == "DD/MM/YYYY"
    assert "another column" in known.doubt
    equal = readings(("DD/MM/YYYY", 20), ("MM/DD/YYYY", 20))
    assert choose_format({"a": equal}, [], None).format == "DD/MM/YYYY"


def test_one_column_decides_the_order_of_day_and_month_for_another() -> None:
    rows = "".join(
        f"{i},0{1 + i % 9}/0{1 + i % 3}/2024,{i % 12 + 1}/{13 + i % 9}/2024 10:05\n"
        for i in range(30)
    )
    draft = draft_of("id,day,at\n" + rows)
    assert draft.file_format["date_format"] == "MM/DD/YYYY"
    assert "another column" in notes_of(draft, "day")


def test_dates_in_a_second_form_stay_text_and_are_named() -> None:
    draft = draft_of("a,b,c\n31.01.2024,28.02.2024,2024-01-31\n")
    assert types_of(draft) == {"a": "date", "b": "date", "c": "varchar"}
    assert "DD.MM.YYYY" in notes_of(draft, "c")


# ---------------------------------------------------------------- how CSV is written


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ("a,b\n1,2\n", {"delimiter": ","}),
        ("a;b\n1,5;2,5\n3,5;4,5\n", {"delimiter": ";"}),
        ("1,5;2,5\n3,5;4,5\n", {"delimiter": ";", "header": None}),
        ("a\tb\n1\tx, y\n", {"delimiter": "\t"}),
        ("a|b\n1|2\n", {"delimiter": "|"}),
        ('a,b\n1,"x;y;z"\n2,"p;q;r"\n', {"delimiter": ","}),
        ("a,b\n1,'x, y'\n", {"quote": "'", "escape": "'"}),
        ('a\tb\n1\t"open\n2\tx\n', {"quote": "none"}),
        ('a,b\n1,"say \\"hi\\" now"\n', {"escape": "\\"}),
        ('a,b\n1,"say ""hi"" now"\n', {"escape": '"'}),
        ("Report\n\na,b\n1,2\n3,4\n", {"skip_header": 2}),
        ("# made by x\na,b\n1,2\n# end\n", {"comment": "#", "skip_header": 0}),
        ("#id,b\n1,2\n3,4\n", {"comment": None, "header": ("#id", "b")}),
        ("1,x\n2,y\n", {"header": None, "is_sure": True}),
        ("id,name\n1,x\n", {"header": ("id", "name"), "is_sure": True}),
        ("id,name\nx,y\n", {"header": ("id", "name"), "is_sure": False}),
        ("a,b\n1,", {"header": ("a", "b"), "rows": (("1", ""),)}),
    ],
)
def test_the_dialect_of_a_head(head: str, expected: Mapping[str, object]) -> None:
    found = tell_dialect(head, whole=True)
    assert {key: getattr(found, key) for key in expected} == expected


def test_a_line_that_is_cut_does_not_count() -> None:
    found = tell_dialect("a,b\n1,2\n3", whole=False)
    assert found.rows == (("1", "2"),)


def test_files_that_differ_only_below_their_first_record_have_a_header() -> None:
    draft = draft_of("p,q\nx,y\n", "p,q\nv,w\n")
    assert [column.name for column in draft.columns] == ["p", "q"]
    assert not draft.notes


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("order_id", "order_id"),
        (" Order_ID ", "order_id"),
        ("Order ID", "order_id"),
        ("orderId", "orderid"),
        ("order-Id", "order_id"),
        ("Größe (cm)", "grosse_cm"),
        ("Año", "ano"),
        ("2024", "column_2024"),
        ("_file", "file"),
        ("数量", "column_7"),
        ("100%", "column_100_percent"),
        ("x" * 300, "x" * 255),
    ],
)
def test_a_name_for_a_header(written: str, name: str) -> None:
    assert propose_name(written, 7) == name


def test_names_are_distinct_and_valid_ones_are_kept() -> None:
    assert propose_names(["A B", "a_b", "a-b"]) == ["a_b_2", "a_b", "a_b_3"]


# ---------------------------------------------------------------- JSON


def test_leaves_are_scalars_and_the_rest_is_json() -> None:
    shape = Shape()
    shape.add({"a": "UBIGINT", "b": {"c": "VARCHAR", "d e": ["UBIGINT"]}}, 0)
    shape.add({"a": "NULL", "b": "NULL", "f": "BOOLEAN", "g": "JSON"}, 1)
    shape.add({"a": "DOUBLE", "h": "VARCHAR"}, 1)
    shape.add({"h": "UBIGINT"}, 1)
    found = {leaf.path: leaf.kind for leaf in leaves(shape)}
    assert found == {
        "a": "number",
        "b.c": "text",
        "b.d e": "json",
        "f": "boolean",
        "g": "json",
        "h": "mixed",
    }


def test_an_object_of_ever_new_keys_stays_json() -> None:
    shape = Shape()
    for i in range(400):
        shape.add({"by_day": {f"day{i}": "UBIGINT"}}, 0)
    (leaf,) = leaves(shape)
    assert (leaf.path, leaf.kind) == ("by_day", "json")
    assert "400" in leaf.note


def test_texts_in_json_stay_texts_though_they_look_like_numbers() -> None:
    draft = draft_of('{"zip": "12345", "n": 5, "day": "2024-01-01"}\n', name="x.json")
    assert types_of(draft) == {"zip": "varchar", "n": "integer", "day": "date"}


# ---------------------------------------------------------------- whole samples


def test_a_column_that_some_files_lack_is_optional() -> None:
    draft = draft_of("a,b\n1,2\n", "b,c,a\n1,x,2\n")
    found = {column.name: column.optional for column in draft.columns}
    assert found == {"a": False, "b": False, "c": True}


def test_a_value_in_the_last_record_counts() -> None:
    rows = "".join(f"{i},{i}\n" for i in range(30_000))
    draft = draft_of("id,v\n" + rows + "30000,x\n")
    assert types_of(draft) == {"id": "integer", "v": "varchar"}
    assert "1 of 30,001 values are not integers: 'x'" in notes_of(draft, "v")


def test_keys_are_unique_and_never_empty() -> None:
    rows = "".join(f"{i // 3},{i % 3},{i % 5}.50\n" for i in range(90))
    pair = draft_of("order_id,line,price\n" + rows)
    assert [key.columns for key in pair.keys] == [("order_id", "line")]
    rows = "".join(f"{i},{i % 7}\n" for i in range(90))
    (key,) = draft_of("order_id,n\n" + rows).keys
    assert (key.columns, key.records, key.distinct) == (("order_id",), 90, 90)
    assert draft_of("name,city\na,b\nc,d\n").keys == ()


def test_an_unreadable_record_is_told() -> None:
    rows = "".join(f"{i},2\n" for i in range(50))
    draft = draft_of("a,b\n" + rows + "1,2,3\n")
    (note,) = draft.notes
    assert "1 of 51 records cannot be read and will be refused" in note


@pytest.mark.parametrize(
    ("sample", "name", "problem"),
    [
        (b"", "x.csv", "empty"),
        (b"\n\n", "x.csv", "empty"),
        (b"\xef\xbb\xbf", "x.csv", "empty"),
        (b"a,b\n", "x.csv", "no record"),
        (bytes(range(256)) * 4, "x.csv", "no text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "x.csv", "PNG"),
        (b"PK\x03\x04" + bytes(50), "x.zip", "zip"),
        (b"\x1f\x8b\x08\x00 nonsense", "x.csv.gz", "gzip"),
        (b"a,A\n1,2\n", "x.csv", "more than once"),
        (b"[]", "x.json", "no record"),
        (b'[{"a": 1},', "x.json", "not JSON"),
        (b'{\n "a": 1\n}\n', "x.json", "neither on one line"),
        (b"PAR1\x15\x04 nothing else", "x.parquet", "cut short"),
        (b"PAR1\x15\x04 nothing elsePAR1", "x.parquet", "x.parquet"),
        (b"PAR1garbage", "x.parquet", "cut short"),
        (b"PAR1PAR1", "x.parquet", "cut short"),
        (b"a,b\n1,2\n", "x.PARQUET", "not Parquet, as its name says"),
        (
            (",".join(f"c{i}" for i in range(10_000)) + "\n").encode()
            + (",".join(["1"] * 10_000) + "\n").encode(),
            "x.csv",
            f"{COLUMNS_MAX:,}",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_no_pipe_could_be_made_of_is_told(
    sample: bytes, name: str, problem: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(problem)) as raised:
        draft_of(sample, name=name)
    assert name in raised.value.where


@pytest.mark.parametrize(
    "samples",
    [
        ("a,b\n1,2\n", "a;b\n1;2\n"),
        ("a,b\n1,2\n", "1,2\n3,4\n"),
        ("a,b\n1,2\n", "Report\na,b\n1,2\n"),
        ("a,b\n1,2\n", '{"a": 1}\n'),
        ("a,b\n1,ü\n".encode(), "a,b\n1,ü\n".encode("utf-16")),
        ("1,2\n3,4\n", "1,2,3\n3,4,5\n"),
    ],
)
def test_samples_that_no_one_format_reads_are_refused(
    samples: tuple[str | bytes, ...],
) -> None:
    with pytest.raises(UsageError):
        draft_of(*samples)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        draft_pipe([tmp_path / "none.csv"])
    with pytest.raises(UsageError, match="folder"):
        draft_pipe([tmp_path])


def test_the_text_is_the_pipe_and_names_what_is_in_doubt() -> None:
    rows = "".join(f"{i};{'x' if i == 7 else i};{i},50\n" for i in range(1, 121))
    draft = draft_of("id;v;amount\n" + rows)
    text = render_pipe(draft, name="orders", pattern="o*: [x].csv", table="t")
    pipe = Pipe.model_validate(yaml.safe_load(text))
    assert (pipe.name, pipe.pattern, pipe.table_name) == ("orders", "o*: [x].csv", "t")
    assert [column.type for column in pipe.contract.columns] == [
        "integer",
        "varchar",
        "decimal(18,2)",
    ]
    assert not pipe.contract.columns[0].nullable
    assert "# 1 of 120 values are not integers: 'x'; kept as text" in text
    assert "#   id: 120 records, 120 distinct" in text


# ---------------------------------------------------------------- property

WORDS = st.text("abcxyzÄé '-_", min_size=1, max_size=8)
NUMBER = st.integers(-(10**9), 10**20)


def decimals(places: int) -> st.SearchStrategy[str]:
    return st.decimals(-(10**9), 10**9, places=places).map(lambda d: f"{d:f}")


YEARS = (datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("2100-01-01"))


def stamped(form: str) -> st.SearchStrategy[str]:
    instants = st.datetimes(*YEARS)
    return instants.map(lambda instant: instant.strftime(form))


VALUES = [
    NUMBER.map(str),
    st.integers(0, 9999).map("{:04}".format),
    decimals(2),
    st.integers(0, 12).flatmap(decimals),
    decimals(2).map(lambda text: text.replace(".", ",")),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["true", "false", "TRUE", "False"]),
    st.sampled_from(["12E4", "1e5", "+7", "-0", "0", "007", ".5", "1,234", "5."]),
    *map(stamped, ("%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d-%b-%Y")),
    *map(stamped, ("%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%dT%H:%MZ")),
    *map(stamped, ("%d.%m.%Y %H:%M", "%m/%d/%Y %I:%M %p", "%H:%M:%S", "%H:%M")),
    WORDS,
]
ODD = st.sampled_from(["", "NA", "NULL", "-", "n/a", " ", "x"])


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[list[str]]]:
    """Return a delimiter and rows of typed values, some of them off."""
    width = draw(st.integers(2, 6))
    height = draw(st.integers(3, 15))
    columns = []
    for _ in range(width):
        values = draw(st.sampled_from(VALUES))
        if draw(st.integers(0, 3)) == 0:
            values = st.one_of(values, values, values, ODD)
        columns.append(draw(st.lists(values, min_size=height, max_size=height)))
    delimiter = draw(st.sampled_from(";\t|,"))
    return delimiter, [list(row) for row in zip(*columns, strict=True)]


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(tables())
def test_every_value_comes_back_from_its_type(
    table: tuple[str, list[list[str]]],
) -> None:
    delimiter, rows = table
    names = [f"col_{chr(97 + i)}" for i in range(len(rows[0]))]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([names, *rows])
    draft = draft_of(text.getvalue())
    assert draft.file_format.get("field_delimiter", ",") == delimiter
    assert [column.name for column in draft.columns] == names
    assert draft.records == len(rows)
    for at, column in enumerate(draft.columns):
        for row in rows:
            require_kept(row[at], column.decision.type, draft.file_format)


def require_kept(text: str, type_name: str, form: Mapping[str, Any]) -> None:
    """Fail unless the type holds a text and gives it back, but for known forms."""
    trimmed = text.strip(" ")
    if (trimmed if form.get("trim_space") else text) in form.get("null_if", [""]):
        return
    if type_name == "varchar":
        return
    assert trimmed == text or form.get("trim_space"), (text, type_name)
    kind, _, rest = type_name.partition("(")
    point = form.get("decimal_separator", ".")
    if kind == "integer":
        assert str(int(trimmed)) == trimmed
        assert -(2**31) <= int(trimmed) < 2**31
    elif kind == "bigint":
        assert str(int(trimmed)) == trimmed
        assert -(2**63) <= int(trimmed) < 2**63
    elif kind == "decimal":
        precision, scale = map(int, rest.rstrip(")").split(","))
        number = Decimal(trimmed.replace(point, "."))
        assert number == round(number, scale)
        assert abs(number) < 10 ** (precision - scale)
        assert re.fullmatch(r"-?(0|[1-9]\d*)?(\.\d+)?", trimmed.replace(point, "."))
    elif kind == "double":
        assert Decimal(repr(float(trimmed))) == Decimal(trimmed)
    elif kind == "boolean":
        assert trimmed.lower() in ("true", "false")
    else:
        require_instant(trimmed, kind, form)


def require_instant(text: str, kind: str, form: Mapping[str, Any]) -> None:
    """Fail unless a date or a time is read, and shows the same numbers again."""
    name = "timestamp" if kind == "timestamptz" else kind
    given_format = form.get(f"{name}_format")
    if given_format is None:
        reader = {"date": date, "time": time}.get(kind, datetime)
        reader.fromisoformat(text)  # type: ignore[attr-defined]
        return
    pattern = to_strptime(given_format)
    shown = datetime.strptime(text, pattern).strftime(pattern)  # noqa: DTZ007
    numbers = r"\d+|[A-Za-z]+"
    assert [_plain(part) for part in re.findall(numbers, shown)] == [
        _plain(part) for part in re.findall(numbers, text)
    ]


def _plain(part: str) -> str:
    return str(int(part)) if part.isdigit() else part.lower()


def test_the_kinds_add_up() -> None:
    evidence = evidence_of("1", "", "NA", "x", " 2 ")
    assert evidence.kinds == {
        Kind.INTEGER: 2,
        Kind.EMPTY: 1,
        Kind.TOKEN: 1,
        Kind.TEXT: 1,
    }
    assert (evidence.values, evidence.spaced, evidence.records) == (3, 1, 5)
