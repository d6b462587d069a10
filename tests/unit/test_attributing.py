"""What an hour of a warehouse is shared into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowmelt.deploy.harvest.attributing import Hour, Use, attribute, credits_per_hour

START = datetime(2026, 6, 1, tzinfo=UTC)
SIZES = ("X-Small", "Small", "2X-Large", "", "Adaptive")


def hour(number: int, credits: float, size: str = "X-Small") -> Hour:
    start = START + timedelta(hours=number)
    return Hour("WH", start, start + timedelta(hours=1), credits, size)


def use(number: int, node: str | None, seconds: float) -> Use:
    return Use("WH", node, START + timedelta(hours=number), seconds, 1, 0)


@given(
    hours=st.dictionaries(
        st.integers(0, 5), st.tuples(st.floats(0, 40), st.sampled_from(SIZES))
    ),
    uses=st.lists(
        st.tuples(
            st.integers(0, 5),
            st.sampled_from(["model.a.b", "test.a.c", None]),
            st.floats(0, 9000),
        ),
        max_size=12,
    ),
)
def test_what_is_shared_is_what_was_billed(
    hours: dict[int, tuple[float, str]], uses: list[tuple[int, str | None, float]]
) -> None:
    billed = [hour(number, *given) for number, given in hours.items()]
    shares = attribute(billed, [use(*each) for each in uses])
    total = sum(each.credits for each in billed)
    assert sum(each.credits for each in shares) == pytest.approx(total, abs=1e-9)
    assert all(each.credits >= -1e-12 for each in shares)
    seconds = sum(given for number, _, given in uses if number in hours)
    assert sum(each.seconds for each in shares) == pytest.approx(seconds)


def test_a_minute_of_a_minute_that_was_billed_is_all_of_it() -> None:
    [model, idle] = attribute([hour(0, 1 / 60)], [use(0, "model.a.b", 60.0)])
    assert model.credits == pytest.approx(1 / 60)
    assert idle.credits == pytest.approx(0)


def test_waiting_is_idle_and_sleeping_is_nothing() -> None:
    shares = attribute([hour(0, 0.5)], [use(0, "model.a.b", 900.0)])
    assert {each.node: each.credits for each in shares} == {
        "model.a.b": pytest.approx(0.25),
        None: pytest.approx(0.25),
    }


def test_statements_side_by_side_share_what_there_is() -> None:
    uses = [use(0, "model.a.b", 3600.0), use(0, "model.a.c", 1200.0)]
    by_node = {each.node: each.credits for each in attribute([hour(0, 1.0)], uses)}
    assert by_node == {
        "model.a.b": pytest.approx(0.75),
        "model.a.c": pytest.approx(0.25),
        None: pytest.approx(0),
    }


@pytest.mark.parametrize(
    ("size", "credits"),
    [("X-Small", 1), ("XSMALL", 1), ("Medium", 4), ("2X-Large", 32), ("6X-Large", 512)],
)
def test_sizes_are_told_in_either_spelling(size: str, credits: float) -> None:
    assert credits_per_hour(size) == credits
