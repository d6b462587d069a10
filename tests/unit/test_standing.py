"""A dashboard is current as far as what it is made of is, and nothing else counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snowmelt.service.boards.standing import Standing

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def pipe(name: str) -> dict[str, Any]:
    return {"id": f"pipe:{name}", "name": name, "state": "good"}


def model(name: str, **more: Any) -> dict[str, Any]:
    own = {"state": "good", "tests_failed": 0, "tests_warned": 0}
    return {"id": f"model:{name}", "name": name} | own | more


def shop(**more: Any) -> Standing:
    """Orders become sales; visits become traffic, of which nothing is known."""
    given: dict[str, Any] = {
        "nodes": [pipe("orders"), pipe("visits"), model("sales"), model("traffic")],
        "edges": [["pipe:orders", "model:sales"], ["pipe:visits", "model:traffic"]],
        "now": NOON,
        "published_at": NOON - HOUR,
        "newest": {"orders": NOON - 2 * HOUR, "visits": NOON - 3 * HOUR},
    }
    return Standing(**given | more)


CASES: list[tuple[dict[str, Any], str, str, str]] = [
    ({}, "current", "good", ""),
    (
        {"waiting": {"orders": NOON - HOUR}, "last_run_failed": True},
        *("stale", "bad"),
        "rows since 2026-11-21 11:00 UTC are not published: the last run failed",
    ),
    ({"waiting": {"orders": NOON - HOUR}}, "current", "good", ""),
    ({"last_run_failed": True}, "current", "good", ""),
    (
        {"waiting": {"orders": NOON - HOUR}, "goals": {"sales": HOUR / 2}},
        *("stale", "warn", "sales is staler than its target lag, 30 minutes"),
    ),
    (
        {"waiting": {"orders": NOON - HOUR}, "goals": {"sales": 2 * HOUR}},
        *("current", "good", ""),
    ),
    (
        {"freshness": {"orders": "late"}},
        *("late", "warn", "the file of pipe orders is late"),
    ),
    (
        {"freshness": {"orders": "missing"}},
        *("file missing", "bad", "the file of pipe orders is missing"),
    ),
    ({"freshness": {"orders": "recovered"}}, "current", "good", ""),
    (
        {"files": {"orders": 2}},
        *("files wait", "warn", "2 files of pipe orders could not be loaded yet"),
    ),
    ({"published_at": None}, "nothing published", "", ""),
]


@pytest.mark.parametrize(("known", "word", "level", "told"), CASES)
def test_what_is_known_says_of_whom_it_is(
    known: dict[str, Any], word: str, level: str, told: str
) -> None:
    standing = shop(**known)
    sales, traffic = standing.of(["sales"]), standing.of(["traffic"])
    assert (sales["word"], sales["level"]) == (word, level)
    assert [each["told"] for each in sales["reasons"]] == ([told] if told else [])
    if known.get("published_at", NOON) is not None:
        assert traffic["word"] == "current", "the other dashboard is as it was"
        assert sales["data_as_of"] == (NOON - 2 * HOUR).isoformat()
    broken = standing.of_board(["sales"], "dashboards/sales.yml:3: off")
    assert (broken["word"], broken["level"]) == ("broken", "bad")


def test_tests_and_models_that_fail_are_told_worst_first() -> None:
    nodes = [
        pipe("orders"),
        model("raw", state="bad"),
        model("sales", tests_failed=2, state="bad"),
        model("days", tests_warned=1, state="warn"),
    ]
    edges = [["pipe:orders", "model:raw"], ["model:raw", "model:sales"]]
    edges.append(["model:sales", "model:days"])
    found = shop(nodes=nodes, edges=edges).of(["days"])
    assert (found["word"], found["level"]) == ("test failed", "bad")
    assert [each["told"] for each in found["reasons"]] == [
        "2 tests of sales failed",
        "raw could not be built",
        "1 test of days warns",
    ]
    assert shop(nodes=nodes, edges=edges).of(["raw"])["word"] == "not built"


NAMES = [f"n{number}" for number in range(8)]
EDGES = st.sets(
    st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda e: e[0] < e[1]),
    max_size=14,
)


@settings(max_examples=60)
@given(EDGES, st.sets(st.integers(0, 7)), st.sets(st.integers(0, 7)))
def test_whatever_is_wrong_above_counts_and_nothing_beside(
    edges: set[tuple[int, int]], wrong: set[int], read: set[int]
) -> None:
    nodes = [
        model(name, tests_failed=int(place in wrong))
        for place, name in enumerate(NAMES)
    ]
    standing = shop(
        nodes=nodes,
        edges=[[f"model:{NAMES[a]}", f"model:{NAMES[b]}"] for a, b in edges],
    )
    above, grown = set(read), True
    while grown:
        more = above | {a for a, b in edges if b in above}
        grown, above = more != above, more
    found = standing.of([NAMES[each] for each in read])
    told = {each["name"] for each in found["reasons"]}
    affected = {NAMES[each] for each in above & wrong}
    assert found["level"] == ("bad" if affected else "good")
    assert len(found["reasons"]) + found["left_out"] == len(affected)
    assert told <= affected
