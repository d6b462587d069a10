"""Events put together: what a load and a run came to, once all of it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from snowmelt.events import (
    ActionEnded,
    AuditFinished,
    CopyFinished,
    CopyStarted,
    Event,
    FileSettled,
    NodeOutcome,
    RejectsReplayed,
    RunFinished,
    RunStarted,
    StatementFinished,
    TaskFinished,
)
from snowmelt.observe.log_rows import name_of

TAKEN = (
    *(CopyStarted, CopyFinished, FileSettled, RejectsReplayed, ActionEnded),
    *(RunStarted, StatementFinished, RunFinished, AuditFinished, TaskFinished),
)
"""The events of which something is told; a command that only looks has none."""
STATEMENTS_MAX = 5000
LOADS_MAX = 10_000


@dataclass(frozen=True)
class LoadBegun:
    """A batch of files is being read. `number`: of all loads that are told."""

    number: int
    pipe_name: str
    files: int
    file_bytes: int
    started_at: datetime


@dataclass(frozen=True)
class LoadEnded:
    """A batch was dealt with; `files`: those that are settled now."""

    number: int
    pipe_name: str
    files: tuple[FileSettled, ...]
    started_at: datetime
    ended_at: datetime
    problem: str | None

    @property
    def error(self) -> str | None:
        """Say why nothing was loaded, if nothing was for an error's sake."""
        failed = [each for each in self.files if each.status == "Load failed"]
        if self.problem or not failed or len(failed) < len(self.files):
            return self.problem
        return f"{failed[0].file_name}: {failed[0].first_error}"


@dataclass(frozen=True)
class NodeEnded:
    """A model or test of a run, when it was at work, and its statements."""

    outcome: NodeOutcome
    started_at: datetime
    ended_at: datetime
    statements: tuple[StatementFinished, ...] = ()


@dataclass(frozen=True)
class RunEnded:
    """A run, its nodes, statements of none of them, and the loads that it read."""

    run: RunFinished
    nodes: tuple[NodeEnded, ...]
    statements: tuple[StatementFinished, ...]
    loads: tuple[int, ...]


Told = (
    LoadBegun
    | LoadEnded
    | RunStarted
    | RunEnded
    | RejectsReplayed
    | ActionEnded
    | AuditFinished
    | TaskFinished
)


@dataclass
class _Waiting:
    """A load whose files are still being told one by one."""

    finished: CopyFinished
    number: int
    files: list[FileSettled] = field(default_factory=list)


class Gathering:
    """Puts events together; one thread at a time."""

    def __init__(self) -> None:
        self._loads = 0
        self._number_of: dict[str, int] = {}
        self._waiting: dict[str, _Waiting] = {}
        self._statements: list[StatementFinished] = []
        self._unread: dict[int, int] = {}
        self._of: dict[type, Callable[[Any], list[Told]]] = {
            CopyStarted: self._copy_started,
            CopyFinished: self._copy_finished,
            FileSettled: self._settled,
            RunStarted: self._run_started,
            StatementFinished: self._statement,
            RunFinished: self._run_finished,
            RejectsReplayed: _as_it_is,
            ActionEnded: _as_it_is,
            AuditFinished: _as_it_is,
            TaskFinished: _as_it_is,
        }

    def of(self, event: Event) -> list[Told]:
        """Return what is known as a whole now that this event came."""
        take = self._of.get(type(event))
        return take(event) if take else []

    def settle(self) -> list[Told]:
        """Return loads whose files were told of as far as they ever will be."""
        return [self._ended(pipe) for pipe in list(self._waiting)]

    def _copy_started(self, event: CopyStarted) -> list[Told]:
        told = self._left_over(event.pipe_name)
        self._loads += 1
        self._number_of[event.pipe_name] = self._loads
        told.append(
            LoadBegun(
                self._loads,
                event.pipe_name,
                event.files,
                event.file_bytes,
                event.started_at,
            )
        )
        return told

    def _copy_finished(self, event: CopyFinished) -> list[Told]:
        told = self._left_over(event.pipe_name)
        number = self._number_of.pop(event.pipe_name, 0)
        if not number:
            self._loads += 1
            number = self._loads
        self._waiting[event.pipe_name] = _Waiting(event, number)
        if event.problem is not None:
            told.append(self._ended(event.pipe_name))
        return told

    def _settled(self, event: FileSettled) -> list[Told]:
        waiting = self._waiting.get(event.pipe_name)
        if waiting is None:
            return []
        waiting.files.append(event)
        if event.load_seq:
            self._unread[event.load_seq] = waiting.number
            while len(self._unread) > LOADS_MAX:
                del self._unread[next(iter(self._unread))]
        if len(waiting.files) < waiting.finished.files:
            return []
        return [self._ended(event.pipe_name)]

    def _left_over(self, pipe: str) -> list[Told]:
        return [self._ended(pipe)] if pipe in self._waiting else []

    def _ended(self, pipe: str) -> LoadEnded:
        waiting = self._waiting.pop(pipe)
        finished = waiting.finished
        return LoadEnded(
            waiting.number,
            pipe,
            tuple(waiting.files),
            finished.started_at,
            finished.ended_at,
            finished.problem,
        )

    def _run_started(self, event: RunStarted) -> list[Told]:
        self._statements = []
        return [event]

    def _statement(self, event: StatementFinished) -> list[Told]:
        if len(self._statements) < STATEMENTS_MAX:
            self._statements.append(event)
        return []

    def _run_finished(self, event: RunFinished) -> list[Told]:
        told = self.settle()
        statements = [each for each in self._statements if each.run_id == event.run_id]
        self._statements = []
        nodes = tuple(_node(event, each, statements) for each in event.nodes)
        placed = {id(each) for node in nodes for each in node.statements}
        rest = tuple(each for each in statements if id(each) not in placed)
        loads = self._read(event)
        return [*told, RunEnded(event, nodes, rest, loads)]

    def _read(self, event: RunFinished) -> tuple[int, ...]:
        """Return the loads that a run read and none that was published before it."""
        through = event.read_through
        read = [
            number
            for load_seq, number in self._unread.items()
            if through is not None and load_seq <= through
        ]
        if event.error is None:
            self._unread = {
                load_seq: number
                for load_seq, number in self._unread.items()
                if through is None or load_seq > through
            }
        return tuple(dict.fromkeys(read))


def _node(
    run: RunFinished, node: NodeOutcome, statements: list[StatementFinished]
) -> NodeEnded:
    own = tuple(
        each
        for each in statements
        if each.node is not None and name_of(each.node) == node.node
    )
    started_at = node.started_at or (own[0].started_at if own else run.started_at)
    ended_at = started_at + timedelta(seconds=node.seconds)
    last = max((_end(each) for each in own), default=ended_at)
    return NodeEnded(node, started_at, max(ended_at, last), own)


def _end(statement: StatementFinished) -> datetime:
    return statement.started_at + timedelta(seconds=statement.seconds)


def _as_it_is(event: Any) -> list[Told]:
    return [event]
