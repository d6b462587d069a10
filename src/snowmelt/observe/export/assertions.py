"""Tests of a run as OpenLineage's assertions about the relations that they test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from openlineage.client.facet_v2 import data_quality_assertions_dataset as quality

from snowmelt.observe.export.told import NodeEnded, RunEnded
from snowmelt.transform.graph import Node


@dataclass
class Tested:
    """The tests of one relation, in one run."""

    facet: quality.DataQualityAssertionsDatasetFacet
    started_at: datetime
    ended_at: datetime
    failed: bool = False


def assertions_by_relation(
    ended: RunEnded, by_name: Mapping[str, Node]
) -> dict[str, Tested]:
    """Return what was asserted of each relation (schema.name).

    A test of no single model asserts something of the first that it reads.
    """
    keys = {node.id: node.key for node in by_name.values() if node.relation}
    found: dict[str, Tested] = {}
    for each in ended.nodes:
        test = by_name.get(each.outcome.node)
        if test is None or not test.is_test or each.outcome.status == "skipped":
            continue
        about = (test.test or {}).get("of")
        key = next((keys[each] for each in (about, *test.parents) if each in keys), "")
        if not key:
            continue
        tested = found.get(key)
        if tested is None:
            facet = quality.DataQualityAssertionsDatasetFacet(assertions=[])
            tested = found[key] = Tested(facet, each.started_at, each.ended_at)
        tested.facet.assertions.append(_assertion(each, test))
        tested.started_at = min(tested.started_at, each.started_at)
        tested.ended_at = max(tested.ended_at, each.ended_at)
        tested.failed |= each.outcome.failed
    return found


def _assertion(ended: NodeEnded, test: Node) -> quality.Assertion:
    about = test.test or {}
    column = about.get("arguments", {}).get("column_name")
    failures = ended.outcome.failures
    return quality.Assertion(
        assertion=about.get("kind") or test.name,
        success=ended.outcome.status == "pass",
        column=str(column) if column else None,
        severity=str(about.get("severity", "error")).lower(),
        name=test.name,
        expected="0",
        actual=None if failures is None else str(failures),
    )
