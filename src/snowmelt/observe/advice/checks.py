"""Tests that cost more than they find, or look at more than they have to."""

from __future__ import annotations

from collections.abc import Iterator

from snowmelt.observe.advice.evidence import Evidence
from snowmelt.observe.advice.limits import Limits
from snowmelt.observe.advice.piece import Advice, percent, times_of
from snowmelt.observe.advice.remedies import look_at_changes

WHOLE_FORMS = (None, "dbt", "replayed")


def whole_table_tests(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name tests that look at whole tables in each run, and need not."""
    for node, executions in evidence.timed():
        times = times_of(evidence, executions)
        if (
            not node.is_test
            or executions[-1].form != "replayed"
            or len(executions) < limits.runs_min
            or times.middle < limits.seconds_min
        ):
            continue
        remedy = look_at_changes(evidence, node)
        if not remedy.change:
            continue
        since, until = evidence.span(executions)
        yield Advice(
            "whole_table_test",
            node.name,
            node.resource_type,
            f"it looked at the whole table in each of {len(executions)} runs: "
            f"{times.middle:.2f} s in the middle, {percent(times.share)} of a run's "
            "time",
            times.middle,
            len(executions),
            since,
            until,
            remedy.advice,
            remedy.file,
            remedy.change,
            times.figures,
        )


def idle_tests(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name tests that cost much and never found anything.

    Only those that have no cheaper form: of the others `whole_table_tests` tells.
    """
    for node, executions in evidence.timed():
        if not node.is_test or executions[-1].form not in WHOLE_FORMS:
            continue
        ever = [each for each in evidence.of(node.name) if each.status != "skipped"]
        times = times_of(evidence, executions)
        if (
            len(ever) < limits.idle_test_runs_min
            or any(each.status != "pass" for each in ever)
            or times.middle < limits.seconds_min
            or times.share < limits.idle_test_share_min
            or look_at_changes(evidence, node).change
        ):
            continue
        total = sum(each.seconds for each in ever)
        since, until = evidence.span(ever)
        yield Advice(
            "idle_test",
            node.name,
            node.resource_type,
            f"{total:.0f} s in {len(ever)} runs, and it never found a row; "
            f"{times.middle:.2f} s a run, {percent(times.share)} of a run's time",
            times.middle,
            len(ever),
            since,
            until,
            "leave it to dbt build by hand or in CI, if a run need not wait for it; "
            "`severity: warn` would not make it cheaper",
            evidence.properties_of(node),
            "config: {enabled: \"{{ target.name != 'local' }}\"}",
            times.figures | {"total_seconds": round(total, 3), "failures": 0},
        )
