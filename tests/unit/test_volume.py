"""Which load is unusual: a decision from the sizes of those before it."""

from __future__ import annotations

import pytest

from snowmelt.gold.volume import is_unusual

STEADY = [100, 101, 99, 100, 102, 98, 100, 100]
CASES = [
    ("like the others", 101, STEADY, False),
    ("more, within the factor", 290, STEADY, False),
    ("more than the factor", 301, STEADY, True),
    ("fewer, within the factor", 34, STEADY, False),
    ("fewer than the factor", 33, STEADY, True),
    ("none", 0, STEADY, True),
    ("too few are known", 1000, STEADY[:7], False),
    ("sizes that vary anyway", 400, [10, 500, 90, 20, 300, 60, 120, 45], False),
    ("one odd load before it changes nothing", 301, [*STEADY, 100_000], True),
    ("always one size", 31, [10] * 8, True),
    ("always one size, a little more", 29, [10] * 8, False),
    ("always empty", 1, [0] * 8, True),
    ("still empty", 0, [0] * 8, False),
]


@pytest.mark.parametrize(
    ("row_count", "recent", "told"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_what_is_unusual(row_count: int, recent: list[int], told: bool) -> None:
    assert is_unusual(row_count, recent, factor=3, loads_min=8) is told
    assert not is_unusual(row_count, recent, factor=0, loads_min=8)
