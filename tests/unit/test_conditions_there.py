"""What a target's tasks are said to wait for is what the account's tasks ask."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shipped import TARGET, deployed_into, make_project
from snowflake_account import Account
from snowmelt.deploy.snowflake.task import Stream, Task
from snowmelt.service.targets.conditions_there import judge_conditions
from snowmelt.service.targets.facts import Facts
from snowmelt.transform.tasks.condition import (
    Condition,
    Operation,
    UnreadRows,
    holds,
    parse_condition,
    streams_in,
    written,
)

SETTINGS = f"version: 1\nname: shop\n{yaml.safe_dump({'targets': {'prod': TARGET}})}"
NAMES = st.sampled_from(["orders", "events", "news_owed"]).map(UnreadRows)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    NAMES,
    lambda inner: (
        st.builds(Operation, st.sampled_from(["and", "or"]), st.tuples(inner, inner))
        | st.builds(Operation, st.just("not"), st.tuples(inner))
    ),
    max_leaves=6,
)


@given(CONDITIONS, st.sets(st.sampled_from(["orders", "events", "news_owed"])))
def test_a_condition_that_is_written_is_read_as_it_was(
    condition: Condition, unread: set[str]
) -> None:
    again = parse_condition(written(condition))
    assert streams_in(again) == streams_in(condition)
    assert holds(again, unread.__contains__) == holds(condition, unread.__contains__)


def asked_by_the_account(when: str, data: dict[str, bool]) -> bool:
    """Evaluate a WHEN as it stands in the account."""
    told = re.sub(
        r"SYSTEM\$STREAM_HAS_DATA\('([^']+)'\)", lambda each: str(data[each[1]]), when
    )
    words = {"AND": "and", "OR": "or", "NOT": "not"}
    assert not set(re.findall(r"\w+", told)) - {*words, "True", "False"}, told
    for word, python in words.items():
        told = re.sub(rf"\b{word}\b", python, told)
    return bool(eval(told))  # words and values alone, as was looked at


def facts(tasks: list[dict[str, Any]], streams: list[dict[str, Any]]) -> Facts:
    return Facts({}, {}, streams, tasks)


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (
            "a: {when: stream_has_data(orders), dbt: gold}",
            "stream_has_data(orders) or stream_has_data(retry_due)",
        ),
        (
            "a: {when: stream_has_data(orders) and not stream_has_data(events),"
            " dbt: gold}",
            "(stream_has_data(orders) and not stream_has_data(events)) or "
            "stream_has_data(retry_due)",
        ),
        # it builds nothing: its streams are its own, and nothing is owed to it
        (
            "a: {when: stream_has_data(orders), sql: count.sql}",
            "stream_has_data(orders)",
        ),
    ],
)
def test_what_is_said_of_a_condition_is_what_the_task_there_asks(
    tmp_path: Path, tasks: str, said: str
) -> None:
    project = make_project(
        tmp_path, **{"snowmelt.yml": f"{SETTINGS}tasks:\n  {tasks}\n"}
    )
    desired = deployed_into(project, Account()).desired
    [task] = [e for e in desired if isinstance(e, Task) and e.name.endswith(".A")]
    made = {each.name: each.table for each in desired if isinstance(each, Stream)}
    seen = set()
    for answers in product([False, True], repeat=len(made)):
        data = dict(zip(made, answers, strict=True))
        streams = [
            {"name": name, "table_name": made[name], "has_data": has}
            for name, has in data.items()
        ]
        condition: dict[str, Any] = {
            "task": "a",
            "when": project.settings.tasks["a"].when,
            "holds": False,
            "problem": None,
            "streams": [],
        }
        judge_conditions(
            facts([{"name": "a", "condition": task.when}], streams), [condition]
        )
        assert condition["holds"] is asked_by_the_account(task.when, data)
        assert condition["when"] == said
        assert condition["problem"] is None
        told = {each["name"]: each["has_data"] for each in condition["streams"]}
        assert holds(parse_condition(said), told.__getitem__) is condition["holds"]
        seen.add(condition["holds"])
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("task", "streams", "problem"),
    [
        ([], [], "the task is not in the account"),
        (
            [{"name": "a", "condition": None}],
            [],
            "the task there has no condition",
        ),
        (
            [{"name": "a", "condition": "SYSTEM$STREAM_HAS_DATA('S.B.ORDERS__NEWS')"}],
            [],
            "orders__news could not be asked",
        ),
        (
            [{"name": "a", "condition": "SYSTEM$GET_PREDECESSOR_RETURN_VALUE() = '1'"}],
            [],
            "it cannot be read: ",
        ),
    ],
)
def test_what_is_not_known_is_said_and_not_guessed(
    task: list[dict[str, Any]], streams: list[dict[str, Any]], problem: str
) -> None:
    condition: dict[str, Any] = {
        "task": "a",
        "when": "stream_has_data(orders)",
        "holds": True,
        "problem": None,
        "streams": [{"name": "orders", "has_data": True}],
    }
    judge_conditions(facts(task, streams), [condition])
    assert condition["holds"] is None
    assert condition["problem"].startswith(problem)
    assert condition["streams"] == []
