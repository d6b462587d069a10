"""How every check ended when it was asked last, whichever run that was.

A run asks what its changes touch. What another check found holds until it is asked
again, or is gone from the project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from snowmelt.serve.commands import Document
from snowmelt.transform.graph import Graph
from snowmelt.transform.node_result import CHECKS
from snowmelt.warehouse.port import Session

RUNS_LOOKED_AT = 60
"""Since when a test fails is known as far back as these runs."""
BAD = ("fail", "error", "runtime error")
_RUNS = """
    select run_id, started_at from snowmelt.run_history
    where state <> 'EXECUTING' order by started_at desc limit $1
"""
_RESULTS = """
    with results as (
        select node, resource_type, run_id, status, failures, message, seconds
        from snowmelt.node_history
        where run_id >= $1
            and resource_type in (select unnest($2::json::varchar[]))
            and status <> 'skipped'
    ),

    newest as (
        select
            node,
            any_value(resource_type) as resource_type,
            max(run_id) as run_id,
            max(run_id) filter (status = 'pass') as passed
        from results group by node
    )

    select
        newest.node,
        newest.resource_type,
        {
            'run_id': results.run_id, 'status': status, 'failures': failures,
            'message': message, 'seconds': seconds
        },
        passed
    from newest join results
        on results.node = newest.node and results.run_id = newest.run_id
"""
_MADE = """
    select node, max(run_id) from snowmelt.node_history
    where run_id >= $1 and status = 'success'
        and resource_type not in (select unnest($2::json::varchar[]))
    group by node
"""


@dataclass(frozen=True)
class CheckResult:
    """How a check ended in the newest runs. `bad_since`: without a pass since then."""

    name: str
    resource_type: str
    newest: dict[str, Any]
    passed: str | None
    bad_since: str | None = None
    run_ids: Sequence[str] = ()
    statuses: Sequence[str] = ()


def last_results(
    session: Session, graph: Graph
) -> tuple[dict[str, Any], dict[str, CheckResult]]:
    """Return when the newest runs began, and how each check ended last in them."""
    started: dict[str, Any] = dict(session.rows(_RUNS, [RUNS_LOOKED_AT]))
    if not started:
        return {}, {}
    given = [min(started), list(CHECKS)]
    made: dict[str, str] = dict(session.rows(_MADE, given))
    found = [CheckResult(*row) for row in session.rows(_RESULTS, given)]
    names = {each.name for each in graph.nodes.values()}
    return started, {
        each.name: each
        for each in found
        if not names or _still_holds(each, names, made)
    }


def standing_checks(session: Session, graph: Graph) -> list[Document]:
    """Return the checks that did not pass when they were asked last, failures first.

    An odd size is that of the loads of one run, and is told of with that.
    """
    started, results = last_results(session, graph)
    last = max(started, default="")
    found = [
        each.newest | {"node": each.name, "resource_type": each.resource_type}
        for each in results.values()
        if each.newest["status"] in (*BAD, "warn")
        and (each.resource_type != "volume" or each.newest["run_id"] == last)
    ]
    return sorted(found, key=lambda each: (each["status"] == "warn", each["node"]))


def finding_of(ended: Mapping[str, Any]) -> str:
    """Say what a check found; of dbt's tests how many rows, without its own words."""
    message, rows = str(ended["message"] or ""), ended["failures"]
    if rows and (not message or message.startswith("Got ")):
        return "1 row" if rows == 1 else f"{rows:,} rows"
    return message or str(ended["status"])


def _still_holds(result: CheckResult, names: set[str], made: Mapping[str, str]) -> bool:
    """Is a check still in the project? A gate has no result where it finds nothing."""
    if result.resource_type == "test":
        return result.name in names
    if result.resource_type == "volume":
        return True
    model = result.name
    if result.resource_type == "rule":
        model = model.split(".", 1)[0]
    return model in names and made.get(model, "") <= result.newest["run_id"]
