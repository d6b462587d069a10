"""What a file's columns mean for its pipe, as tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from snowmelt.pipe.contract import Column, Contract
from snowmelt.pipe.definition import Pipe
from snowmelt.pipe.evolution import (
    Action,
    Decision,
    Difference,
    FileColumn,
    Retyped,
    SchemaEvolution,
    compare,
    decide,
    describe,
)
from snowmelt.pipe.evolved import (
    RESCUED,
    Evolution,
    EvolutionMode,
    EvolutionType,
    evolve_pipe,
)
from snowmelt.pipe.widening import propose, widens

CONTRACT = Contract(
    columns=[
        Column(name="id", type="integer", nullable=False),
        Column(name="amount", type="decimal(9,2)"),
        Column(name="city", type="varchar", path="customer.address[0].city"),
        Column(name="note", type="varchar", optional=True),
    ]
)


def named(*names: str) -> list[FileColumn]:
    return [FileColumn(name) for name in names]


@pytest.mark.parametrize(
    ("columns", "new", "missing", "matched"),
    [
        (named("id", "amount", "customer"), [], [], True),
        (named("CUSTOMER", " Amount ", "ID", "note"), [], [], True),
        (named("id", "amount", "customer", "Extra"), ["Extra"], [], True),
        (named("id", "x", "y"), ["x", "y"], ["amount", "city"], True),
        (named("a", "b"), ["a", "b"], ["id", "amount", "city"], False),
        ([], [], ["id", "amount", "city"], False),
        (named("id", "amount", "city"), ["city"], ["city"], True),
    ],
)
def test_columns_are_compared_by_name_in_any_order_and_case(
    columns: list[FileColumn], new: list[str], missing: list[str], matched: bool
) -> None:
    found = compare(columns, CONTRACT)

    assert [column.name for column in found.new] == new
    assert list(found.missing) == missing
    assert found.matched is matched


@pytest.mark.parametrize(
    ("name", "file_type", "retyped"),
    [
        ("id", "integer", False),
        ("id", "bigint", False),
        ("id", "double", False),
        ("id", "varchar", False),  # each text is tried
        ("id", "date", True),
        ("id", "json", True),
        ("id", "boolean", True),
        ("amount", "double", False),
        ("amount", "timestamp", True),
        ("note", "json", False),  # all can be text
    ],
)
def test_typed_columns_differ_when_no_value_could_be_tried(
    name: str, file_type: str, retyped: bool
) -> None:
    found = compare([FileColumn(name, file_type)], CONTRACT)

    assert [each.name for each in found.retyped] == ([name] if retyped else [])


NEW = Difference(new=(FileColumn("colour"), FileColumn("Size", "bigint")))
MISSING = Difference(missing=("id",))
RETYPED = Difference(retyped=(Retyped("id", "integer", "varchar", ("x",)),))
STRANGE = Difference(new=(FileColumn("q"),), missing=("id",), matched=False)
ADDED = (
    Column(name="colour", type="varchar", optional=True),
    Column(name="size", type="bigint", optional=True),
)


@pytest.mark.parametrize(
    ("mode", "difference", "action"),
    [
        *[(mode, Difference(), Action.LOAD) for mode in SchemaEvolution],
        ("none", NEW, Action.LOAD),
        ("add_new_columns", NEW, Action.ADD),
        ("rescue", NEW, Action.RESCUE),
        ("fail_on_new_columns", NEW, Action.FAIL),
        ("hold", NEW, Action.HOLD),
        ("none", MISSING, Action.FAIL),
        ("add_new_columns", MISSING, Action.FAIL),
        ("rescue", MISSING, Action.FAIL),
        ("fail_on_new_columns", MISSING, Action.FAIL),
        ("hold", MISSING, Action.HOLD),
        ("none", RETYPED, Action.LOAD),
        ("add_new_columns", RETYPED, Action.LOAD),
        ("rescue", RETYPED, Action.LOAD),
        ("fail_on_new_columns", RETYPED, Action.LOAD),
        ("hold", RETYPED, Action.HOLD),
        ("add_new_columns", STRANGE, Action.FAIL),
        ("hold", STRANGE, Action.HOLD),
    ],
)
def test_the_mode_decides(mode: str, difference: Difference, action: Action) -> None:
    decision = decide(SchemaEvolution(mode), difference)

    assert decision.action is action
    assert bool(decision.reason) == (action in (Action.FAIL, Action.HOLD))
    assert decision.columns == (ADDED if action is Action.ADD else ())


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["fine", "_x"], "names that begin with _ are kept for load columns: '_x'"),
        (["unit price"], "'unit price' is no name of a column: use letters"),
        (["größe"], "'größe' is no name of a column"),
        (["1st"], "'1st' is no name of a column"),
        ([""], "a column has no name"),
        (["  "], "a column has no name"),
        (["Colour", "COLOUR"], "column 'Colour' is there twice, whatever the case"),
        (["x" * 256], "is longer than 255 characters"),
        ([f"c{n}" for n in range(101)], "101 new columns are more than 100"),
    ],
)
def test_what_cannot_be_a_column_is_never_renamed(
    names: list[str], problem: str
) -> None:
    difference = Difference(new=tuple(named(*names)))

    decision = decide(SchemaEvolution.ADD_NEW_COLUMNS, difference)
    assert decision.action is Action.FAIL
    assert problem in decision.reason
    assert decide(SchemaEvolution.RESCUE, difference).action is Action.RESCUE


def test_a_hundred_columns_and_names_of_255_are_added() -> None:
    names = [f"c{n}" for n in range(99)] + ["x" * 255]
    decision = decide(
        SchemaEvolution.ADD_NEW_COLUMNS, Difference(new=tuple(named(*names)))
    )
    assert [column.name for column in decision.columns] == names


def test_a_difference_is_told_in_one_sentence() -> None:
    found = Difference(NEW.new, ("id", "amount"), RETYPED.retyped)
    assert describe(found) == (
        "columns 'colour', 'Size' are not in the contract; required columns 'id', "
        "'amount' are not in the file; no value of 'id' is a valid integer"
    )
    assert decide(SchemaEvolution.HOLD, found) == Decision(
        Action.HOLD, reason=describe(found)
    )


@pytest.mark.parametrize(
    ("narrow", "wide", "lossless"),
    [
        ("integer", "bigint", True),
        ("integer", "double", True),
        ("bigint", "double", False),
        ("integer", "decimal(10,0)", True),
        ("integer", "decimal(9,0)", False),
        ("integer", "decimal(12,2)", True),
        ("integer", "decimal(12,3)", False),
        ("bigint", "decimal(19,0)", True),
        ("bigint", "decimal(18,0)", False),
        ("decimal(9,2)", "decimal(10,2)", True),
        ("decimal(9,2)", "decimal(10,3)", True),
        ("decimal(9,2)", "decimal(9,3)", False),
        ("decimal(9,2)", "decimal(12,1)", False),
        ("decimal(9,2)", "double", False),
        ("double", "decimal(38,9)", False),
        ("date", "timestamp", True),
        ("date", "timestamptz", False),
        ("timestamp", "date", False),
        ("bigint", "integer", False),
        ("boolean", "integer", False),
        ("json", "varchar", True),
        ("timestamptz", "varchar", True),
        ("varchar", "json", False),
        ("varchar", "varchar", False),
    ],
)
def test_a_type_widens_another_only_if_it_holds_each_value(
    narrow: str, wide: str, lossless: bool
) -> None:
    assert widens(narrow, wide) is lossless


@pytest.mark.parametrize(
    ("type_name", "texts", "proposed"),
    [
        ("integer", ["3000000000", "-3000000001"], "bigint"),
        ("integer", ["3000000000.5"], "double"),
        ("integer", ["3000000000.5", "abc"], "varchar"),
        ("integer", ["99999999999999999999"], "decimal(38,0)"),
        ("integer", ["12345678901234567.5"], "varchar"),
        ("bigint", ["9" * 38], "decimal(38,0)"),
        ("bigint", ["9" * 39], "varchar"),
        ("bigint", ["1e30"], "varchar"),
        ("decimal(9,2)", ["12345678901.25"], "decimal(38,2)"),
        ("decimal(9,2)", ["12345678901.255"], "varchar"),
        ("decimal(38,2)", ["x"], "varchar"),
        ("date", ["2024-01-01 10:00:00", "2024-01-01T10:00"], "timestamp"),
        ("date", ["01.02.2024"], "varchar"),
        ("boolean", ["perhaps"], "varchar"),
        ("integer", [], "varchar"),
    ],
)
def test_the_type_proposed_holds_the_texts_exactly_and_widens(
    type_name: str, texts: list[str], proposed: str
) -> None:
    assert propose(type_name, texts) == proposed
    assert widens(type_name, proposed)


def a_pipe(mode: str = "none", **named: str) -> Pipe:
    columns: list[dict[str, Any]] = [
        {"name": name, "type": kind} for name, kind in named.items()
    ]
    return Pipe.model_validate(
        {
            "name": "orders",
            "pattern": "*.csv",
            "schema_evolution": mode,
            "contract": {"columns": columns},
        }
    )


def change(name: str, kind: str, what: str, file: str | None = "a.csv") -> Evolution:
    return Evolution(
        "orders",
        "orders",
        name,
        kind,
        EvolutionType(what),
        EvolutionMode.APPROVED,
        file,
        datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("pipe", "changes", "expected"),
    [
        (a_pipe(id="integer"), [], {"id": "integer"}),
        (
            a_pipe(id="integer"),
            [change("x", "varchar", "ADD_COLUMN"), change("y", "json", "ADD_COLUMN")],
            {"id": "integer", "x": "varchar", "y": "json"},
        ),
        (  # named by the pipe's file by now
            a_pipe(x="bigint", id="integer"),
            [change("x", "varchar", "ADD_COLUMN")],
            {"x": "bigint", "id": "integer"},
        ),
        (
            a_pipe(id="integer"),
            [
                change("id", "bigint", "WIDEN_TYPE"),
                change("id", "varchar", "WIDEN_TYPE"),
            ],
            {"id": "varchar"},
        ),
        (  # the pipe's file is wider by now
            a_pipe(id="varchar"),
            [change("id", "bigint", "WIDEN_TYPE")],
            {"id": "varchar"},
        ),
        (  # the pipe's file asked for it, and asks for it no more
            a_pipe(id="integer"),
            [change("id", "bigint", "WIDEN_TYPE", None)],
            {"id": "integer"},
        ),
        (
            a_pipe("rescue", id="integer"),
            [change("x", "varchar", "ADD_COLUMN")],
            {"id": "integer", "x": "varchar", RESCUED: "json"},
        ),
        (
            a_pipe(id="integer"),
            [change("x", "integer", "ADD_COLUMN"), change("x", "bigint", "WIDEN_TYPE")],
            {"id": "integer", "x": "bigint"},
        ),
    ],
)
def test_the_effective_contract_is_the_pipes_and_what_evolved(
    pipe: Pipe, changes: list[Evolution], expected: dict[str, str]
) -> None:
    digest = pipe.digest
    found = evolve_pipe(pipe, changes)

    assert {c.name: c.type for c in found.contract.columns} == expected
    assert pipe.digest == digest


def test_a_column_approved_as_optional_may_be_missing_and_empty() -> None:
    pipe = Pipe.model_validate(
        {
            "name": "orders",
            "pattern": "*.csv",
            "contract": {
                "columns": [{"name": "id", "type": "integer", "nullable": False}]
            },
        }
    )
    found = evolve_pipe(pipe, [change("id", "integer", "DROP_NOT_NULL")])
    (column,) = found.contract.columns
    assert (column.optional, column.nullable) == (True, True)
