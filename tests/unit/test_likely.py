"""Where a key can be in bronze: too wide is slow, too narrow would be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.trace.likely import likely_columns
from snowmelt.trace.models import PIECE, SAME, Likely
from snowmelt.warehouse.duckdb.scratch import scratch
from snowmelt.warehouse.sql import literal

RECORD_ID = (
    "nullif(case when starts_with(a, ' ') or ends_with(a, ' ') or contains(a, '.0') "
    r"then regexp_replace(trim(a), '^(\d+)\.0+$', '\1') else a end, '')"
)
KNOWN = {
    "a": Likely("a"),
    "t.a": Likely("a"),
    "(a)": Likely("a"),
    "nullif(a, '')": Likely("a"),
    "nullif(trim(a), '')": Likely("a", PIECE),
    "coalesce(a, 'none')": Likely("a", SAME, ("none",)),
    "coalesce(nullif(trim(a), ''), 'none')": Likely("a", PIECE, ("none",)),
    "ltrim(a, 'x')": Likely("a", PIECE),
    "left(a, 3)": Likely("a", PIECE),
    "substring(a, 2, 2)": Likely("a", PIECE),
    "case when a like 'x%' then 'many' when b = '' then null else rtrim(a) end": Likely(
        "a", PIECE, ("many",)
    ),
    RECORD_ID: Likely("a", PIECE),
}
UNKNOWN = (
    "upper(a)",
    "a || b",
    "coalesce(a, b)",
    "case when a = '' then b else a end",
    "trim(coalesce(a, ' none '))",
    "replace(a, 'x', '')",
    r"regexp_replace(a, '^(x)|y$', '\1')",
    r"regexp_replace(a, '(x)', '\1')",
    r"regexp_replace(a, '^(x).*$', '\1y')",
    r"regexp_replace(a, '^(x).*$', '\1', 'i')",
    "lpad(a, 5, '0')",
    "n",
    "cast(n as varchar)",
    "s.a",
    "'x'",
)
TEXTS = {"a": "a", "b": "b"}
words = st.text(alphabet="xXy 0.1é'%", max_size=6)


def known_of(expression: str) -> Likely | None:
    sql = f"select {expression} as key, b from bronze.t as t"
    return likely_columns(sql, ["key"], TEXTS).get("key")


@pytest.mark.parametrize(("expression", "likely"), KNOWN.items())
def test_what_keeps_a_text_or_a_piece_of_it_is_known(
    expression: str, likely: Likely
) -> None:
    assert known_of(expression) == likely


@pytest.mark.parametrize("expression", UNKNOWN)
def test_what_may_make_another_text_is_not(expression: str) -> None:
    assert known_of(expression) is None


@pytest.mark.parametrize(
    "sql",
    [
        "with c as (select a from t) select a as key from c",
        "select t.a as key from t join u using (b)",
        "select a as key from (select upper(a) as a from t)",
        "select a as key from t union all select b from t",
        "select a as key, count(*) as n from t group by a",
        "select a as key, rank() over (order by b) as place from t",
        "select a as key from t qualify row_number() over (partition by b) = 1",
        "select distinct a as key from t",
        "select a as key, (select max(b) from t) as most from t",
        "select a as key from t limit 3",
        "not a query",
    ],
)
def test_of_more_than_one_plain_table_nothing_is_known(sql: str) -> None:
    assert likely_columns(sql, ["key"], TEXTS) == {}


@settings(max_examples=12)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=8))
def test_no_row_that_has_a_key_is_left_out(rows: list[tuple[str, str]]) -> None:
    with scratch(threads=1) as connection:
        connection.execute("create table t (a varchar, b varchar)")
        connection.executemany("insert into t values ($1, $2)", rows)
        for expression in KNOWN:
            likely = known_of(expression)
            assert likely is not None
            made = connection.execute(f"select distinct {expression} from t").fetchall()
            for (value,) in made:
                if value is None or likely.condition(value) is None:
                    continue
                missed = connection.execute(
                    f"select * from t where {expression} = {literal(value)} "
                    f"and not coalesce({likely.condition(value)}, false)"
                ).fetchall()
                assert missed == [], (expression, value)
