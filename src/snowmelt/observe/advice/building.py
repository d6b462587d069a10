"""Runs that had to ask dbt, and models that started from nothing, again and again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from statistics import median

from snowmelt.observe.advice.evidence import Evidence, Run
from snowmelt.observe.advice.limits import Limits
from snowmelt.observe.advice.piece import Advice, percent
from snowmelt.transform.graph import Node

_EXPECTED = re.compile(
    r"^(first run|rebuild|the dbt project changed|no recording|.* is not recorded yet"
    r"|the columns of a table changed|corrections refresh )"
)
"""Reasons that pass by themselves, or of which `refreshed_models` tells."""
_NUMBER = re.compile(r"\d+")
_OF_NODE = re.compile(r"^(\w+): (.*)$")
_STALE = re.compile(r"^a stream of (\w+)\.(\w+) is stale$")


def fallbacks(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name what lets runs ask dbt, which takes seconds, and why."""
    usual = evidence.usual
    if len(usual) < limits.runs_min:
        return
    by_reason: dict[str, list[Run]] = defaultdict(list)
    for run in usual:
        reason = run.fallback_reason or ""
        if run.way == "dbt" and reason and not _EXPECTED.match(reason):
            by_reason[_NUMBER.sub("#", reason)].append(run)
    replayed = [run.seconds for run in usual if run.way == "replay"]
    for runs in by_reason.values():
        share = len(runs) / len(usual)
        if len(runs) < 2 or share < limits.fallbacks_share_min:
            continue
        yield _fallback(evidence, runs, share, replayed)


def _fallback(
    evidence: Evidence, runs: Sequence[Run], share: float, replayed: Sequence[float]
) -> Advice:
    reason = runs[-1].fallback_reason or ""
    node = _node_of(evidence, reason)
    by_dbt = median(run.seconds for run in runs)
    beside = f", {median(replayed):.2f} s without it" if replayed else ""
    saved = max(by_dbt - median(replayed), 0.0) if replayed else by_dbt
    return Advice(
        "asks_dbt",
        node.name if node else "every run",
        node.resource_type if node else "run",
        f"{len(runs)} of {len(evidence.usual)} runs ({percent(share)}) asked dbt: "
        f"{reason}. Such a run takes {by_dbt:.2f} s in the middle{beside}",
        saved * share,
        len(evidence.usual),
        evidence.usual[0].started_at,
        evidence.usual[-1].started_at,
        "write it without what has to be asked while it is compiled; a run then sends "
        "what dbt sent before"
        if node
        else 'find out why with: snowmelt sql "select fallback_reason, started_at '
        'from snowmelt.run_history order by started_at desc"',
        evidence.file_of(node) if node else "",
        figures={
            "fallbacks": len(runs),
            "share": round(share, 4),
            "dbt_seconds": round(by_dbt, 3),
            "reason": reason,
        },
    )


def _node_of(evidence: Evidence, reason: str) -> Node | None:
    found = _OF_NODE.match(reason)
    name = found[1] if found else ""
    if stale := _STALE.match(reason):
        name = stale[2]
    return evidence.by_name.get(name)


def refreshed_models(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name incremental models that corrections let start from nothing."""
    usual = evidence.usual
    if len(usual) < limits.runs_min:
        return
    by_model: dict[str, list[Run]] = defaultdict(list)
    for run in usual:
        for name in run.full_refresh:
            by_model[name].append(run)
    for name, runs in by_model.items():
        node = evidence.by_name.get(name)
        share = len(runs) / len(usual)
        if (
            node is None
            or len(runs) < limits.refreshes_min
            or share < limits.refreshes_share_min
        ):
            continue
        yield _refreshed(evidence, node, runs, share)


def _refreshed(
    evidence: Evidence, node: Node, runs: Sequence[Run], share: float
) -> Advice:
    usual = evidence.usual
    ids = {run.run_id for run in runs}
    seconds = [each.seconds for each in evidence.of(node.name) if each.run_id in ids]
    middle = median(seconds) if seconds else 0.0
    keys = ", ".join(f"'{each}'" for each in node.unique_key) or "'…'"
    told = keys if len(node.unique_key) < 2 else f"[{keys}]"
    return Advice(
        "refreshed",
        node.name,
        node.resource_type,
        f"it started from nothing in {len(runs)} of {len(usual)} runs "
        f"({percent(share)}), {middle:.2f} s each: {runs[-1].reason}; an incremental "
        "model is blind to rows that leave what it reads",
        middle * share,
        len(usual),
        usual[0].started_at,
        usual[-1].started_at,
        "read its parent through a stream, which tells of rows that went, and make the "
        "keys again that they touch",
        evidence.file_of(node),
        f"{{{{ config(materialized='affected_keys', unique_key={told}) }}}}",
        {
            "refreshes": len(runs),
            "share": round(share, 4),
            "median_seconds": round(middle, 4),
        },
    )
