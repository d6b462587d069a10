"""When a run has to begin so that no model becomes staler than its goal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.transform.graph import Graph, Node, Source
from snowmelt.transform.target_lag import (
    AT_ONCE,
    MARGIN_MAX,
    models_reached,
    read_goals,
    read_lag,
    run_due_at,
    say_lag,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TABLES = ("a", "b", "c")
SOURCES = [Source(f"source.{name}", name, "bronze", name) for name in TABLES]


def a_model(name: str, *parents: str, lag: str = "", kind: str = "model") -> Node:
    return Node(
        *(name, name, f"shop.{name}", kind, parents),
        target_lag=lag,
        path="models/m.yml",
    )


def seconds(count: float) -> timedelta:
    return timedelta(seconds=count)


@pytest.mark.parametrize(
    ("given_lag", "expected"),
    [
        ("5 minutes", timedelta(minutes=5)),
        ("1 second", seconds(1)),
        (" 90  SECONDS ", seconds(90)),
        ("2 hours", timedelta(hours=2)),
        ("365 days", timedelta(days=365)),
    ],
)
def test_a_lag_is_written_as_in_snowflake(given_lag: str, expected: timedelta) -> None:
    assert read_lag(given_lag) == expected
    assert read_lag(say_lag(expected)) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        *("5", "5m", "five minutes", "-1 minutes", "0 seconds", "366 days"),
        *("1.5 hours", "5 minutes 3 seconds", "", "999999999 days"),
        *("9999999999 days", "downstream"),
    ],
)
def test_what_is_no_lag_is_refused_with_an_example(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"'5 minutes'|at most 365 days"):
        read_lag(wrong)


def test_a_refused_lag_names_file_model_and_value() -> None:
    graph = Graph([a_model("facts", "source.a", lag="5 fortnights")], SOURCES)
    (refused,) = read_goals(graph).refused
    told = str(refused)
    assert told.startswith(
        "models/m.yml: model facts: target_lag: '5 fortnights' is no"
    )
    assert "config(meta={'target_lag': '5 minutes'})" in told
    assert read_goals(graph).needs == {"facts": AT_ONCE}, "it waits for nothing"


def test_downstream_is_the_goal_of_those_that_read_it() -> None:
    graph = Graph(
        [
            a_model("silver", "source.a", lag="DOWNSTREAM"),
            a_model("plain", "source.a"),
            a_model("hourly", "silver", "plain", lag="1 hour"),
            a_model("often", "hourly", "silver", lag="5 minutes"),
            a_model("nobody", "often", lag="downstream"),
            a_model("of_nobody", "source.b", lag="DOWNSTREAM"),
            a_model("too", "of_nobody", lag="DOWNSTREAM"),
        ],
        SOURCES,
    )
    goals = read_goals(graph)
    five = timedelta(minutes=5)
    reading = dict.fromkeys(("silver", "plain", "hourly", "often"), five)
    assert goals.needs == reading
    assert goals.own == {
        "silver": five,
        "hourly": timedelta(hours=1),
        "often": five,
    }
    told = "\n".join(goals.warnings)
    assert "hourly has target lag 1 hour, and often, which reads it, 5 minutes" in told
    for name in ("nobody", "of_nobody", "too"):
        assert f"{name} has target lag DOWNSTREAM, and nothing" in told
    assert len(goals.warnings) == 4


def test_a_reader_without_a_goal_is_made_as_soon_as_possible() -> None:
    graph = Graph(
        [
            a_model("silver", "source.a", lag="1 hour"),
            a_model("gold", "silver"),
            a_model("other", "source.b", lag="1 hour"),
        ],
        SOURCES,
    )
    goals = read_goals(graph)
    assert goals.needs == {
        "silver": AT_ONCE,
        "gold": AT_ONCE,
        "other": timedelta(hours=1),
    }
    assert "gold, which reads it, none" in goals.warnings[0]
    assert read_goals(graph, timedelta(minutes=7)).needs["silver"] == timedelta(
        minutes=7
    )


def test_a_project_without_goals_never_waits() -> None:
    graph = Graph([a_model("x", "source.a"), a_model("y", "x")], SOURCES)
    goals = read_goals(graph)
    assert not goals.may_wait
    reached = models_reached(graph, ["a"], "bronze")
    assert run_due_at({"a": NOON}, reached, goals, seconds(1)) is None


@st.composite
def lagged(draw: Any, *, all_lagged: bool = False) -> Graph:
    """Draw a project in which some models, or all that nothing reads, have a goal."""
    lags = ["10 seconds", "1 minute", "7 minutes", "2 hours", "DOWNSTREAM", ""]
    nodes: list[Node] = []
    for number in range(draw(st.integers(1, 8))):
        before = [node.id for node in nodes if node.resource_type == "model"]
        before += [source.id for source in SOURCES]
        parents = draw(
            st.lists(st.sampled_from(before), min_size=1, max_size=3, unique=True)
        )
        lag = draw(st.sampled_from(lags[:4] if all_lagged else lags))
        kind = "model" if all_lagged else draw(st.sampled_from(["model", "test"]))
        nodes.append(a_model(f"m{number}", *parents, lag=lag, kind=kind))
    return Graph(nodes, SOURCES)


news = st.dictionaries(
    st.sampled_from(TABLES),
    st.integers(0, 10_000).map(lambda back: NOON - seconds(back)),
    min_size=1,
)
run_times = st.integers(0, 600).map(seconds)


@given(lagged(), news, run_times)
def test_no_model_becomes_staler_than_it_says(
    graph: Graph, since: dict[str, datetime], run_time: timedelta
) -> None:
    """For every model and all that came: begun in time, a run ends in time."""
    reached = models_reached(graph, list(since), "bronze")
    due_at = run_due_at(since, reached, read_goals(graph), run_time)
    for node in graph.nodes.values():
        if node.resource_type != "model" or node.target_lag in ("", "DOWNSTREAM"):
            continue
        for table, came in since.items():
            if node.id in reached[table]:
                ends = (due_at or came) + run_time
                assert ends <= came + max(read_lag(node.target_lag), run_time)
    if due_at is not None:
        plain = [
            node.id
            for node in graph.nodes.values()
            if node.resource_type == "model"
            and not node.target_lag
            and not any(
                graph.nodes[each].resource_type == "model"
                for each in graph.downstream([node.id])
            )
        ]
        for table in since:
            assert reached[table].isdisjoint(plain), "they would be made at once"


@given(lagged(all_lagged=True), news, run_times)
def test_where_all_have_goals_a_run_comes_no_earlier_than_needed(
    graph: Graph, since: dict[str, datetime], run_time: timedelta
) -> None:
    reached = models_reached(graph, list(since), "bronze")
    due_at = run_due_at(since, reached, read_goals(graph), run_time)
    latest = [
        came + read_lag(graph.nodes[each].target_lag) - run_time
        for table, came in since.items()
        for each in reached[table]
    ]
    if not latest:
        assert due_at is None
    else:
        assert due_at is not None
        assert min(latest) - MARGIN_MAX <= due_at < min(latest)


@given(lagged(), st.data())
def test_what_a_model_needs_is_what_it_and_its_readers_say(
    graph: Graph, data: Any
) -> None:
    """Judged without recursion, from all that is downstream of it."""
    needs = read_goals(graph).needs
    models = {k: v for k, v in graph.nodes.items() if v.resource_type == "model"}
    own = {
        each: read_lag(node.target_lag)
        for each, node in models.items()
        if node.target_lag not in ("", "DOWNSTREAM")
    }
    for each in models:
        below = {each, *graph.downstream([each])} & models.keys()
        said = [own[other] for other in below if other in own]
        ends = [
            other
            for other in below
            if models[other].target_lag == ""
            and not any(
                {reader, *graph.downstream([reader])} & needs.keys()
                for reader in graph.downstream([other]) & models.keys()
            )
        ]
        wanted = said + [AT_ONCE for _ in ends]
        assert needs.get(each) == min(wanted, default=None)
