"""Everything of an account that is kept here, read in one go."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import astuple, fields
from datetime import datetime, timedelta
from functools import partial

from snowmelt.clock import Clock
from snowmelt.deploy.harvest import questions
from snowmelt.deploy.harvest.credit_mapping import (
    Metering,
    PipeUsage,
    metering_of,
    pipe_usage_of,
)
from snowmelt.deploy.harvest.harvested import Harvested
from snowmelt.deploy.harvest.harvester import Harvester, Keep
from snowmelt.deploy.harvest.ledger import (
    insert_rows,
    mark_superseded,
    replace_hours,
    write_loads,
    write_rejects,
)
from snowmelt.deploy.harvest.load_mapping import (
    IN_PROGRESS,
    LoadFacts,
    first_reject,
    has_key,
    load_of,
    newest_of_each,
    rejects_of,
)
from snowmelt.deploy.harvest.log_keeping import keep_log
from snowmelt.deploy.harvest.reading import moment
from snowmelt.deploy.harvest.run_keeping import keep_nodes, keep_queries
from snowmelt.deploy.harvest.scope import PipeScope, Scope
from snowmelt.deploy.harvest.standing import how_it_stands, is_quiet, note_standing
from snowmelt.deploy.harvest.stream_mapping import STREAM_COLUMNS, stream_of
from snowmelt.deploy.harvest.tables import ensure_account_tables
from snowmelt.deploy.harvest.task_keeping import keep_standings, keep_task_runs
from snowmelt.deploy.harvest.window import (
    COPIES,
    LOG,
    METERING,
    PIPE_USAGE,
    QUERIES,
    TASKS,
    Window,
)
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.session import Session as Account
from snowmelt.pipe.pause import record_state
from snowmelt.warehouse.port import Session, Warehouse

_NO_MORE = "a pipe that copies by a SELECT cannot be asked for the others"
_REFUSED = "the account does not tell the others"


def harvest(
    account: Account,
    warehouse: Warehouse,
    scope: Scope,
    clock: Clock,
    quiet_for: timedelta = timedelta(0),
) -> Harvested:
    """Read what is new of an account into the file of a target.

    How pipes, streams and tasks stand is told without a warehouse; history needs one,
    and asking for it would keep it awake. So for as long as `quiet_for` after history
    was read it is not read again unless something stands otherwise than it did then,
    and for a pause whatever stands otherwise. Zero: it is read.

    Raises AccountError or UnreachableError when nothing can be asked at all; what
    single functions refuse is told in what is returned.
    """
    with warehouse.session() as session:
        ensure_account_tables(session)
    reading = Harvester(account, warehouse, scope, clock)
    reading.begin()
    for pipe in scope.pipes:
        _read_status(reading, pipe)
    _read_streams(reading)
    _read_standings(reading)
    standing = how_it_stands(warehouse)
    if is_quiet(warehouse, standing, reading.now, quiet_for):
        reading.end(is_thorough=False)
        return reading.harvested
    for pipe in scope.pipes:
        _read_copies(reading, pipe)
    _read_task_runs(reading)
    _read_runs(reading)
    _read_credits(reading)
    note_standing(warehouse, standing, reading.now)
    reading.end()
    return reading.harvested


def read_log(
    account: Account, warehouse: Warehouse, scope: Scope, clock: Clock
) -> None:
    """Read which runs there were, and what each published, alone of all history."""
    reading = Harvester(account, warehouse, scope, clock)
    reading.begin()
    _read_log(reading)


def _read_copies(reading: Harvester, pipe: PipeScope) -> None:
    """Read what was copied, then the records that were refused of it."""
    refused: dict[tuple[str, str, datetime], tuple[int, LoadFacts]] = {}

    def keep(session: Session, rows: list[Row]) -> Collection[datetime]:
        loads = newest_of_each(
            load_of(row, pipe, reading.scope, reading.now)
            for row in rows
            if has_key(row)
        )
        places = write_loads(session, loads)
        if pipe.supersedes:
            mark_superseded(session, pipe.name, {each.file_name for each in loads})
        reading.harvested.loads += len(places)
        refused.update(
            (each.key, (places[each.key], each))
            for each in loads
            if each.key in places and each.error_count
        )
        return [each.pipe_received_time for each in loads if each.status == IN_PROGRESS]

    question = partial(questions.copies, reading.scope, pipe)
    reading.read(COPIES, pipe.table_path, question, keep)
    if refused:
        _read_rejects(reading, pipe, list(refused.values()))


def _read_rejects(
    reading: Harvester, pipe: PipeScope, loads: list[tuple[int, LoadFacts]]
) -> None:
    """Read the refused records of loads that are new: all of them, or the first."""
    rows = None if pipe.by_select else _validated(reading, pipe, loads)
    by_file = {each.file_name: (seq, each) for seq, each in loads}
    found = []
    told_of = set()
    for reject in rejects_of(rows or [], pipe, reading.scope):
        if reject.file_name in by_file:
            seq, load = by_file[reject.file_name]
            found.append((seq, reject, load.last_load_time))
            told_of.add(seq)
    why = _NO_MORE if pipe.by_select else _REFUSED
    for seq, load in loads:
        first = None if seq in told_of else first_reject(load, why)
        if first is not None:
            found.append((seq, first, load.last_load_time))
    with reading.transaction() as session:
        write_rejects(session, pipe.name, found)


def _validated(
    reading: Harvester, pipe: PipeScope, loads: list[tuple[int, LoadFacts]]
) -> list[Row] | None:
    start = min(load.pipe_received_time for _, load in loads)
    statement = questions.rejects(reading.scope, pipe, Window(start, reading.now))
    return reading.ask("VALIDATE_PIPE_LOAD", pipe.path, statement)


def _read_status(reading: Harvester, pipe: PipeScope) -> None:
    """Read how a pipe stands; a state that is another one is kept with its time."""
    told = reading.ask_json("SYSTEM$PIPE_STATUS", pipe.path, questions.status(pipe))
    if told is None:
        return
    state = str(json.loads(told).get("executionState", "RUNNING"))
    with reading.transaction() as session:
        session.execute(
            "delete from snowmelt.pipe_statuses where pipe_name = $1", [pipe.name]
        )
        row = [pipe.name, told, reading.now]
        columns = ("pipe_name", "status", "noted_at")
        insert_rows(session, "snowmelt.pipe_statuses", columns, [row])
        before = session.value(
            "select arg_max(execution_state, rowid) from snowmelt.pipe_states "
            "where pipe_name = $1",
            [pipe.name],
        )
        if state != (before or "RUNNING"):
            record_state(session, pipe.name, state, None, reading.now)


def _read_streams(reading: Harvester) -> None:
    """Read every stream of the project, and which have rows nobody has read."""
    scope = reading.scope
    rows = reading.ask("SHOW STREAMS", scope.database, questions.streams(scope))
    if rows is None:
        return

    found = []
    for row in rows:
        path = sql.path_as_kept(
            str(row["database_name"]), str(row["schema_name"]), str(row["name"])
        )
        told = reading.ask_json("SYSTEM$STREAM_HAS_DATA", path, questions.unread(path))
        has_data = None if told is None else told.lower() in ("true", "1")
        found.append(stream_of(row, path, has_data))
    with reading.transaction() as session:
        session.execute("delete from account.streams")
        insert_rows(session, "account.streams", STREAM_COLUMNS, found)


def _read_standings(reading: Harvester) -> None:
    scope = reading.scope
    rows = reading.ask("SHOW TASKS", scope.database, questions.tasks(scope))
    if rows is not None:
        with reading.transaction() as session:
            keep_standings(session, rows, scope, reading.now)


def _read_task_runs(reading: Harvester) -> None:
    scope = reading.scope
    for task in scope.tasks:
        question = partial(questions.task_runs, scope, task)
        keep = partial(keep_task_runs, scope, task, reading.now)
        reading.read(TASKS, task.path, question, keep)


def _read_runs(reading: Harvester) -> None:
    """Read runs before statements, which are then told which run they are of."""
    scope = reading.scope
    ends: list[datetime] = []

    def keep_steps(session: Session, rows: list[Row]) -> Collection[datetime]:
        ends.extend(filter(None, (moment(row["ended_at"]) for row in rows)))
        return keep_log(session, rows)

    def keep_statements(session: Session, rows: list[Row]) -> Collection[datetime]:
        ends.extend(filter(None, (moment(row["end_time"]) for row in rows)))
        return keep_queries(session, rows)

    _read_log(reading, keep_steps)
    question = partial(questions.queries, scope)
    is_told = reading.read(QUERIES, scope.names.warehouse, question, keep_statements)
    if is_told and ends:
        since = max(min(ends), reading.now - QUERIES.keeps)
        with reading.transaction() as session:
            keep_nodes(session, since)


def _read_log(reading: Harvester, keep: Keep = keep_log) -> None:
    path = f"{reading.scope.system}.PIPELINE_LOG"
    reading.read(LOG, path, partial(questions.log, reading.scope), keep)


def _read_credits(reading: Harvester) -> None:
    scope = reading.scope
    for pipe in scope.pipes:
        question = partial(questions.pipe_usage, scope, pipe)
        reading.read(PIPE_USAGE, pipe.path, question, partial(_keep_usage, pipe))
    question = partial(questions.metering, scope)
    reading.read(METERING, scope.names.warehouse, question, _keep_metering)


def _keep_usage(
    pipe: PipeScope, session: Session, rows: list[Row]
) -> Collection[datetime]:
    found = [astuple(pipe_usage_of(row, pipe.name)) for row in rows]
    columns = [field.name for field in fields(PipeUsage)]
    replace_hours(session, "account.pipe_usage", columns, found)
    return ()


def _keep_metering(session: Session, rows: list[Row]) -> Collection[datetime]:
    found = [astuple(metering_of(row)) for row in rows]
    columns = [field.name for field in fields(Metering)]
    replace_hours(session, "account.metering", columns, found)
    return ()
