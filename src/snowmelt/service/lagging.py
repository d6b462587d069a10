"""How stale models are and may become, as a document."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from snowmelt.errors import ConfigError
from snowmelt.gold.lag import (
    TableLag,
    longest_run,
    published_lags,
    unpublished_since,
)
from snowmelt.serve.commands import Document
from snowmelt.service.documents import plain
from snowmelt.service.loop import Loop
from snowmelt.transform.graph import Graph
from snowmelt.transform.project_digest import project_digest
from snowmelt.transform.target_lag import (
    Goals,
    models_reached,
    read_goals,
    say_lag,
)


def lag_document(loop: Loop) -> Document:
    """Return each model's goal, its lag now, and how often it met its goal.

    Nothing of models while dbt has not read this state of the project.
    """
    parts = loop.parts
    now, digest = parts.clock.now(), project_digest(parts.project.root)
    known = loop.run_timing.goals(digest)
    if known is None:
        return {"next_run_at": None, "run_seconds": None, "models": [], "warnings": []}
    graph, goals = known
    with parts.warehouse.snapshot() as session:
        waiting = unpublished_since(session, digest) or {}
        was = published_lags(session)
        run_time = longest_run(session)
    tables = sorted({*waiting, *(each.table for each in was)})
    reached = models_reached(graph, tables, parts.project.settings.layers.bronze)
    lags = _lags_of_runs(was, reached, goals)
    with loop.lock:
        due_at = loop.run_due_at(now)
    return {
        "next_run_at": plain(due_at),
        "run_seconds": round(run_time.total_seconds(), 3),
        "models": [
            {
                "model": node.key,
                "target_lag": _written(node.target_lag, goals.own.get(node.id)),
                "target_lag_seconds": _seconds(goals.own.get(node.id)),
                "lag_seconds": _seconds(_lag(node.id, waiting, reached, now)),
                **_met(goals.own.get(node.id), lags[node.id]),
            }
            for node in graph.nodes.values()
            if node.resource_type == "model"
        ],
        "warnings": [
            *(str(each) for each in goals.refused),
            *goals.warnings,
            *_too_short(graph, goals, run_time),
        ],
    }


def longest_goal(loop: Loop) -> timedelta:
    """Return how long rows may wait at most by the goals of the models."""
    known = loop.run_timing.goals(project_digest(loop.parts.project.root))
    needs = known[1].needs.values() if known else ()
    return max(needs, default=timedelta())


def check_goals(graph: Graph, default: timedelta | None) -> list[str]:
    """Return what is odd about the goals of a project.

    Raises ConfigError for the first that is none, naming file and model.
    """
    goals = read_goals(graph, default)
    if goals.refused:
        first, others = goals.refused[0], len(goals.refused) - 1
        more = f" ({others} more like it)" if others else ""
        raise ConfigError(first.where, first.problem + more, first.remedy)
    return list(goals.warnings)


def _lags_of_runs(
    was: Sequence[TableLag], reached: Mapping[str, set[str]], goals: Goals
) -> Mapping[str, dict[str, timedelta]]:
    """Return how stale each model with a goal was, by the run that ended it."""
    lags: dict[str, dict[str, timedelta]] = defaultdict(dict)
    for each in was:
        for model in reached[each.table] & goals.own.keys():
            known = lags[model].get(each.run_id, each.lag)
            lags[model][each.run_id] = max(known, each.lag)
    return lags


def _met(goal: timedelta | None, lags: Mapping[str, timedelta]) -> dict[str, Any]:
    if goal is None:
        return {"runs": None, "runs_within": None}
    within = sum(lag <= goal for lag in lags.values())
    return {"runs": len(lags), "runs_within": within}


def _lag(
    model: str,
    waiting: Mapping[str, datetime],
    reached: Mapping[str, set[str]],
    now: datetime,
) -> timedelta:
    """Return for how long something has waited that the model does not show."""
    came = [since for table, since in waiting.items() if model in reached[table]]
    return max(now - min(came, default=now), timedelta())


def _too_short(graph: Graph, goals: Goals, run_time: timedelta) -> list[str]:
    """Name the models whose goals are shorter than runs take."""
    short = [
        graph.nodes[each].name for each, goal in goals.own.items() if goal < run_time
    ]
    if not short:
        return []
    return [
        f"runs take up to {run_time.total_seconds():.1f} s, longer than the target lag "
        f"of {', '.join(sorted(short))}: they begin at once, and that is not enough"
    ]


def _written(given: str, goal: timedelta | None) -> str | None:
    """Return a goal as it is written in the model; the project's own as we write it."""
    return given or (say_lag(goal) if goal else None)


def _seconds(lag: timedelta | None) -> float | None:
    return None if lag is None else round(lag.total_seconds(), 3)
