"""Causes in tasks: one that is suspended, one whose newest run failed."""

from __future__ import annotations

from snowmelt.observe.alerts.around import LOOKED_AT_MAX, Around
from snowmelt.observe.alerts.cause import Cause, Evidence
from snowmelt.observe.alerts.rules import Rule
from snowmelt.warehouse.port import Session

_SUSPENDED = """
    select name, changed_at, reason, changed_by from snowmelt.task_states
    qualify row_number() over (partition by name order by changed_at desc) = 1
        and state = 'suspended'
    order by name limit $1
"""
_FAILED = """
    select name, completed_time, error_message from (
        select * from snowmelt.task_runs
        where state in ('SUCCEEDED', 'FAILED', 'FAILED_AND_AUTO_SUSPENDED')
        qualify row_number() over (partition by name order by completed_time desc) = 1
    )
    where state <> 'SUCCEEDED' order by name limit $1
"""


def find_suspended(
    session: Session, _: Rule, __: Around, ___: frozenset[str]
) -> list[Cause]:
    """Return the tasks that are suspended, by whom and why."""
    return [
        Cause(
            key=task,
            summary=f"task {task} is suspended by {by}",
            since=at,
            command=f"snowmelt tasks resume {task}",
            ended=f"task {task} is not suspended any more",
            evidence=(Evidence(task, reason),) if reason else (),
        )
        for task, at, reason, by in session.rows(_SUSPENDED, [LOOKED_AT_MAX])
    ]


def find_failed_task(
    session: Session, _: Rule, __: Around, ___: frozenset[str]
) -> list[Cause]:
    """Return the tasks whose newest run that ended failed."""
    return [
        Cause(
            key=name,
            summary=f"task {name} failed",
            since=failed_at,
            command=f"snowmelt tasks history --task {name}",
            ended=f"the newest run of task {name} did not fail",
            evidence=(Evidence(name, problem),) if problem else (),
        )
        for name, failed_at, problem in session.rows(_FAILED, [LOOKED_AT_MAX])
    ]
