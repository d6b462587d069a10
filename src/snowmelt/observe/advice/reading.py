"""What models read: keys in whole tables, the same view many times; who reads them."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from snowmelt.observe.advice.evidence import Evidence, KeySearch
from snowmelt.observe.advice.limits import Limits
from snowmelt.observe.advice.piece import Advice, listed, percent, times_of
from snowmelt.transform.graph import Node


def key_searches(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name affected_keys models that read most of their table to write little of it.

    Only where an order by the key would help: where a run touches fewer keys than the
    table has row groups.
    """
    for search in evidence.searches:
        node = evidence.by_name.get(search.node)
        if node is None or not _is_too_wide(evidence, search, node, limits):
            continue
        times = evidence.times(node.name)
        since, until = evidence.span(times)
        yield Advice(
            "searches_table",
            node.name,
            node.resource_type,
            f"a run writes {search.written:,.0f} of its {search.rows:,} rows "
            f"({percent(search.written / search.rows)}), and looks for their keys in "
            f"{percent(search.overlap)} of {search.row_groups} row groups: "
            f"{search.seconds:.2f} s",
            search.seconds,
            search.runs,
            since,
            until,
            "write the table in the order of the key when it is built from nothing "
            "(then: snowmelt rebuild), so that row groups without it are passed over",
            evidence.file_of(node),
            f"cluster_by={listed(node.affected_by)}",
            {
                "rows": search.rows,
                "rows_written": search.written,
                "keys": search.keys,
                "row_groups": search.row_groups,
                "overlap": round(search.overlap, 3),
                "search_seconds": round(search.seconds, 4),
            },
        )


def _is_too_wide(
    evidence: Evidence, search: KeySearch, node: Node, limits: Limits
) -> bool:
    place = evidence.places.get(node.id)
    return (
        (place is None or not place.cluster_by)
        and len(evidence.times(node.name)) >= limits.runs_min
        and search.runs >= limits.runs_min
        and search.rows >= limits.scan_rows_min
        and search.written <= limits.scan_written_max * search.rows
        and search.overlap >= limits.scan_overlap_min
        and search.keys <= limits.scan_overlap_min * search.row_groups
        and search.seconds >= limits.seconds_min
    )


def busy_views(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name views that so many models and tests of a run read that a table is cheaper.

    Each reader has the view's query carried out again.
    """
    for view in evidence.graph.nodes.values():
        if view.materialized != "view" or view.resource_type != "model":
            continue
        read = {
            node.name: times
            for node, times in evidence.timed()
            if view.id in node.parents and len(times) >= limits.runs_min
        }
        if len(read) < limits.view_readers_min:
            continue
        seconds = sum(median(each.seconds for each in times) for times in read.values())
        if seconds < limits.seconds_min * len(read):
            continue
        longest = max(read.values(), key=len)
        since, until = evidence.span(longest)
        share = sum(evidence.share(times) for times in read.values())
        yield Advice(
            "view_read_often",
            view.name,
            view.resource_type,
            f"{len(read)} models and tests of a run read this view, {seconds:.2f} s "
            f"together ({percent(share)} of a run's time): {', '.join(sorted(read))}",
            seconds,
            len(longest),
            since,
            until,
            "make it once in a run, as a table",
            evidence.file_of(view),
            "{{ config(materialized='table') }}",
            {
                "readers": len(read),
                "readers_seconds": round(seconds, 4),
                "share": round(share, 4),
            },
        )


def unread_models(evidence: Evidence, limits: Limits) -> Iterator[Advice]:
    """Name models that no model, dashboard or exposure reads, and what they cost.

    Nothing is said in a project that has neither dashboards nor exposures: who reads
    is not known there.
    """
    if evidence.read_by is None:
        return
    by_models = {
        parent
        for node in evidence.graph.nodes.values()
        if node.resource_type not in ("test", "unit_test")
        for parent in node.parents
    }
    for node, executions in evidence.timed():
        times = times_of(evidence, executions)
        if (
            node.resource_type != "model"
            or node.id in by_models
            or evidence.read_by.get(node.name)
            or len(executions) < limits.runs_min
            or times.middle < limits.seconds_min
            or times.share < limits.unread_share_min
        ):
            continue
        since, until = evidence.span(executions)
        yield Advice(
            "read_by_nobody",
            node.name,
            node.resource_type,
            f"no model, dashboard or exposure reads it; it takes "
            f"{times.middle:.2f} s of a run, {percent(times.share)} of its time",
            times.middle,
            len(executions),
            since,
            until,
            "leave it out, or say who reads it with an exposure",
            evidence.file_of(node),
            "{{ config(enabled=false) }}",
            times.figures,
        )
