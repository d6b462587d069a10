"""Rows and events of tasks: what is put on record of a graph run, and told of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from snowmelt.clock import uuid7
from snowmelt.events import TaskFinished, TaskStarted
from snowmelt.service.tasks.live_run import LiveRun
from snowmelt.transform.tasks.attempt import TaskState
from snowmelt.transform.tasks.graph import TaskGraph
from snowmelt.transform.tasks.ledger import GraphRun, TaskRun, config_text


def record_of(
    graph: TaskGraph, group_id: str, version: int, scheduled_from: str, at: datetime
) -> GraphRun:
    """Return the record of a first attempt that begins now."""
    return GraphRun(
        graph_run_group_id=group_id,
        attempt_number=1,
        root_name=graph.root,
        graph_version=version,
        state=TaskState.EXECUTING,
        scheduled_from=scheduled_from,
        scheduled_time=at,
        started_at=at,
        config=config_text(graph.root_task.config),
        read_through=0,
    )


def say_timeout(limit: timedelta, told: str) -> str:
    said = f" It had said: {told}" if told else ""
    return (
        f"the task reached its timeout of {limit.total_seconds():g} s "
        f"and was cancelled.{said}"
    )


def started_event(row: TaskRun) -> TaskStarted:
    assert row.query_start_time is not None
    return TaskStarted(
        row.name,
        row.kind,
        row.graph_run_group_id,
        row.attempt_number,
        row.scheduled_from,
        row.scheduled_time,
        row.query_start_time,
    )


def finished_event(row: TaskRun) -> TaskFinished:
    assert row.completed_time is not None
    return TaskFinished(
        row.name,
        row.kind,
        row.state.value,
        row.graph_run_group_id,
        row.attempt_number,
        row.scheduled_from,
        row.scheduled_time,
        row.query_start_time or row.completed_time,
        row.completed_time,
        row.error_message,
        row.run_id,
    )


def first_row(run: LiveRun, name: str, now: datetime) -> TaskRun:
    """Return the row of a task as it begins in an attempt, or is skipped."""
    task, record = run.graph.tasks[name], run.record
    is_root = name == run.graph.root
    timetable = run.graph.timetable if is_root else None
    return TaskRun(
        task_run_id=uuid7(now),
        graph_run_group_id=record.graph_run_group_id,
        attempt_number=record.attempt_number,
        name=name,
        root_name=run.graph.root,
        kind=task.kinds[0],
        query_text=task.text,
        condition_text=task.when,
        state=TaskState.SCHEDULED,
        scheduled_time=(
            record.scheduled_time if is_root else run.waits_since.get(name, now)
        ),
        graph_version=record.graph_version,
        graph_scheduled_time=record.scheduled_time,
        scheduled_from=record.scheduled_from,
        config=record.config,
        next_scheduled_time=timetable.next_after(now) if timetable else None,
    )


def planned_row(graph: TaskGraph, version: int, at: datetime, now: datetime) -> TaskRun:
    """Return the row of a root that is scheduled."""
    task = graph.root_task
    return TaskRun(
        task_run_id=uuid7(now),
        graph_run_group_id=uuid7(now),
        attempt_number=1,
        name=graph.root,
        root_name=graph.root,
        kind=task.kinds[0],
        query_text=task.text,
        condition_text=task.when,
        state=TaskState.SCHEDULED,
        scheduled_time=at,
        graph_version=version,
        graph_scheduled_time=at,
        scheduled_from="SCHEDULE",
        config=config_text(task.config),
    )
