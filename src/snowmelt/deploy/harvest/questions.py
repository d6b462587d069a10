"""The statements that ask an account for its history. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from snowmelt.deploy.harvest.scope import PipeScope, Scope, TaskScope
from snowmelt.deploy.harvest.window import ROWS_MAX, Window
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.sql import Written

NOW = "SELECT CURRENT_TIMESTAMP() AS NOW"
_COPY_COLUMNS = (
    *("FILE_NAME", "STAGE_LOCATION", "LAST_LOAD_TIME", "ROW_COUNT", "ROW_PARSED"),
    *("FILE_SIZE", "FIRST_ERROR_MESSAGE", "FIRST_ERROR_LINE_NUMBER"),
    *("FIRST_ERROR_CHARACTER_POS", "FIRST_ERROR_COLUMN_NAME", "ERROR_COUNT"),
    *("ERROR_LIMIT", "STATUS", "PIPE_NAME", "PIPE_RECEIVED_TIME"),
)
_REJECT_COLUMNS = (
    *("ERROR", "FILE", "LINE", "CHARACTER", "BYTE_OFFSET", "CATEGORY", "CODE"),
    *("COLUMN_NAME", "ROW_NUMBER", "ROW_START_LINE", "REJECTED_RECORD"),
)
_TASK_COLUMNS = (
    *("QUERY_ID", "NAME", "DATABASE_NAME", "SCHEMA_NAME", "QUERY_TEXT"),
    *("CONDITION_TEXT", "STATE", "ERROR_CODE", "ERROR_MESSAGE", "SCHEDULED_TIME"),
    *("QUERY_START_TIME", "NEXT_SCHEDULED_TIME", "COMPLETED_TIME", "GRAPH_VERSION"),
    *("RUN_ID", "RETURN_VALUE", "SCHEDULED_FROM", "ATTEMPT_NUMBER", "CONFIG"),
    "GRAPH_RUN_GROUP_ID",
)
_QUERY_COLUMNS = (
    *("QUERY_ID", "QUERY_TEXT", "QUERY_TYPE", "USER_NAME", "WAREHOUSE_NAME"),
    *("WAREHOUSE_SIZE", "QUERY_TAG", "EXECUTION_STATUS", "ERROR_MESSAGE"),
    *("START_TIME", "END_TIME", "TOTAL_ELAPSED_TIME", "EXECUTION_TIME"),
    *("QUEUED_PROVISIONING_TIME", "QUEUED_REPAIR_TIME", "QUEUED_OVERLOAD_TIME"),
    *("ROWS_PRODUCED", "BYTES_SCANNED", "CREDITS_USED_CLOUD_SERVICES"),
)
_LOG_COLUMNS = (
    *("RUN_ID", "STEP", "OBJECT", "STARTED_AT", "ENDED_AT", "STATUS"),
    *("ROWS_IN", "ROWS_OUT", "ROWS_REJECTED", "BYTES", "ERROR", "DETAILS"),
)


def _time(at: datetime) -> sql.Named:
    """Write a moment as an argument of a function."""
    told = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f +00:00")
    return sql.Named(f"TO_TIMESTAMP_TZ({sql.text(told)})")


def _function(
    database: str, name: str, columns: tuple[str, ...], given: dict[str, Written]
) -> str:
    arguments = ",\n    ".join(
        f"{key} => {sql.value(each)}" for key, each in given.items()
    )
    return (
        f"SELECT {', '.join(columns)}\n"
        f"FROM TABLE({sql.name(database)}.INFORMATION_SCHEMA.{name}(\n"
        f"    {arguments}\n  ))"
    )


def copies(scope: Scope, pipe: PipeScope, window: Window) -> str:
    """Ask what was copied into a pipe's table."""
    return copies_of(scope.database, pipe.table_path, window)


def copies_of(database: str, table: str, window: Window) -> str:
    """Ask what was copied into a table."""
    given: dict[str, Written] = {
        "TABLE_NAME": table,
        "START_TIME": _time(window.start),
        "END_TIME": _time(window.end),
    }
    return _function(database, "COPY_HISTORY", _COPY_COLUMNS, given)


def rejects(scope: Scope, pipe: PipeScope, window: Window) -> str:
    """Ask what a pipe refused."""
    return rejects_of(scope.database, pipe.path, window)


def rejects_of(database: str, pipe: str, window: Window) -> str:
    """Ask what the pipe of a name refused."""
    given: dict[str, Written] = {
        "PIPE_NAME": pipe,
        "START_TIME": _time(window.start),
        "END_TIME": _time(window.end),
    }
    return _function(database, "VALIDATE_PIPE_LOAD", _REJECT_COLUMNS, given)


def status(pipe: PipeScope) -> str:
    """Ask how a pipe stands."""
    return f"SELECT SYSTEM$PIPE_STATUS({sql.text(pipe.path)}) AS STATUS"


def task_runs(scope: Scope, task: TaskScope, window: Window) -> str:
    """Ask how runs of a task ended; by its name, as the limit counts before WHERE."""
    name = task.plain_path.rpartition(".")[2]
    return task_runs_of(scope.database, name, window)


def task_runs_of(database: str, name: str, window: Window) -> str:
    """Ask how runs of tasks of a name ended, in whichever schema."""
    given: dict[str, Written] = {
        "SCHEDULED_TIME_RANGE_START": _time(window.start),
        "SCHEDULED_TIME_RANGE_END": _time(window.end),
        "RESULT_LIMIT": ROWS_MAX,
        "TASK_NAME": name,
    }
    return _function(database, "TASK_HISTORY", _TASK_COLUMNS, given)


def queries(scope: Scope, window: Window) -> str:
    """Ask what the project's warehouse carried out."""
    given: dict[str, Written] = {
        "WAREHOUSE_NAME": scope.names.warehouse,
        "END_TIME_RANGE_START": _time(window.start),
        "END_TIME_RANGE_END": _time(window.end),
        "RESULT_LIMIT": ROWS_MAX,
    }
    return _function(
        scope.database, "QUERY_HISTORY_BY_WAREHOUSE", _QUERY_COLUMNS, given
    )


def pipe_usage(scope: Scope, pipe: PipeScope, window: Window) -> str:
    """Ask what a pipe cost."""
    given: dict[str, Written] = {
        "DATE_RANGE_START": _time(window.start),
        "DATE_RANGE_END": _time(window.end),
        "PIPE_NAME": pipe.path,
    }
    columns = (
        *("START_TIME", "END_TIME", "PIPE_NAME", "CREDITS_USED", "BYTES_INSERTED"),
        *("FILES_INSERTED", "BYTES_BILLED"),
    )
    return _function(scope.database, "PIPE_USAGE_HISTORY", columns, given)


def metering(scope: Scope, window: Window) -> str:
    """Ask what the project's warehouse cost."""
    given: dict[str, Written] = {
        "DATE_RANGE_START": _time(window.start),
        "DATE_RANGE_END": _time(window.end),
        "WAREHOUSE_NAME": scope.names.warehouse,
    }
    columns = (
        *("START_TIME", "END_TIME", "WAREHOUSE_NAME", "CREDITS_USED"),
        *("CREDITS_USED_COMPUTE", "CREDITS_USED_CLOUD_SERVICES"),
    )
    return _function(scope.database, "WAREHOUSE_METERING_HISTORY", columns, given)


def log(scope: Scope, window: Window) -> str:
    """Ask our own log in the account, in the order in which steps were written.

    A step is written when it has ended, with when it had begun: asked by that, one
    that took longer than questions overlap would never be told.
    """
    written = "COALESCE(ENDED_AT, STARTED_AT)"
    return (
        f"SELECT {', '.join(_LOG_COLUMNS)}\n"
        f"FROM {scope.system}.PIPELINE_LOG\n"
        f"WHERE {written} BETWEEN {_time(window.start)} AND {_time(window.end)}\n"
        f"ORDER BY {written}\nLIMIT {ROWS_MAX}"
    )


def streams(scope: Scope) -> str:
    """Ask for every stream of the database."""
    return f"SHOW STREAMS IN DATABASE {sql.name(scope.database)}"


def unread(stream: str) -> str:
    """Ask whether a stream has rows that nobody has read."""
    return f"SELECT SYSTEM$STREAM_HAS_DATA({sql.text(stream)}) AS HAS_DATA"


def tasks(scope: Scope) -> str:
    """Ask which tasks there are, and whether they run."""
    return f"SHOW TASKS IN DATABASE {sql.name(scope.database)}"


def newest_publication(scope: Scope) -> str:
    """Ask when gold was published last."""
    return (
        f"SELECT MAX(ENDED_AT) AS PUBLISHED_AT\nFROM {scope.system}.PIPELINE_LOG\n"
        "WHERE STEP = 'publish' AND STATUS = 'ok'"
    )


_TABLE_COLUMNS = (
    *("TABLE_SCHEMA", "TABLE_NAME", "COLUMN_NAME", "ORDINAL_POSITION", "DATA_TYPE"),
    *("NUMERIC_PRECISION", "NUMERIC_SCALE"),
)


def columns(scope: Scope) -> str:
    """Ask for the columns of what models made, and of bronze that it is made of.

    What is being built (`GOLD_NEXT`) is not among them, nor what was refused.
    """
    return (
        f"SELECT {', '.join(_TABLE_COLUMNS)}\n"
        f"FROM {sql.name(scope.database)}.INFORMATION_SCHEMA.COLUMNS\n"
        "WHERE TABLE_SCHEMA NOT IN ('INFORMATION_SCHEMA', 'SNOWMELT')\n"
        "AND NOT ENDSWITH(TABLE_SCHEMA, '_NEXT') "
        "AND NOT ENDSWITH(TABLE_SCHEMA, '_REFUSED')\n"
        "ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"
    )
