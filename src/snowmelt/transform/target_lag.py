"""How stale models may become, and when the next run has to come for that.

A run is whole, whatever the goals: a goal never leaves a model out, it decides when the
run comes. Decisions from the graph and from times; nothing here asks a clock.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from snowmelt.errors import ConfigError
from snowmelt.transform.graph import Graph, Node

DOWNSTREAM = "DOWNSTREAM"
AT_ONCE = timedelta()
LAG_MAX = timedelta(days=365)
MARGIN_MAX = timedelta(seconds=1)
"""What is left for waking up and for committing, at most; else a tenth of the goal."""
_LAG = re.compile(r"\s*(\d{1,9})\s+(second|minute|hour|day)s?\s*", re.IGNORECASE)
_REMEDY = "Write it like this: config(meta={'target_lag': '5 minutes'}), or DOWNSTREAM."


def read_lag(given: str) -> timedelta:
    """Read a number of seconds, minutes, hours or days. Raises ValueError."""
    found = _LAG.fullmatch(given)
    if found is None:
        raise ValueError(
            f"'{given}' is no target lag: write a number and seconds, minutes, hours "
            "or days, as in '5 minutes'"
        )
    lag = timedelta(**{f"{found[2].lower()}s": int(found[1])})
    if not AT_ONCE < lag <= LAG_MAX:
        raise ValueError(f"'{given}' is no target lag: more than 0, at most 365 days")
    return lag


@dataclass(frozen=True)
class Goals:
    """What the models of a project ask for.

    `needs`: how stale each may become, by id, as it and all that reads it ask for;
    zero is as soon as possible, and what is not in it asks for nothing. `own`: what a
    model asks for itself, DOWNSTREAM resolved. `refused`: what is no target lag.
    """

    needs: Mapping[str, timedelta] = field(default_factory=dict)
    own: Mapping[str, timedelta] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    refused: tuple[ConfigError, ...] = ()

    @property
    def may_wait(self) -> bool:
        """May a run ever wait for anything?"""
        return any(need > AT_ONCE for need in self.needs.values())


def read_goals(graph: Graph, default: timedelta | None = None) -> Goals:
    """Resolve what the models ask for; `default` is for those that nothing reads.

    A model without a goal follows those that read it, as DOWNSTREAM does; one that
    nothing reads is to be made as soon as possible. One with DOWNSTREAM that nobody
    with a goal reads asks for nothing. What a reader needs sooner counts for what it
    reads, too.
    """
    readers: dict[str, list[Node]] = defaultdict(list)
    needs: dict[str, timedelta] = {}
    own: dict[str, timedelta] = {}
    warnings: list[str] = []
    refused: list[ConfigError] = []
    for node in reversed(graph.nodes.values()):
        if node.resource_type not in ("model", "snapshot"):
            continue
        asking = [each for each in readers[node.id] if each.id in needs]
        goal = _goal(node, refused)
        if goal is None and not asking and not _follows(node):
            goal = AT_ONCE if default is None else default
        wanted = [needs[each.id] for each in asking]
        wanted += [] if goal is None else [goal]
        if wanted:
            needs[node.id] = min(wanted)
        if goal or (_follows(node) and wanted):
            own[node.id] = goal or min(wanted)
        warnings += _warnings(node, goal, asking, needs)
        for parent in node.parents:
            readers[parent].append(node)
    return Goals(needs, own, tuple(reversed(warnings)), tuple(reversed(refused)))


def _follows(node: Node) -> bool:
    return node.target_lag.strip().upper() == DOWNSTREAM


def _goal(node: Node, refused: list[ConfigError]) -> timedelta | None:
    """Return a model's own goal, if it has one that can be read."""
    if not node.target_lag or _follows(node):
        return None
    try:
        return read_lag(node.target_lag)
    except ValueError as error:
        where = f"{node.path or node.fqn}: model {node.name}: target_lag"
        refused.append(ConfigError(where, str(error), _REMEDY))
        return None


def _warnings(
    node: Node,
    goal: timedelta | None,
    asking: Sequence[Node],
    needs: Mapping[str, timedelta],
) -> list[str]:
    """Say what about a model's goal is not as it looks."""
    if _follows(node) and not asking:
        return [
            f"{node.name} has target lag DOWNSTREAM, and nothing that has a goal "
            "reads it: it is refreshed when others are, or as soon as possible"
        ]
    return _sooner(node, goal, asking, needs) if goal and node.target_lag else []


def _sooner(
    node: Node, goal: timedelta, asking: Sequence[Node], needs: Mapping[str, timedelta]
) -> list[str]:
    """Say which readers of a model need it sooner than it says."""
    return [
        f"{node.name} has target lag {node.target_lag}, and {each.name}, which reads "
        f"it, {say_lag(needs[each.id])}: the shorter counts for both"
        for each in asking
        if needs[each.id] < goal
    ]


def say_lag(lag: timedelta) -> str:
    """Write a lag as it is written in a model; nothing at all is 'none'."""
    if lag == AT_ONCE:
        return "none"
    seconds = int(lag.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
    return f"{seconds} second" if seconds == 1 else f"{seconds} seconds"


def models_reached(
    graph: Graph, tables: Sequence[str], schema: str
) -> dict[str, set[str]]:
    """Return the ids of what is downstream of each table of bronze."""
    return {
        table: graph.downstream(
            source.id for source in graph.sources_of([table], schema)
        )
        for table in tables
    }


def run_due_at(
    since: Mapping[str, datetime],
    reached: Mapping[str, set[str]],
    goals: Goals,
    run_time: timedelta,
) -> datetime | None:
    """Return when a run has to begin, or None for as soon as possible.

    `since`: when the first load of each table came that is not published; `reached`:
    what is downstream of it; `run_time`: how long runs take. A run that begins then
    ends before the first model is staler than it may be. Where news reach nothing that
    asks for anything, nothing says how long they may wait: then it is at once.
    """
    instants = []
    for table, came in since.items():
        needs = [goals.needs[each] for each in reached[table] if each in goals.needs]
        if needs:
            need = min(needs)
            if need == AT_ONCE:
                return None
            instants.append(came + need - run_time - min(MARGIN_MAX, need / 10))
    return min(instants, default=None)
