"""Two digests agree if, and only if, the rows do: in any order, on either engine.

Snowflake's half is what is sent to Snowflake, read by sqlglot and carried out by
DuckDB; `tests/cloud` asks a double of an account the same.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moved_account import MovedAccount
from snowmelt.deploy.migration.digest import (
    DUCKDB,
    EMPTY,
    JSON,
    SNOWFLAKE,
    Digest,
    Typed,
    digest_query,
    digests_query,
    text_of,
)
from snowmelt.deploy.migration.staged import some, texts

TYPES: dict[str, st.SearchStrategy[Any]] = {
    "varchar": st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
    ),
    "boolean": st.booleans(),
    "integer": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "decimal(12,2)": st.decimals(-9_999_999_999, 9_999_999_999, places=2),
    "double": st.floats(),
    "date": st.dates(date(1, 1, 1), date(9999, 12, 31)),
    "time": st.times(),
    "timestamp": st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),  # noqa: DTZ001
    "timestamptz": st.datetimes(
        datetime(1, 1, 2),  # noqa: DTZ001
        datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
}
COLUMNS = tuple(Typed(f"C{i}", kind) for i, kind in enumerate(TYPES))
ROWS = st.lists(st.tuples(*(st.none() | each for each in TYPES.values())), max_size=3)
Rows = Sequence[tuple[Any, ...]]
_POWERS = [2.0**power for power in range(-1074, 1024)]
"""Where a logarithm may be off by one."""


@pytest.fixture(scope="module")
def engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    listed = ", ".join(f"{each.name} {each.type}" for each in COLUMNS)
    connection.execute(f"create table t ({listed})")
    return connection


@pytest.fixture(scope="module")
def account() -> MovedAccount:
    account = MovedAccount(lambda _: b"")
    listed = ", ".join(f"{each.name} {each.type}" for each in COLUMNS)
    account.ask(f"create table t ({listed})")
    return account


def digest(engine: duckdb.DuckDBPyConnection, rows: Rows) -> Digest:
    engine.execute("delete from t")
    marks = ", ".join("?" for _ in COLUMNS)
    for row in rows:
        engine.execute(f"insert into t values ({marks})", row)
    query = digest_query(COLUMNS, "t", DUCKDB)
    found = engine.execute(query).fetchone()
    assert found is not None
    return Digest.read(found)


def equal_values(rows: Rows) -> Counter[tuple[Any, ...]]:
    """Rows as a multiset: all NaN are one, and so are both zeros."""
    return Counter(
        tuple("NaN" if isinstance(v, float) and math.isnan(v) else v for v in row)
        for row in rows
    )


@settings(max_examples=12, deadline=None)
@given(one=ROWS, data=st.data())
def test_digests_are_equal_if_and_only_if_the_rows_are(
    engine: duckdb.DuckDBPyConnection, one: Rows, data: st.DataObject
) -> None:
    other = data.draw(
        st.permutations(one) | ROWS | st.just([*one, *one[:1]]) | _without_one(one)
    )
    same = equal_values(one) == equal_values(other)
    assert (digest(engine, one) == digest(engine, other)) == same


def _without_one(rows: Rows) -> st.SearchStrategy[Rows]:
    """The rows with one of their columns empty."""

    def without(column: int) -> Rows:
        return [(*row[:column], None, *row[column + 1 :]) for row in rows]

    return st.integers(0, len(COLUMNS) - 1).map(without)


@settings(max_examples=6, deadline=None)
@given(rows=ROWS)
def test_both_engines_come_to_the_same(
    engine: duckdb.DuckDBPyConnection, account: MovedAccount, rows: Rows
) -> None:
    here = digest(engine, rows)
    account.ask("delete from t")
    marks = ", ".join("?" for _ in COLUMNS)
    for row in rows:
        account.tell(f"insert into t values ({marks})", row)
    [there] = account.rows(digest_query(COLUMNS, "t", SNOWFLAKE))
    assert Digest.read([*there.values()]) == here


@settings(max_examples=4, deadline=None)
@given(one=ROWS, other=ROWS)
def test_digests_add_up(
    engine: duckdb.DuckDBPyConnection, one: Rows, other: Rows
) -> None:
    both = digest(engine, [*one, *other])
    assert both == digest(engine, one) + digest(engine, other) + EMPTY


@settings(max_examples=6, deadline=None)
@given(rows=ROWS, columns=st.permutations(COLUMNS))
def test_a_column_elsewhere_or_of_later_changes_nothing(
    engine: duckdb.DuckDBPyConnection, rows: Rows, columns: list[Typed]
) -> None:
    before = digest(engine, rows)
    source = "(select *, null::json as later, null::double as last from t) as t"
    later = (Typed("later", JSON), *columns, Typed("last", "double"))
    found = engine.execute(digest_query(later, source, DUCKDB)).fetchone()
    assert found is not None
    assert Digest.read(found) == before


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | TYPES["varchar"],
    lambda each: (
        st.lists(each, max_size=2) | st.dictionaries(TYPES["varchar"], each, max_size=2)
    ),
    max_leaves=4,
)
WRITTEN = st.builds(
    lambda document, indent, ascii_alone: json.dumps(
        document, indent=indent, ensure_ascii=ascii_alone
    ),
    DOCUMENTS,
    st.none() | st.just(1),
    st.booleans(),
)


@settings(max_examples=8, deadline=None)
@given(one=st.lists(st.none() | WRITTEN, max_size=3), data=st.data())
def test_texts_of_json_are_compared_letter_by_letter(
    engine: duckdb.DuckDBPyConnection, account: MovedAccount, one: Any, data: Any
) -> None:
    """What is here as JSON lies in the stage as text: white space and escapes count."""
    other = data.draw(st.just(one) | st.lists(st.none() | WRITTEN, max_size=3))
    columns = (Typed("body", JSON),)
    key = "'f' as _file, 1 as _file_row, 'k' as _content_key"
    engine.execute("create or replace table j (body json)")
    account.ask("create or replace table j (body varchar)")
    for text in one:
        engine.execute("insert into j values (?)", [text])
    for text in other:
        account.tell("insert into j values (?)", [text])
    source = f"(select *, {key} from j) as j where {some(columns)}"
    here = engine.execute(digest_query(texts(columns), source, DUCKDB)).fetchone()
    assert here is not None
    [row] = account.rows(digests_query([texts(columns)], source, SNOWFLAKE))
    same = Counter(filter(None, one)) == Counter(filter(None, other))
    assert (Digest.read([*row.values()]) == Digest.read(here)) == same


@settings(max_examples=4, deadline=None)
@given(
    drawn=st.lists(
        st.floats(allow_nan=False, allow_infinity=False), min_size=50, max_size=200
    )
)
def test_a_float_is_written_as_exactly_what_it_is(
    engine: duckdb.DuckDBPyConnection, drawn: list[float]
) -> None:
    values = [*drawn, 5e-324, 2.0**-1022, 1.7976931348623157e308, -0.0, *_POWERS]
    engine.execute("create or replace table f (x double)")
    marks = ", ".join("(?)" for _ in values)
    engine.execute(f"insert into f values {marks}", values)
    written = text_of(Typed("x", "double"), DUCKDB)
    source = DUCKDB.float_parts(["x"], "f")
    for value, text in engine.execute(f"select x, {written} from {source}").fetchall():
        whole, _, power = text.partition("e")
        exact = Fraction(int(whole)) * Fraction(2) ** (int(power or 52) - 52)
        assert exact == Fraction(value)
        assert value == 0 or 2**52 <= abs(int(whole)) < 2**53


def test_halves_of_a_hash_are_what_the_vendor_documents() -> None:
    """https://docs.snowflake.com/en/sql-reference/functions/md5_number_lower64"""
    low, high = (each.format("'Snowflake'") for each in (DUCKDB.low, DUCKDB.high))
    found = duckdb.sql(f"select {low}, {high}").fetchone()
    assert found == (9203306159527282910, 17145559544104499780)


def test_texts_that_meet_in_a_row_are_told_apart(
    engine: duckdb.DuckDBPyConnection,
) -> None:
    def of(*pair: str | None) -> Digest:
        columns = (Typed("a", "varchar"), Typed("b", "varchar"))
        values = ", ".join("null" if each is None else f"'{each}'" for each in pair)
        source = f"(values ({values})) as pairs(a, b)"
        found = engine.execute(digest_query(columns, source, DUCKDB)).fetchone()
        assert found is not None
        return Digest.read(found)

    pairs = [("a|", "b"), ("a", "|b"), ("~", None), (None, "~"), (None, None), ("", "")]
    assert len({of(*pair) for pair in pairs}) == len(pairs)
