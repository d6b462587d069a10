"""Copies, as an account tells them, as records of load history here. Pure.

COPY_HISTORY: https://docs.snowflake.com/en/sql-reference/functions/copy_history
VALIDATE_PIPE_LOAD:
https://docs.snowflake.com/en/sql-reference/functions/validate_pipe_load
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from snowmelt.deploy.harvest.reading import moment, text, whole
from snowmelt.deploy.harvest.scope import PipeScope, Scope
from snowmelt.deploy.snowflake.session import Row

IN_PROGRESS = "Load in progress"
WITH_ROWS = frozenset({"Loaded", "Partially loaded"})
FIRST_ERROR = "FIRST ERROR"
"""The category of a reject that is all an account tells of several."""
_STATUSES = {
    each.lower(): each
    for each in (
        *("Loaded", "Load failed", "Partially loaded", "Load skipped"),
        IN_PROGRESS,
    )
}


@dataclass(frozen=True)
class LoadFacts:
    """A copy of a file; the names are those of `snowmelt.load_history`."""

    file_name: str
    stage_location: str
    last_load_time: datetime
    row_count: int
    row_parsed: int
    file_size: int
    first_error_message: str | None
    first_error_line_number: int | None
    first_error_character_pos: int | None
    first_error_column_name: str | None
    error_count: int
    error_limit: str
    status: str
    table_schema_name: str
    table_name: str
    pipe_name: str
    pipe_received_time: datetime
    version_at: datetime
    started_at: datetime
    first_commit_time: datetime | None

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What stays the same of a copy while it goes on."""
        return (self.table_name, self.file_name, self.pipe_received_time)

    @property
    def values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in LOAD_COLUMNS)


LOAD_COLUMNS = tuple(field.name for field in fields(LoadFacts))


def has_key(row: Row) -> bool:
    """Can a copy be known again? One by hand only once it has ended."""
    return bool(row.get("pipe_received_time") or row["last_load_time"])


def load_of(row: Row, pipe: PipeScope, scope: Scope, now: datetime) -> LoadFacts:
    """Return a row of COPY_HISTORY as a record of load history.

    A copy of a pipe is known by when the pipe was told of the file, which stays the
    same while it goes on; a COPY of somebody's by when it ended.
    """
    ended_at = moment(row["last_load_time"])
    received_at = moment(row.get("pipe_received_time")) or ended_at or now
    status = _status(str(row["status"]))
    at = ended_at or received_at
    return LoadFacts(
        file_name=scope.file_name(
            text(row["stage_location"]), str(row["file_name"]), pipe.pattern
        ),
        stage_location=str(row["stage_location"] or scope.names.location),
        last_load_time=at,
        row_count=whole(row["row_count"]) or 0,
        row_parsed=whole(row["row_parsed"]) or 0,
        file_size=whole(row["file_size"]) or 0,
        first_error_message=text(row["first_error_message"]),
        first_error_line_number=whole(row["first_error_line_number"]),
        first_error_character_pos=whole(row["first_error_character_pos"]),
        first_error_column_name=text(row["first_error_column_name"]),
        error_count=whole(row["error_count"]) or 0,
        error_limit=pipe.pipe.on_error,
        status=status,
        table_schema_name=pipe.pipe.schema_name,
        table_name=pipe.pipe.table_name,
        pipe_name=pipe.name,
        pipe_received_time=received_at,
        version_at=received_at,
        started_at=received_at,
        first_commit_time=None if status == IN_PROGRESS else at,
    )


def _status(told: str) -> str:
    """Return a status as COPY_HISTORY spells it; one that is not known as it is."""
    return _STATUSES.get(told.replace("_", " ").lower(), told)


def newest_of_each(loads: Iterable[LoadFacts]) -> list[LoadFacts]:
    """Return of every copy what was told last."""
    found: dict[tuple[str, str, datetime], LoadFacts] = {}
    for each in sorted(loads, key=lambda load: load.last_load_time):
        found[each.key] = each
    return list(found.values())


@dataclass(frozen=True)
class RejectFacts:
    """A record that was refused; the names are those of `snowmelt.rejects`."""

    file_name: str
    file_row: int
    line: int
    byte_offset: int
    column_name: str | None
    category: str
    error: str
    errors: str
    rejected_record: bytes
    row_start_line: int | None


def rejects_of(rows: Sequence[Row], pipe: PipeScope, scope: Scope) -> list[RejectFacts]:
    """Return rows of VALIDATE_PIPE_LOAD, those of one record as one reject."""
    of_record: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        name = scope.file_name(None, str(row["file"]), pipe.pattern)
        place = whole(row["row_number"]) or whole(row["line"]) or 0
        of_record.setdefault((name, place), []).append(row)
    return [_reject(name, place, told) for (name, place), told in of_record.items()]


def _reject(name: str, place: int, rows: list[Row]) -> RejectFacts:
    first = rows[0]
    errors = [
        {
            "column_name": text(each["column_name"]),
            "category": _category(each),
            "error": str(each["error"]),
        }
        for each in rows
    ]
    return RejectFacts(
        name,
        place,
        whole(first["line"]) or 0,
        whole(first["byte_offset"]) or 0,
        text(first["column_name"]),
        _category(first),
        str(first["error"]),
        json.dumps(errors, ensure_ascii=False),
        str(first["rejected_record"] or "").encode(),
        whole(first.get("row_start_line")),
    )


def _category(row: Row) -> str:
    return (text(row.get("category")) or "CONVERSION").upper()


def first_reject(load: LoadFacts, why: str) -> RejectFacts | None:
    """Return the one error that COPY_HISTORY tells of a file, with no raw record.

    `why`: why there is no more to be had.
    """
    if load.first_error_message is None or load.error_count == 0:
        return None
    line = load.first_error_line_number or 0
    told = f"{load.first_error_message} (the first of {load.error_count}; {why})"
    error = {
        "column_name": load.first_error_column_name,
        "category": FIRST_ERROR,
        "error": told,
    }
    return RejectFacts(
        load.file_name,
        line,
        line,
        0,
        load.first_error_column_name,
        FIRST_ERROR,
        told,
        json.dumps([error], ensure_ascii=False),
        b"",
        None,
    )
