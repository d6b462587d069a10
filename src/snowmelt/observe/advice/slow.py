"""What takes most of a run, and what takes longer as the data grows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import StatisticsError, correlation, linear_regression, median

from snowmelt.observe.advice.evidence import Evidence, Execution
from snowmelt.observe.advice.limits import Limits
from snowmelt.observe.advice.piece import Advice, percent, times_of
from snowmelt.observe.advice.remedies import make_by_key
from snowmelt.transform.graph import Node

_FOLLOWS = 0.7
"""From which exponent on a time follows the rows, and does not merely grow."""


def slow_nodes(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name the models and tests that a run spends most of its time on."""
    for node, executions in evidence.timed():
        times = times_of(evidence, executions)
        if (
            len(executions) < limits.runs_min
            or times.middle < limits.seconds_min
            or times.share < limits.share_min
        ):
            continue
        since, until = evidence.span(executions)
        remedy = make_by_key(evidence, node)
        yield Advice(
            "slow",
            node.name,
            node.resource_type,
            f"{times.middle:.2f} s a run in the middle, {times.p95:.2f} s in the "
            f"slowest twentieth: {percent(times.share)} of a run's time",
            times.middle,
            len(executions),
            since,
            until,
            remedy.advice
            or f"look at its statements: snowmelt log --object {node.name}, and "
            "snowmelt.query_history",
            remedy.file,
            remedy.change,
            times.figures | {"form": executions[-1].form or "dbt"},
        )


def growing_nodes(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name what takes longer the more rows there are upstream of it.

    The first and the last third of its runs are compared, and a line is laid through
    all of them.
    """
    for node, executions in evidence.timed():
        pairs = [
            (rows, each.seconds)
            for each in executions
            if (rows := evidence.rows_read.get((each.run_id, node.name)))
        ]
        if len(pairs) < limits.growth_runs_min:
            continue
        growth = _growth(pairs)
        if growth is not None and _is_worth_it(growth, limits):
            yield _told(evidence, node, executions, growth)


class _Growth:
    """The thirds and the line of a node's times."""

    def __init__(
        self, first: tuple[float, float], last: tuple[float, float], slope: float
    ) -> None:
        self.rows, self.seconds = (first[0], last[0]), (first[1], last[1])
        self.slope = slope
        self.fit = 0.0

    @property
    def exponent(self) -> float:
        """1 for a time that doubles when the rows do."""
        more_rows = math.log(self.rows[1] / self.rows[0])
        return math.log(self.seconds[1] / self.seconds[0]) / more_rows


def _growth(pairs: Sequence[tuple[int, float]]) -> _Growth | None:
    third = len(pairs) // 3
    first, last = (
        (median(rows for rows, _ in part), median(seconds for _, seconds in part))
        for part in (pairs[:third], pairs[-third:])
    )
    rows, seconds = zip(*pairs, strict=True)
    try:
        line = linear_regression(rows, seconds)
        fit = correlation(rows, seconds)
    except StatisticsError:  # all rows, or all times, are the same
        return None
    growth = _Growth(first, last, line.slope)
    growth.fit = fit * fit if fit > 0 else 0.0
    return growth


def _is_worth_it(growth: _Growth, limits: Limits) -> bool:
    return (
        growth.seconds[0] > 0
        and growth.seconds[1] >= limits.seconds_min
        and growth.rows[1] >= limits.growth_rows_min * growth.rows[0]
        and growth.seconds[1] >= limits.growth_seconds_min * growth.seconds[0]
        and growth.fit >= limits.growth_fit_min
    )


def _told(
    evidence: Evidence, node: Node, executions: Sequence[Execution], growth: _Growth
) -> Advice:
    since, until = evidence.span(executions)
    remedy = make_by_key(evidence, node)
    follows = growth.exponent >= _FOLLOWS
    how = "doubles when the rows do" if follows else "grows with the rows"
    return Advice(
        "grows",
        node.name,
        node.resource_type,
        f"its time {how}: {growth.seconds[0]:.2f} s at {growth.rows[0]:,.0f} rows "
        f"upstream, {growth.seconds[1]:.2f} s at {growth.rows[1]:,.0f}; "
        f"{growth.slope * 1e6:.2f} s for each further million (r² {growth.fit:.2f})",
        growth.seconds[1],
        len(executions),
        since,
        until,
        remedy.advice or "what it reads is read whole each time",
        remedy.file,
        remedy.change,
        {
            "first_third_seconds": round(growth.seconds[0], 4),
            "last_third_seconds": round(growth.seconds[1], 4),
            "first_third_rows": int(growth.rows[0]),
            "last_third_rows": int(growth.rows[1]),
            "seconds_per_million_rows": round(growth.slope * 1e6, 4),
            "exponent": round(growth.exponent, 3),
            "r_squared": round(growth.fit, 3),
        },
    )
