"""Events as rows of the log: which table, and what its columns say."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from snowmelt.events import (
    ActionEnded,
    BatchIncomplete,
    ContentRepeated,
    CopyFinished,
    Event,
    FileSettled,
    FilesFound,
    FreshnessChanged,
    NodeOutcome,
    RejectsReplayed,
    RunFinished,
    RunStarted,
    Spilled,
    StatementFinished,
    TaskFinished,
    Vacuumed,
)
from snowmelt.transform.statements import makes_rows_of

QUERY_CHARS_MAX = 20_000
STAGE = "landing"
GOLD = "gold"


@dataclass(frozen=True)
class Step:
    """A row of `pipeline_log`: one step, once it has ended."""

    TABLE: ClassVar[str] = "snowmelt.pipeline_log"

    step: str
    object: str
    started_at: datetime
    ended_at: datetime
    status: str
    run_id: str | None = None
    rows_in: int | None = None
    rows_out: int | None = None
    rows_rejected: int | None = None
    bytes: int | None = None
    error: str | None = None
    details: str | None = None
    turn: int | None = None


@dataclass(frozen=True)
class Query:
    """A row of `query_history`: one statement of a run."""

    TABLE: ClassVar[str] = "snowmelt.query_history"

    query_id: str
    run_id: str
    node: str | None
    query_text: str
    started_at: datetime
    seconds: float
    rows_produced: int | None
    status: str
    error: str | None


@dataclass(frozen=True)
class Judgement:
    """A row of `freshness_history`: what was found of a pipe's expectation."""

    TABLE: ClassVar[str] = "snowmelt.freshness_history"

    pipe_name: str
    state: str
    due_at: datetime
    judged_at: datetime
    lag_seconds: float | None


LogRow = Step | Query | Judgement


@dataclass
class _AtNode:
    """What the statements of a node tell: when they began, what its table was given."""

    started_at: datetime
    rows_out: int | None = None


class LogRows:
    """Turns events into rows; remembers of the run under way what its end needs."""

    def __init__(self) -> None:
        self._statements: dict[str, int] = {}
        self._nodes: dict[tuple[str, str], _AtNode] = {}
        self._of: dict[type, Callable[[Any], list[LogRow]]] = {
            FilesFound: _found,
            CopyFinished: _copy_failed,
            FileSettled: _settled,
            ContentRepeated: _nothing,
            BatchIncomplete: _nothing,
            RejectsReplayed: _replayed,
            ActionEnded: _action,
            FreshnessChanged: _judged,
            RunStarted: self._run_started,
            StatementFinished: self._statement,
            RunFinished: self._run_finished,
            Spilled: _spilled,
            Vacuumed: _vacuumed,
            TaskFinished: _task,
        }

    def of(self, event: Event) -> list[LogRow]:
        """Return the rows that an event makes; most make one, some none."""
        return self._of.get(type(event), _nothing)(event)

    def _run_started(self, event: RunStarted) -> list[LogRow]:
        self._statements = {event.run_id: 0}
        self._nodes.clear()
        return []

    def _statement(self, event: StatementFinished) -> list[LogRow]:
        number = self._statements.get(event.run_id, 0) + 1
        self._statements[event.run_id] = number
        if event.node is not None:
            key = event.run_id, name_of(event.node)
            at_node = self._nodes.setdefault(key, _AtNode(event.started_at))
            if event.rows is not None and makes_rows_of(event.sql, key[1]):
                at_node.rows_out = event.rows
        query = Query(
            query_id=f"{event.run_id}.{number:05d}",
            run_id=event.run_id,
            node=event.node,
            query_text=_cut(event.sql),
            started_at=event.started_at,
            seconds=event.seconds,
            rows_produced=event.rows,
            status="FAILED" if event.error else "SUCCEEDED",
            error=event.error,
        )
        return [query]

    def _run_finished(self, event: RunFinished) -> list[LogRow]:
        """Return the run, its nodes in order, and that it was published."""
        run = Step(
            "run",
            GOLD,
            event.started_at,
            event.ended_at,
            event.state,
            run_id=event.run_id,
            error=event.error,
            details=_details(
                reason=event.reason, way=event.way, nodes=len(event.nodes)
            ),
        )
        rows: list[LogRow] = [run, *(self._node(event, each) for each in event.nodes)]
        if event.error is None:
            visible_at = event.started_at + timedelta(seconds=event.seconds)
            publish = Step(
                "publish",
                GOLD,
                event.ended_at,
                max(visible_at, event.ended_at),
                event.state,
                run_id=event.run_id,
            )
            rows.append(publish)
        self._statements.pop(event.run_id, None)
        self._nodes.clear()
        return rows

    def _node(self, event: RunFinished, node: NodeOutcome) -> Step:
        at_node = self._nodes.get((event.run_id, node.node), _AtNode(event.started_at))
        started_at = node.started_at or at_node.started_at
        is_test = node.resource_type == "test"
        rows_out = at_node.rows_out if node.rows_out is None else node.rows_out
        return Step(
            node.resource_type,
            node.node,
            started_at,
            started_at + timedelta(seconds=node.seconds),
            node.status,
            run_id=event.run_id,
            rows_out=None if is_test or node.failed else rows_out,
            rows_rejected=node.failures if is_test else None,
            error=node.message if node.failed or node.status == "warn" else None,
        )


def name_of(unique_id: str) -> str:
    """Return a node's name: `model.shop.orders` and `test.shop.a.1f2e` have one."""
    parts = unique_id.split(".")
    return parts[2] if len(parts) > 2 else unique_id


def _nothing(_: Event) -> list[LogRow]:
    return []


def _found(event: FilesFound) -> list[LogRow]:
    at = event.found_at
    details = _details(files=event.files)
    return [Step(event.way, STAGE, at, at, "found", details=details)]


def _copy_failed(event: CopyFinished) -> list[LogRow]:
    """A batch that was copied stands in the log file by file."""
    if event.problem is None:
        return []
    step = Step(
        "copy",
        event.first_file if event.files == 1 else event.pipe_name,
        event.started_at,
        event.ended_at,
        "FAILED",
        error=event.problem,
        details=_details(pipe=event.pipe_name, files=event.files),
    )
    return [step]


def _settled(event: FileSettled) -> list[LogRow]:
    loaded = {"load_seq": event.load_seq} if event.load_seq else {}
    step = Step(
        "copy",
        event.file_name,
        event.started_at,
        event.ended_at,
        event.status,
        rows_in=event.row_parsed,
        rows_out=event.row_count,
        rows_rejected=event.error_count,
        bytes=event.file_bytes,
        error=event.first_error,
        details=_details(pipe=event.pipe_name, **loaded),
    )
    return [step]


def _replayed(event: RejectsReplayed) -> list[LogRow]:
    step = Step(
        "replay",
        event.file_name,
        event.started_at,
        event.ended_at,
        "FAILED" if event.problem else "SUCCEEDED",
        rows_in=event.tried,
        rows_out=event.row_count,
        rows_rejected=event.tried - event.row_count,
        error=event.problem,
        details=_details(
            pipe=event.pipe_name, load_seq=event.load_seq, replay_of=event.replay_of
        ),
    )
    return [step]


def _action(event: ActionEnded) -> list[LogRow]:
    details = _details(
        pipe=event.pipe_name, load_seq=event.load_seq, action=event.action
    )
    file = ("after_load", event.file_name, event.started_at, event.ended_at)
    return [Step(*file, event.state, error=event.told, details=details)]


def _spilled(event: Spilled) -> list[LogRow]:
    step = Step(
        "spill",
        event.pipe_name or GOLD,
        event.started_at,
        event.ended_at,
        "SPILLED",
        run_id=event.run_id,
        bytes=event.peak_bytes,
        details=_details(memory_bytes=event.memory_bytes),
    )
    return [step]


def _vacuumed(event: Vacuumed) -> list[LogRow]:
    step = Step(
        "vacuum",
        "bronze",
        event.started_at,
        event.ended_at,
        "SUCCEEDED",
        rows_out=event.rows,
        rows_rejected=event.rejects,
        details=_details(loads=event.loads, stale=event.stale),
    )
    return [step]


def _task(event: TaskFinished) -> list[LogRow]:
    details = _details(
        kind=event.kind,
        graph_run_group_id=event.graph_run_group_id,
        attempt_number=event.attempt_number,
        scheduled_from=event.scheduled_from,
    )
    at = ("task", event.name, event.started_at, event.ended_at)
    step = Step(
        *at, event.state, run_id=event.run_id, error=event.error, details=details
    )
    return [step]


def _judged(event: FreshnessChanged) -> list[LogRow]:
    at, state = event.judged_at, event.state
    judgement = Judgement(event.pipe_name, state, event.due_at, at, event.lag_seconds)
    details = _details(due_at=event.due_at.isoformat(), lag_seconds=event.lag_seconds)
    step = Step("expectation", event.pipe_name, at, at, state, details=details)
    return [step, judgement]


def _details(**named: object) -> str:
    return json.dumps(named, ensure_ascii=False)


def _cut(sql: str) -> str:
    """Return a statement, or its beginning and how much is missing."""
    missing = len(sql) - QUERY_CHARS_MAX
    if missing <= 0:
        return sql
    return f"{sql[:QUERY_CHARS_MAX]}\n-- {missing} more characters"
