"""An account in memory that remembers: the functions that tell history, as documented.

Columns, arguments, how long each function remembers, which window it takes and how many
rows it tells are those of the vendor's pages, written down here once more: a statement
that names a column or an argument that is not documented is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from snowflake_account import Account, named
from snowflake_reader import Reader
from snowmelt.deploy.snowflake.session import Row

COPY_COLUMNS = (
    "FILE_NAME STAGE_LOCATION LAST_LOAD_TIME ROW_COUNT ROW_PARSED FILE_SIZE "
    "FIRST_ERROR_MESSAGE FIRST_ERROR_LINE_NUMBER FIRST_ERROR_CHARACTER_POS "
    "FIRST_ERROR_COLUMN_NAME ERROR_COUNT ERROR_LIMIT STATUS TABLE_CATALOG_NAME "
    "TABLE_SCHEMA_NAME TABLE_NAME PIPE_CATALOG_NAME PIPE_SCHEMA_NAME PIPE_NAME "
    "PIPE_RECEIVED_TIME BYTES_BILLED"
)
REJECT_COLUMNS = (
    "ERROR FILE LINE CHARACTER BYTE_OFFSET CATEGORY CODE SQL_STATE COLUMN_NAME "
    "ROW_NUMBER ROW_START_LINE REJECTED_RECORD"
)
TASK_COLUMNS = (
    "QUERY_ID NAME DATABASE_NAME SCHEMA_NAME QUERY_TEXT CONDITION_TEXT STATE "
    "ERROR_CODE ERROR_MESSAGE SCHEDULED_TIME QUERY_START_TIME NEXT_SCHEDULED_TIME "
    "COMPLETED_TIME ROOT_TASK_ID GRAPH_VERSION RUN_ID RETURN_VALUE SCHEDULED_FROM "
    "ATTEMPT_NUMBER CONFIG QUERY_HASH QUERY_HASH_VERSION QUERY_PARAMETERIZED_HASH "
    "QUERY_PARAMETERIZED_HASH_VERSION GRAPH_RUN_GROUP_ID BACKFILL_INFO SPCS_JOB_ID"
)
QUERY_COLUMNS = (
    "QUERY_ID QUERY_TEXT DATABASE_NAME SCHEMA_NAME QUERY_TYPE SESSION_ID USER_NAME "
    "ROLE_NAME WAREHOUSE_NAME WAREHOUSE_SIZE WAREHOUSE_TYPE CLUSTER_NUMBER QUERY_TAG "
    "EXECUTION_STATUS ERROR_CODE ERROR_MESSAGE START_TIME END_TIME TOTAL_ELAPSED_TIME "
    "BYTES_SCANNED ROWS_PRODUCED COMPILATION_TIME EXECUTION_TIME "
    "QUEUED_PROVISIONING_TIME QUEUED_REPAIR_TIME QUEUED_OVERLOAD_TIME "
    "TRANSACTION_BLOCKED_TIME CREDITS_USED_CLOUD_SERVICES"
)
USAGE_COLUMNS = (
    "START_TIME END_TIME PIPE_NAME CREDITS_USED BYTES_INSERTED FILES_INSERTED "
    "BYTES_BILLED"
)
METERING_COLUMNS = (
    "START_TIME END_TIME WAREHOUSE_NAME CREDITS_USED CREDITS_USED_COMPUTE "
    "CREDITS_USED_CLOUD_SERVICES"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Function:
    """One function: what it takes, tells and remembers."""

    columns: str
    arguments: str
    keeps: timedelta
    start: str
    at: str
    """The column that its window is about."""
    result_limit: int | None = None


FUNCTIONS = {
    "COPY_HISTORY": Function(
        COPY_COLUMNS,
        "TABLE_NAME START_TIME END_TIME PIPE_NAME",
        timedelta(days=14),
        "START_TIME",
        "LAST_LOAD_TIME",
    ),
    "VALIDATE_PIPE_LOAD": Function(
        REJECT_COLUMNS,
        "PIPE_NAME START_TIME END_TIME",
        timedelta(days=14),
        "START_TIME",
        "",
    ),
    "TASK_HISTORY": Function(
        TASK_COLUMNS,
        "SCHEDULED_TIME_RANGE_START SCHEDULED_TIME_RANGE_END RESULT_LIMIT TASK_NAME "
        "ERROR_ONLY",
        timedelta(days=7),
        "SCHEDULED_TIME_RANGE_START",
        "SCHEDULED_TIME",
        100,
    ),
    "QUERY_HISTORY_BY_WAREHOUSE": Function(
        QUERY_COLUMNS,
        "WAREHOUSE_NAME END_TIME_RANGE_START END_TIME_RANGE_END RESULT_LIMIT "
        "INCLUDE_CLIENT_GENERATED_STATEMENT",
        timedelta(days=7),
        "END_TIME_RANGE_START",
        "END_TIME",
        100,
    ),
    "PIPE_USAGE_HISTORY": Function(
        USAGE_COLUMNS,
        "DATE_RANGE_START DATE_RANGE_END PIPE_NAME",
        timedelta(days=14),
        "DATE_RANGE_START",
        "START_TIME",
    ),
    "WAREHOUSE_METERING_HISTORY": Function(
        METERING_COLUMNS,
        "DATE_RANGE_START DATE_RANGE_END WAREHOUSE_NAME",
        timedelta(days=183),
        "DATE_RANGE_START",
        "START_TIME",
    ),
}
_CALL = re.compile(
    r"SELECT (?!DISTINCT)(?P<columns>[\w, ]+)\s+FROM TABLE\((?P<database>\w+)\."
    r"INFORMATION_SCHEMA\.(?P<name>\w+)\((?P<arguments>.*)\)\)",
    re.DOTALL,
)
_LOG = re.compile(
    r"SELECT (?P<columns>[\w, ]+)\s+FROM (?P<table>\S+)\s+WHERE "
    r"COALESCE\(ENDED_AT, STARTED_AT\) BETWEEN "
    r"(?P<start>\S+\('[^']+'\)) AND (?P<end>\S+\('[^']+'\))\s+ORDER BY "
    r"COALESCE\(ENDED_AT, STARTED_AT\)\s+LIMIT (?P<limit>\d+)"
)


class RememberingAccount(Account):
    """An account with a past. `told` has rows by function; keys are in capitals."""

    def __init__(self) -> None:
        super().__init__()
        self.told: dict[str, list[dict[str, Any]]] = {name: [] for name in FUNCTIONS}
        self.log: list[dict[str, Any]] = []
        self.rows_max = 10_000
        self.statuses: dict[str, dict[str, Any]] = {}
        self.stream_rows: dict[str, int] = {}
        self.stale_streams: set[str] = set()
        self.tasks_suspended: dict[str, str] = {}
        self.warehouse_state = "STARTED"
        self.used_credits = "1.5"
        self.zones = {"ACCOUNT": "America/Los_Angeles"}
        """TIMEZONE of the account, and of the user where it was set for it."""
        self.refused: dict[str, str] = {}
        """By a part of a statement: what is answered instead of rows."""
        self.after_statement: Callable[[str], None] = lambda statement: None

    def rows(self, statement: str) -> list[Row]:
        for part, message in self.refused.items():
            if part in statement:
                self.statements.append(statement)
                raise self._fail(message, 3001)
        answer = super().rows(statement)
        self.after_statement(statement)
        return answer

    def _select(self, reader: Reader) -> list[Row]:
        statement = reader.statement
        if statement == "SELECT CURRENT_TIMESTAMP() AS NOW":
            return [{"now": self.now}]
        if "WHERE STATUS <>" not in statement and (match := _CALL.match(statement)):
            return self._call(match)
        if match := _LOG.match(statement):
            return self._log(match)
        return super()._select(reader)

    # -- the functions

    def _call(self, match: re.Match[str]) -> list[Row]:
        name, function = match["name"], FUNCTIONS[match["name"]]
        self._require("DATABASE", named(match["database"]))
        given = self._arguments(match["arguments"])
        wrong = given.keys() - set(function.arguments.split())
        if wrong:
            raise self._fail(f"invalid argument {sorted(wrong)}", 1003)
        asked = [each.strip() for each in match["columns"].split(",")]
        if unknown := set(asked) - set(function.columns.split()):
            raise self._fail(f"invalid identifier {sorted(unknown)}", 904)
        if given[function.start] < self.now - function.keeps:
            raise self._fail(f"{name}: the range is older than it remembers", 1003)
        rows = self._chosen(name, function, given)
        limit = min(
            given.get("RESULT_LIMIT", function.result_limit) or self.rows_max,
            self.rows_max,
        )
        return [
            {column.lower(): row.get(column) for column in asked}
            for row in rows[:limit]
        ]

    def _arguments(self, text: str) -> dict[str, Any]:
        reader, found = Reader(text), {}
        while not reader.is_over:
            key = reader.word()
            reader.expect("=>")
            if reader.accept("TO_TIMESTAMP_TZ"):
                found[key] = _time(*reader.value())
            else:
                found[key] = reader.value()
            reader.accept(",")
        return found

    def _chosen(
        self, name: str, function: Function, given: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Rows of the object and the window that were asked for, newest first."""
        end_key = function.start.replace("START", "END")
        start, end = given[function.start], given.get(end_key, self.now)
        oldest = self.now - function.keeps
        if name == "VALIDATE_PIPE_LOAD":
            pipe = self._require("PIPE", named(given["PIPE_NAME"]))
            if "SELECT" in str(pipe.more["copy"].get("source", "")):
                raise self._fail("not supported for a pipe with a SELECT", 1003)
            rows = [r for r in self.told[name] if r["PIPE"] == ".".join(pipe.name)]
            return [r for r in rows if start <= r["AT"] <= end]
        rows = [r for r in self.told[name] if self._is_of(name, r, given)]
        at = function.at
        if name == "COPY_HISTORY":
            rows = [
                r for r in rows if start <= (r[at] or r["PIPE_RECEIVED_TIME"]) <= end
            ]
        elif name == "QUERY_HISTORY_BY_WAREHOUSE":
            # one that goes on has no end yet: it is in no window that has one
            rows = [r for r in rows if start <= r[at] <= end]
        else:
            rows = [r for r in rows if start <= r[at] <= end]
        rows = [r for r in rows if (r[at] or self.now) >= oldest]
        return sorted(rows, key=lambda r: r[at] or self.now, reverse=True)

    def _is_of(self, name: str, row: dict[str, Any], given: dict[str, Any]) -> bool:
        if name == "COPY_HISTORY":
            table = named(given["TABLE_NAME"])
            self._require("TABLE", table)
            return bool(row["TABLE"] == ".".join(table))
        if name == "TASK_HISTORY":
            return bool(row["NAME"] == given.get("TASK_NAME", row["NAME"]).upper())
        if name == "PIPE_USAGE_HISTORY":
            return bool(row["PIPE_NAME"] == given["PIPE_NAME"].replace('"', ""))
        return bool(row["WAREHOUSE_NAME"] == given["WAREHOUSE_NAME"])

    def _log(self, match: re.Match[str]) -> list[Row]:
        self._require("TABLE", named(match["table"]))
        start, end = (
            _time(re.findall(r"'([^']+)'", match[key])[0]) for key in ("start", "end")
        )
        rows = [row for row in self.log if start <= _written(row) <= end]
        rows.sort(key=_written)
        asked = [each.strip() for each in match["columns"].split(",")]
        return [
            {column.lower(): row.get(column) for column in asked}
            for row in rows[: int(match["limit"])]
        ]

    # -- how things stand

    def _system_pipe_status(self, name: str) -> str:
        told = json.loads(super()._system_pipe_status(name))
        return json.dumps(told | self.statuses.get(name, {}))

    def _system_stream_has_data(self, name: str) -> str:
        self._require("STREAM", named(name))
        return "true" if self.stream_rows.get(name.replace('"', "")) else "false"

    def _row_of_stream(self, thing: Any) -> dict[str, Any]:
        path = ".".join(thing.name)
        return super()._row_of_stream(thing) | {
            "stale": str(path in self.stale_streams).lower(),
            "stale_after": self.now + timedelta(days=14),
            "invalid_reason": "N/A",
            "type": "DELTA",
        }

    def _row_of_task(self, thing: Any) -> dict[str, Any]:
        reason = self.tasks_suspended.get(thing.name[-1])
        return super()._row_of_task(thing) | {
            "last_suspended_on": self.now if reason else None,
            "last_suspended_reason": reason,
        }

    def _row_of_warehouse(self, thing: Any) -> dict[str, Any]:
        return super()._row_of_warehouse(thing) | {"state": self.warehouse_state}

    def _row_of_resource_monitor(self, thing: Any) -> dict[str, Any]:
        used = {"used_credits": self.used_credits}
        return super()._row_of_resource_monitor(thing) | used

    def _show(self, reader: Reader) -> list[Row]:
        if not reader.accept("PARAMETERS"):
            return super()._show(reader)
        self._allowed("SHOW PARAMETERS")
        reader.expect("LIKE")
        assert reader.value() == "TIMEZONE"
        reader.expect("IN")
        whose = "ACCOUNT" if reader.accept("ACCOUNT") else "USER"
        if whose == "USER":
            reader.expect("USER")
            assert reader.name() == ("DEPLOYER",)
        level = whose if whose in self.zones else "ACCOUNT"
        row = {"key": "TIMEZONE", "value": self.zones[level], "level": level}
        return [row | {"default": "America/Los_Angeles", "type": "STRING"}]

    def _desc(self, reader: Reader) -> list[Row]:
        if not reader.accept("FILE", "FORMAT"):
            return super()._desc(reader)
        thing = self._require("FILE FORMAT", reader.name())
        return [
            {"property": key, "property_value": str(value)}
            for key, value in thing.options.items()
        ]

    # -- a past

    def remember_copy(
        self, table: str, pipe: str | None, path: str, **given: Any
    ) -> dict[str, Any]:
        """A copy of a file, as COPY_HISTORY tells it."""
        at = given.pop("at", self.now)
        row: dict[str, Any] = dict.fromkeys(COPY_COLUMNS.split())
        row |= {
            "TABLE": table,
            "FILE_NAME": path,
            "STAGE_LOCATION": "s3://shop-landing/raw/",
            "LAST_LOAD_TIME": at,
            "ROW_COUNT": 3,
            "ROW_PARSED": 3,
            "FILE_SIZE": 120,
            "ERROR_COUNT": 0,
            "ERROR_LIMIT": 1,
            "STATUS": "Loaded",
            "PIPE_NAME": pipe,
            "PIPE_RECEIVED_TIME": at - timedelta(seconds=20) if pipe else None,
        }
        row |= {key.upper(): value for key, value in given.items()}
        self.told["COPY_HISTORY"].append(row)
        return row

    def remember_task(self, name: str, **given: Any) -> dict[str, Any]:
        """A run of a task, as TASK_HISTORY tells it."""
        at = given.pop("at", self.now)
        row: dict[str, Any] = dict.fromkeys(TASK_COLUMNS.split())
        row |= {
            "QUERY_ID": f"q-{name}-{at.isoformat()}",
            "NAME": name,
            "DATABASE_NAME": "SHOP",
            "SCHEMA_NAME": "SNOWMELT",
            "QUERY_TEXT": "CALL RUN_DBT()",
            "STATE": "SUCCEEDED",
            "SCHEDULED_TIME": at,
            "QUERY_START_TIME": at + timedelta(seconds=2),
            "COMPLETED_TIME": at + timedelta(seconds=12),
            "GRAPH_VERSION": 1,
            "RUN_ID": 7,
            "SCHEDULED_FROM": "SCHEDULE",
            "ATTEMPT_NUMBER": 1,
            "GRAPH_RUN_GROUP_ID": "g1",
        }
        row |= {key.upper(): value for key, value in given.items()}
        self.told["TASK_HISTORY"].append(row)
        return row

    def remember_query(self, query_id: str, **given: Any) -> dict[str, Any]:
        """A statement, as QUERY_HISTORY tells it."""
        at = given.pop("at", self.now)
        row: dict[str, Any] = dict.fromkeys(QUERY_COLUMNS.split())
        row |= {
            "QUERY_ID": query_id,
            "QUERY_TEXT": "select 1",
            "QUERY_TYPE": "CREATE_TABLE_AS_SELECT",
            "USER_NAME": "DBT",
            "WAREHOUSE_NAME": "SHOP_WH",
            "WAREHOUSE_SIZE": "X-Small",
            "QUERY_TAG": "",
            "EXECUTION_STATUS": "SUCCESS",
            "START_TIME": at,
            "END_TIME": at + timedelta(seconds=4),
            "TOTAL_ELAPSED_TIME": 4000,
            "EXECUTION_TIME": 3000,
            "ROWS_PRODUCED": 5,
            "BYTES_SCANNED": 1000,
            "CREDITS_USED_CLOUD_SERVICES": 0.001,
        }
        row |= {key.upper(): value for key, value in given.items()}
        self.told["QUERY_HISTORY_BY_WAREHOUSE"].append(row)
        return row

    def remember_run(self, at: datetime, **given: Any) -> dict[str, Any]:
        """A row of our log there."""
        row = {
            "STEP": "run",
            "OBJECT": "build --target prod",
            "STARTED_AT": at,
            "ENDED_AT": at + timedelta(seconds=60),
            "STATUS": "ok",
            "ERROR": None,
        } | {key.upper(): value for key, value in given.items()}
        self.log.append(row)
        return row


def _written(row: dict[str, Any]) -> datetime:
    written: datetime = row["ENDED_AT"] or row["STARTED_AT"]
    return written


def _time(told: str) -> datetime:
    return datetime.strptime(told, "%Y-%m-%d %H:%M:%S.%f %z")
