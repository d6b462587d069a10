"""Loads and runs as traces, by OpenTelemetry's API and semantic conventions.

A span is made once all of it is known, with the times that the events tell. Names of
attributes: https://opentelemetry.io/docs/specs/semconv/database/database-spans/, and
`snowmelt.*` for what they have no name for.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode

from snowmelt.events import (
    ActionEnded,
    AuditFinished,
    RejectsReplayed,
    StatementFinished,
    TaskFinished,
)
from snowmelt.observe.export.told import LoadEnded, NodeEnded, RunEnded, Told
from snowmelt.transform.statements import operation

LOADS_MAX = 10_000
RUNS_MAX = 1_000
"""So many runs, and runs of graphs, are known to the tasks that come after."""
LINKS_MAX = 128
FILES_MAX = 128
"""Files of a load that are events of its span: what receivers keep."""
Attributes = Mapping[str, Any]
Key = TypeVar("Key")


class Traces:
    """An exporter of spans; `close` is what ends the tracer's own sending."""

    def __init__(
        self, tracer: trace.Tracer, database: str, close: Callable[[float], None]
    ) -> None:
        self._tracer = tracer
        self._database = database
        self._close = close
        self._loads = _Known[int](LOADS_MAX)
        self._runs = _Known[str](RUNS_MAX)
        self._graphs = _Known[str](RUNS_MAX)
        self._of: dict[type, Callable[[Any], None]] = {
            LoadEnded: self._load,
            RunEnded: self._run,
            RejectsReplayed: self._replay,
            ActionEnded: self._action,
            AuditFinished: self._audit,
            TaskFinished: self._task,
        }

    def send(self, told: Told) -> None:
        """Make spans of what ended."""
        take = self._of.get(type(told))
        if take:
            take(told)

    def close(self, seconds: float) -> None:
        """Send what is left, for so long at most."""
        self._close(seconds)

    def _load(self, load: LoadEnded) -> None:
        sums = {
            "rows": sum(each.row_count for each in load.files),
            "rejected": sum(each.error_count for each in load.files),
            "bytes": sum(each.file_bytes for each in load.files),
            "files": len(load.files),
        }
        span = self._begin(
            f"load {load.pipe_name}",
            load.started_at,
            {"snowmelt.pipe": load.pipe_name}
            | {f"snowmelt.load.{name}": count for name, count in sums.items()},
        )
        for each in load.files[:FILES_MAX]:
            of_file: dict[str, Any] = {
                "file.path": each.file_name,
                "file.size": each.file_bytes,
                "snowmelt.load.seq": each.load_seq,
                "snowmelt.load.status": each.status,
                "snowmelt.load.rows": each.row_count,
                "snowmelt.load.rejected": each.error_count,
            }
            if each.first_error:
                of_file["snowmelt.load.first_error"] = each.first_error
            span.add_event("file settled", of_file, _ns(each.ended_at))
        self._end(span, load.ended_at, load.error)
        self._loads.keep(load.number, span)

    def _run(self, ended: RunEnded) -> None:
        run = ended.run
        read = self._loads.find(ended.loads)
        span = self._begin(
            "run",
            run.started_at,
            {
                "snowmelt.run.id": run.run_id,
                "snowmelt.run.state": run.state,
                "snowmelt.run.way": run.way,
                "snowmelt.run.reason": run.reason,
                "snowmelt.run.loads": len(ended.loads),
            },
            links=[Link(each) for each in read[-LINKS_MAX:]],
        )
        for node in ended.nodes:
            self._node(span, node)
        for statement in ended.statements:
            self._statement(span, statement)
        visible_at = run.started_at + timedelta(seconds=run.seconds)
        self._end(span, max(visible_at, run.ended_at), run.error)
        self._runs.keep(run.run_id, span)

    def _node(self, run: Span, node: NodeEnded) -> None:
        outcome = node.outcome
        told: dict[str, Any] = {
            "snowmelt.node": outcome.node,
            "snowmelt.node.type": outcome.resource_type,
            "snowmelt.node.status": outcome.status,
        }
        counts = {"failures": outcome.failures, "rows": outcome.rows_out}
        told |= {
            f"snowmelt.node.{name}": count
            for name, count in counts.items()
            if count is not None
        }
        name = f"{outcome.resource_type} {outcome.node}"
        span = self._begin(name, node.started_at, told, parent=run)
        for statement in node.statements:
            self._statement(span, statement)
        error = outcome.message or outcome.status if outcome.failed else None
        self._end(span, node.ended_at, error)

    def _statement(self, parent: Span, statement: StatementFinished) -> None:
        told: dict[str, Any] = {
            "db.system.name": "duckdb",
            "db.namespace": self._database,
            "db.query.text": statement.sql,
        }
        named = operation(statement.sql)
        if named:
            told["db.operation.name"] = named
        if statement.rows is not None:
            told["db.response.returned_rows"] = statement.rows
        span = self._begin(
            named or "statement",
            statement.started_at,
            told,
            parent=parent,
            kind=SpanKind.CLIENT,
        )
        ended_at = statement.started_at + timedelta(seconds=statement.seconds)
        self._end(span, ended_at, statement.error)

    def _replay(self, event: RejectsReplayed) -> None:
        told = {
            "snowmelt.pipe": event.pipe_name,
            "file.path": event.file_name,
            "snowmelt.load.replay_of": event.replay_of,
            "snowmelt.load.tried": event.tried,
            "snowmelt.load.rows": event.row_count,
        }
        span = self._begin(f"replay {event.pipe_name}", event.started_at, told)
        self._end(span, event.ended_at, event.problem)

    def _action(self, event: ActionEnded) -> None:
        told = {
            "snowmelt.pipe": event.pipe_name,
            "file.path": event.file_name,
            "snowmelt.load.seq": event.load_seq,
        }
        span = self._begin(f"{event.action} {event.pipe_name}", event.started_at, told)
        error = event.told or event.state if event.state == "failed" else None
        self._end(span, event.ended_at, error)

    def _audit(self, event: AuditFinished) -> None:
        started_at = _time_of(event.audit_id)
        told = {
            "snowmelt.audit.id": event.audit_id,
            "snowmelt.audit.state": event.state,
            "snowmelt.audit.tables": event.tables,
            "snowmelt.audit.differing": list(event.differing),
        }
        span = self._begin("audit", started_at, told)
        error = event.error if event.state == "FAILED" else None
        self._end(span, started_at + timedelta(seconds=event.seconds), error)

    def _task(self, task: TaskFinished) -> None:
        """Make a span below that of the graph's root, which ends before the others."""
        told: dict[str, Any] = {
            "snowmelt.task": task.name,
            "snowmelt.task.kind": task.kind,
            "snowmelt.task.state": task.state,
            "snowmelt.task.graph_run_group_id": task.graph_run_group_id,
            "snowmelt.task.attempt": task.attempt_number,
            "snowmelt.task.scheduled_from": task.scheduled_from,
            "snowmelt.task.scheduled_at": task.scheduled_at.isoformat(),
        }
        roots = self._graphs.find([task.graph_run_group_id])
        published = self._runs.find([task.run_id] if task.run_id else [])
        span = self._begin(
            f"task {task.name}",
            task.started_at,
            told,
            parent=trace.NonRecordingSpan(roots[0]) if roots else None,
            links=[Link(each) for each in published],
        )
        failed = task.state.startswith("FAILED")
        self._end(span, task.ended_at, (task.error or task.state) if failed else None)
        if not roots:
            self._graphs.keep(task.graph_run_group_id, span)

    def _begin(
        self,
        name: str,
        at: datetime,
        told: Attributes,
        *,
        parent: Span | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        links: list[Link] | None = None,
    ) -> Span:
        return self._tracer.start_span(
            name,
            trace.set_span_in_context(parent or trace.INVALID_SPAN),
            kind,
            dict(told),
            links,
            _ns(at),
        )

    def _end(self, span: Span, at: datetime, error: str | None) -> None:
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(_ns(at))


class _Known(Generic[Key]):
    """The newest spans of a kind, for those that refer to them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._spans: OrderedDict[Key, SpanContext] = OrderedDict()

    def keep(self, key: Key, span: Span) -> None:
        self._spans[key] = span.get_span_context()
        while len(self._spans) > self._most:
            self._spans.popitem(last=False)

    def find(self, keys: Iterable[Key]) -> list[SpanContext]:
        return [self._spans[each] for each in keys if each in self._spans]


def _ns(at: datetime) -> int:
    """Return nanoseconds since 1970, none of them lost in a float."""
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    microseconds = (since.days * 86_400 + since.seconds) * 1_000_000
    return (microseconds + since.microseconds) * 1000


def _time_of(uuid7: str) -> datetime:
    """Return the time in a UUIDv7."""
    return datetime.fromtimestamp((UUID(uuid7).int >> 80) / 1000, UTC)
