"""A query over masked tables tells nothing of what is masked, whatever it asks."""

from __future__ import annotations

import re

import duckdb
import pytest
from test_carried import MORE, SECRET, TABLES, holds_secret, qualified
from test_lifting import SHAPES, VIEW

from snowmelt.errors import UsageError
from snowmelt.service.masking.personal import Personal
from snowmelt.service.masking.queries import masked_query
from snowmelt.trace.carried import Carried

ORACLES = {
    "condition": f"select k from main.t where w like '%{SECRET} t1%'",
    "join": f"select t.k from main.t join (select '{SECRET} t1' as w) as g using (w)",
    "order": "select k, row_number() over (order by w desc) as n from main.t",
    "length": "select k, length(w) as n from main.t",
    "cast": "select cast(w as integer) as n from main.t where k = 1",
    "named whole": "select w from memory.main.t",
    "quoted": 'select "W" from "main"."T"',
    "in a with": "with a as (select * from main.t) select * from a",
    "subquery": f"select exists (select 1 from main.t where w = '{SECRET} t1') as e",
}
REFUSED = (
    *("select * from query('select * from main.t')", "select * from query_table('t')"),
    *("summarize main.t", "describe main.t", "select 1; select 2", "select * from t"),
    *("select (((", "pivot main.t on w", "select * from main.nothing"),
    "select * from read_csv('x.csv')",
)


def make_personal(marks: dict[str, set[str]]) -> Personal:
    carried = Carried(TABLES, "memory", marks)
    return Personal(carried, is_any=bool(marks), followed=frozenset(TABLES))


def fill(connection: duckdb.DuckDBPyConnection, mark: str) -> None:
    for name in ("t", "u"):
        rows = [(n % 3, n, f"{mark} {name}{n}") for n in range(6)]
        connection.execute(f"create or replace table {name} (k int, v int, w varchar)")
        connection.executemany(f"insert into {name} values (?, ?, ?)", rows)
    connection.execute(f"create or replace view seen as {VIEW}")


@pytest.fixture(scope="module")
def connections() -> list[duckdb.DuckDBPyConnection]:
    """Two engines that differ in what is masked alone."""
    made = [duckdb.connect(config={"threads": 1}) for _ in range(2)]
    fill(made[0], SECRET)
    fill(made[1], "zz other")
    return made


@pytest.mark.parametrize("shape", [*SHAPES, *MORE, *ORACLES])
def test_answers_are_the_same_whatever_is_masked(
    connections: list[duckdb.DuckDBPyConnection], shape: str
) -> None:
    personal = make_personal({key: {"w"} for key in TABLES})
    query = ORACLES.get(shape) or qualified((SHAPES | MORE)[shape])
    try:
        masked = masked_query(personal, query)
    except UsageError:
        assert shape in ("unpivot",)
        return
    told = []
    for connection in connections:
        try:
            told.append(sorted(map(repr, connection.execute(masked).fetchall())))
        except duckdb.Error as error:
            told.append([re.sub(r"LINE \d+:.*", "", str(error), flags=re.DOTALL)])
    assert told[0] == told[1]
    assert not any(holds_secret(each) for each in told[0])


@pytest.mark.parametrize("query", REFUSED)
def test_what_is_not_followed_is_refused(query: str) -> None:
    with pytest.raises(UsageError):
        masked_query(make_personal({"main.t": {"w"}}), query)


def test_without_masks_a_query_is_left_alone() -> None:
    query = "select * from query('select 1')"
    assert masked_query(make_personal({}), query) == query
