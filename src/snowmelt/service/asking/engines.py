"""Where queries run: on a snapshot of the warehouse, or in a child over a copy.

The first is for who owns this machine anyway; the second for everybody else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from snowmelt.errors import EngineError, SnowmeltError, UnreachableError
from snowmelt.gold.run_history import published_run
from snowmelt.serve.questions import Flow
from snowmelt.service.asking.copies import Copies
from snowmelt.service.asking.readable import known_tables
from snowmelt.service.parts import Parts
from snowmelt.warehouse.duckdb.question_parent import (
    ChildError,
    ChildQuestion,
    asking_child,
)
from snowmelt.warehouse.plain import plain
from snowmelt.warehouse.port import Session, Snapshot
from snowmelt.warehouse.question import QuestionError, of_engine, require_question
from snowmelt.warehouse.sql import literal

AT_ONCE_MAX = 4
BATCH_ROWS = 500
FILE_BYTES_MAX = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What one query may take."""

    rows_max: int
    seconds: float
    memory_bytes: int


class Engine(Protocol):
    """A place where a query can be asked."""

    place: str

    def flow(
        self, sql: str, limits: Limits, target: Path | None = None
    ) -> AbstractContextManager[Flow]:
        """Judge a query, run it, and yield what it returns once.

        With a `target` the answer is written there as Parquet, and no rows come.
        """
        ...


class Places:
    """So many queries at a time; who comes too many is told, and waits for nobody."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(AT_ONCE_MAX)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a place for the length of a block. Raises UnreachableError."""
        if not self._free.acquire(blocking=False):
            problem = f"{AT_ONCE_MAX} queries are under way"
            raise UnreachableError("sql", problem, "Try it again in a moment.")
        try:
            yield
        finally:
            self._free.release()


def judge(session: Session, sql: str, schemas: Sequence[str], default: str) -> None:
    """Raise QuestionError unless a query only reads what it may."""
    tree = session.value("select json_serialize_sql($1)", [sql])
    require_question(tree, sql, known_tables(session, schemas, default))


def as_file(sql: str, target: Path, rows_max: int) -> str:
    """Return the statement that writes what a query returns to a Parquet file."""
    query = sql.strip().rstrip(";")
    return (
        f"copy (select * from (\n{query}\n) limit {rows_max:d}) "
        f"to {literal(str(target))} (format parquet, compression zstd)"
    )


class InWarehouse:
    """Asks the warehouse itself, in one read-only transaction."""

    place = "warehouse"

    def __init__(self, parts: Parts, schemas: Sequence[str]) -> None:
        self._parts = parts
        self._schemas = schemas
        self._default = parts.project.settings.layers.default

    @contextmanager
    def flow(
        self, sql: str, limits: Limits, target: Path | None = None
    ) -> Iterator[Flow]:
        with self._parts.warehouse.snapshot() as session:
            judge(session, sql, self._schemas, self._default)
            self._parts.warehouse.require_query(sql)
            run_id = published_run(session)
            with _in_time(session, limits.seconds, sql):
                yield self._answer(session, sql, limits, target, run_id)

    def _answer(
        self,
        session: Snapshot,
        sql: str,
        limits: Limits,
        target: Path | None,
        run_id: str | None,
    ) -> Flow:
        if target is not None:
            session.execute(as_file(sql, target, limits.rows_max))
            return Flow([], [], iter(()), run_id)
        columns, types, batches = session.described(sql, BATCH_ROWS)
        rows = ([plain(row) for row in batch] for batch in batches)
        return Flow(columns, types, rows, run_id)


@contextmanager
def _in_time(session: Session, seconds: float, sql: str) -> Iterator[None]:
    """Interrupt what a session does when its time is over, and say so."""
    late = threading.Event()

    def stop() -> None:
        late.set()
        session.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield
    except EngineError as error:
        raise _late(seconds) if late.is_set() else error from None
    except SnowmeltError:
        raise
    except Exception as error:  # noqa: BLE001 - the engine's, sorted
        raise _late(seconds) if late.is_set() else of_engine(str(error), sql) from None
    finally:
        timer.cancel()


def _late(seconds: float) -> QuestionError:
    return QuestionError(
        f"the query was stopped after {seconds:.0f} s",
        "Ask for less: add a filter, or sum up. `serve: {sql_timeout: …}` allows more.",
    )


class InChild:
    """Asks a process of its own over a copy of what is published."""

    place = "published"

    def __init__(self, parts: Parts, copies: Copies) -> None:
        self._parts = parts
        self._copies = copies

    @contextmanager
    def flow(
        self, sql: str, limits: Limits, target: Path | None = None
    ) -> Iterator[Flow]:
        with self._parts.warehouse.snapshot() as session:
            schemas = self._copies.schemas
            judge(session, sql, schemas, self._parts.project.settings.layers.default)
            self._parts.warehouse.require_query(sql)
        with ExitStack() as stack:
            copy = stack.enter_context(self._copies.current())
            question = ChildQuestion(
                str(copy.path),
                sql if target is None else as_file(sql, target, limits.rows_max),
                limits.rows_max,
                limits.seconds,
                limits.memory_bytes,
                str(target or ""),
                FILE_BYTES_MAX if target else 0,
            )
            stack.enter_context(_told(limits, sql))
            lines = stack.enter_context(asking_child(question))
            first = next(lines)
            columns, types = first.get("columns", []), first.get("types", [])
            yield Flow(columns, types, _rows(lines), copy.run_id)


def _rows(lines: Iterator[dict[str, Any]]) -> Iterator[list[list[Any]]]:
    for said in lines:
        if said.get("rows"):
            yield said["rows"]


@contextmanager
def _told(limits: Limits, sql: str) -> Iterator[None]:
    """Turn what became of a child into what a person can act on."""
    try:
        yield
    except ChildError as error:
        raise _of_child(error, limits, sql) from None


def _of_child(error: ChildError, limits: Limits, sql: str) -> QuestionError:
    if error.kind == "time":
        return _late(limits.seconds)
    if error.kind in ("memory", "killed"):
        size = f"{limits.memory_bytes / 1e9:.2g} GB"
        return QuestionError(
            f"the query needs more memory than the {size} that it may have",
            "Ask for less: fewer columns, a filter, a sum.",
        )
    return of_engine(error.problem, sql)


def first_rows(flow: Flow, rows_max: int) -> tuple[list[list[Any]], bool]:
    """Return the first rows, and whether there are more."""
    rows = list(islice((row for batch in flow.rows for row in batch), rows_max + 1))
    return rows[:rows_max], len(rows) > rows_max
