"""What two graphs of an account share: the streams that their conditions ask."""

from __future__ import annotations

from snowmelt.deploy.snowflake.places import Findings
from snowmelt.transform.tasks.condition import parse_condition, streams_in
from snowmelt.transform.tasks.graph import TaskGraph


def note_shared(graph: TaskGraph | None, publishing: str, findings: Findings) -> None:
    """Say what a graph shares with the task that builds by itself what arrives.

    A stream has one offset: who reads it first is told, the other one is not.
    """
    for name, task in graph.tasks.items() if graph is not None else ():
        if task.when is not None and streams_in(parse_condition(task.when)):
            told = (
                f"{publishing.upper()} reads the same stream: rows that it builds "
                "first are not told here"
            )
            findings.remark(findings.settings("tasks", name, "when"), told)
