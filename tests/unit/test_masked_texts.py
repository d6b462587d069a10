"""No message and no raw record that viewers see holds a value of a masked column."""

from __future__ import annotations

import csv
import io
import json
import re

import duckdb
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from snowmelt.bronze.raw_form import RawForm
from snowmelt.serve.cells import MASK
from snowmelt.serve.schemas import ANSWERS
from snowmelt.service.masking.masks import Masks
from snowmelt.service.masking.personal import Personal
from snowmelt.service.masking.texts import WHOLE_MASKED, RecordMask, masked_text
from snowmelt.trace.carried import Carried

SECRET = "secret"
AROUND = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=8
)
PLAIN = st.text("ab 1;'\\t", max_size=8)
SECRETS = st.tuples(AROUND, AROUND).map(lambda pair: f"{pair[0]}{SECRET}{pair[1]}")
MARKS = {"field_delimiter": ",", "field_optionally_enclosed_by": '"', "escape": "none"}
ENGINE = duckdb.connect(config={"threads": 1})
CASTS = ("integer", "bigint", "decimal(9,2)", "date", "timestamp", "boolean", "uuid")


@pytest.mark.parametrize("kind", CASTS)
@settings(max_examples=20)
@given(value=SECRETS)
def test_what_the_engine_says_of_a_value_does_not_say_it(kind: str, value: str) -> None:
    assume("\0" not in value)
    with pytest.raises(duckdb.Error) as refused:
        ENGINE.execute(f"select cast(? as {kind})", [value])
    assert SECRET not in masked_text(str(refused.value))


@settings(max_examples=10)
@given(st.integers(min_value=10**10, max_value=10**18))
def test_a_number_that_does_not_fit_is_not_told(value: int) -> None:
    with pytest.raises(duckdb.Error) as refused:
        ENGINE.execute(f"select cast({value}::bigint as integer)")
    assert str(value) in str(refused.value)
    assert str(value) not in masked_text(str(refused.value))


@settings(max_examples=30)
@given(SECRETS)
def test_our_own_words_for_a_value_do_not_say_it(value: str) -> None:
    assert SECRET not in masked_text(f"'{value}' is not a valid date")
    assert masked_text(f"'{value}' is not a valid date").endswith("not a valid date")
    assert SECRET not in masked_text(f"it is '{value}")
    assert SECRET not in masked_text(f"CSV Error on Line: 7\nOriginal Line: {value}")


def test_what_tells_no_value_is_left_as_it_is() -> None:
    told = "Got 12 results, configured to fail if != 0"
    assert masked_text(told) == told
    assert masked_text("required column is empty") == "required column is empty"
    assert masked_text(None) is None


@settings(max_examples=50)
@given(SECRETS, AROUND, AROUND)
def test_a_record_of_csv_loses_its_masked_fields(
    secret: str, before: str, behind: str
) -> None:
    header = RawForm(("order_id", "email", "region"), MARKS).write()
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="").writerow([before, secret, behind])
    assume("�" not in buffer.getvalue() and "\\x" not in buffer.getvalue())
    shown = RecordMask({"order_id", "region"}, header).mask(buffer.getvalue())
    assert SECRET not in shown
    if shown != WHOLE_MASKED:
        assert next(csv.reader([shown], strict=True)) == [before, MASK, behind]


@settings(max_examples=30)
@given(PLAIN, PLAIN)
def test_a_record_that_is_none_is_masked_whole(before: str, behind: str) -> None:
    header = RawForm(("order_id", "email", "region"), MARKS).write()
    mask = RecordMask({"order_id", "region"}, header)
    for raw in (
        f"{before},{SECRET},{behind},",
        f"{before},x,{behind},{SECRET}",
        f'{before}x"{SECRET},{behind}',
        f'"{before},{behind},{SECRET}',
        f"{SECRET}",
        f"{before}\n{SECRET},{behind},x",
    ):
        assert mask.mask(raw) == WHOLE_MASKED


def test_a_field_that_is_wrong_is_masked_whatever_its_column() -> None:
    header = RawForm(("order_id", "email", "amount"), MARKS).write()
    mask = RecordMask({"order_id", "amount"}, header)
    assert mask.mask(f"1, Anna,{SECRET}", ["amount"]) == f"1,{MASK},{MASK}"
    assert mask.mask(f"1,Smith, Anna,{SECRET}") == WHOLE_MASKED
    assert RecordMask({"order_id"}, None).mask("1,2") == WHOLE_MASKED


def test_a_record_of_json_loses_what_is_masked_and_what_is_unknown() -> None:
    header = RawForm((), None).write()
    mask = RecordMask({"order_id", "region"}, header)
    raw = json.dumps(
        {
            "order_id": 7,
            "customer": {"email": SECRET},
            "Region": "north",
            SECRET + "@": 1,
            "e_mail": SECRET,
        }
    )
    shown = mask.mask(raw)
    assert SECRET not in shown
    assert json.loads(shown)["order_id"] == 7
    assert json.loads(shown)["Region"] == "north"
    assert mask.mask(f'[1, "{SECRET}"]') == WHOLE_MASKED
    assert mask.mask(f'{{"order_id": "{SECRET}') == WHOLE_MASKED


def test_a_document_of_any_form_tells_no_value() -> None:
    masks = Masks(Personal(Carried({}, ""), is_any=True), None, lambda: None)  # type: ignore[arg-type]
    found = {
        "name": "late",
        "message": f"could not read '{SECRET}'",
        "opened_at": "2026-01-02T00:00:00+00:00",
        "rows": 5,
        "details": {
            "evidence": [
                {"reason": "a failing row", "row": {"email": SECRET, "n": 1}},
                {"reason": f"'{SECRET}' is not a valid date", "value": SECRET},
            ],
            "due_at": "2026-01-02T00:00:00+00:00",
        },
        "samples": [[SECRET, None, True]],
    }
    shown = masks.free(found)
    assert SECRET not in json.dumps(shown)
    assert shown["rows"] == 5
    assert shown["opened_at"] == found["opened_at"]
    assert shown["details"]["evidence"][0]["row"] == {"email": MASK, "n": MASK}
    assert shown["samples"] == [[MASK, None, True]]


def test_every_text_of_an_answer_that_says_what_went_wrong_is_masked() -> None:
    names: set[str] = set()

    def collect(schema: object) -> None:
        if isinstance(schema, dict):
            names.update(schema.get("properties", ()))
            for each in schema.values():
                collect(each)
        elif isinstance(schema, list):
            for each in schema:
                collect(each)

    collect(list(ANSWERS.values()))
    told = {n for n in names if re.search("(error|message|problem|reason)s?$", n)}
    assert {"last_error", "error_message", "problems"} <= told
    masks = Masks(Personal(Carried({}, ""), is_any=True), None, lambda: None)  # type: ignore[arg-type]
    found = dict.fromkeys(told - {"errors"}, f"could not read '{SECRET}'")
    assert SECRET not in json.dumps(masks.free({"tasks": [found]}))
