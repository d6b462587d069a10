"""History of loads and tasks, kept before the account forgets it. Pure.

COPY_HISTORY remembers 14 days and TASK_HISTORY 7
(https://docs.snowflake.com/en/sql-reference/functions/copy_history, …/task_history). A
task of its own keeps what is new of both twice a day, under the same names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from snowmelt.deploy.address import Address
from snowmelt.deploy.snowflake import sql
from snowmelt.deploy.snowflake.entity import Entity, address_of
from snowmelt.deploy.snowflake.table import Table, TableColumn
from snowmelt.deploy.snowflake.task import Task, TaskGraph

KEEP = "keep_history"
_HOUR = timedelta(hours=1)
_TEXT, _NUMBER, _TIME = "VARCHAR", "NUMBER(19,0)", "TIMESTAMP_LTZ"
COPIES = {
    "FILE_NAME": _TEXT,
    "STAGE_LOCATION": _TEXT,
    "LAST_LOAD_TIME": _TIME,
    "ROW_COUNT": _NUMBER,
    "ROW_PARSED": _NUMBER,
    "FILE_SIZE": _NUMBER,
    "FIRST_ERROR_MESSAGE": _TEXT,
    "FIRST_ERROR_LINE_NUMBER": _NUMBER,
    "FIRST_ERROR_CHARACTER_POS": _NUMBER,
    "FIRST_ERROR_COLUMN_NAME": _TEXT,
    "ERROR_COUNT": _NUMBER,
    "ERROR_LIMIT": _NUMBER,
    "STATUS": _TEXT,
    "TABLE_CATALOG_NAME": _TEXT,
    "TABLE_SCHEMA_NAME": _TEXT,
    "TABLE_NAME": _TEXT,
    "PIPE_CATALOG_NAME": _TEXT,
    "PIPE_SCHEMA_NAME": _TEXT,
    "PIPE_NAME": _TEXT,
    "PIPE_RECEIVED_TIME": _TIME,
}
TASKS = {
    "QUERY_ID": _TEXT,
    "NAME": _TEXT,
    "DATABASE_NAME": _TEXT,
    "SCHEMA_NAME": _TEXT,
    "QUERY_TEXT": _TEXT,
    "CONDITION_TEXT": _TEXT,
    "STATE": _TEXT,
    "ERROR_CODE": _TEXT,
    "ERROR_MESSAGE": _TEXT,
    "SCHEDULED_TIME": _TIME,
    "QUERY_START_TIME": _TIME,
    "COMPLETED_TIME": _TIME,
    "ROOT_TASK_ID": _TEXT,
    "GRAPH_VERSION": _NUMBER,
    "RUN_ID": _NUMBER,
    "RETURN_VALUE": _TEXT,
    "SCHEDULED_FROM": _TEXT,
    "ATTEMPT_NUMBER": _NUMBER,
    "CONFIG": _TEXT,
    "GRAPH_RUN_GROUP_ID": _NUMBER,
}
_COPY_KEY = ("TABLE_SCHEMA_NAME", "TABLE_NAME", "FILE_NAME", "LAST_LOAD_TIME", "STATUS")
_TASK_KEY = ("SCHEMA_NAME", "NAME", "SCHEDULED_TIME", "ATTEMPT_NUMBER", "STATE")


@dataclass(frozen=True)
class Keeping:
    """Where history is kept, and of what."""

    database: str
    schema: str
    warehouse: str
    tables: tuple[str, ...]
    """The tables of bronze, by their whole names."""
    needs: tuple[Address, ...]
    run_timeout: timedelta | None = None

    @property
    def _longest(self) -> int:
        """How many hours a run may take: a day, if the target says no more."""
        return max(24, 1 + math.ceil((self.run_timeout or timedelta()) / _HOUR))

    def path(self, name: str) -> str:
        return sql.path(self.database, self.schema, name)

    def entities(self) -> list[Entity]:
        """Return the tables, and the task that fills them; nothing without pipes."""
        if not self.tables:
            return []
        kept = [
            Table(
                self.path(name),
                tuple(TableColumn(column, kind) for column, kind in columns.items()),
                change_tracking=False,
                needs=self.needs,
            )
            for name, columns in (("copy_history", COPIES), ("task_history", TASKS))
        ]
        bronze = tuple(address_of(Table.kind, each) for each in self.tables)
        name = self.path(KEEP)
        task = Task(
            name,
            name,
            self._code(),
            self.warehouse,
            "720 MINUTE",
            needs=(*self.needs, *(each.address for each in kept), *bronze),
        )
        return [*kept, task, TaskGraph(name, members=(name,), needs=(task.address,))]

    def _code(self) -> str:
        """Return a block that keeps what is new, once it is over.

        It looks from an hour before the last load on, and from a day before the last
        run: what began then may have ended since.
        """
        functions = f"{sql.name(self.database)}.INFORMATION_SCHEMA"
        copied = "\n    UNION ALL\n    ".join(
            f"SELECT {', '.join(COPIES)} FROM TABLE({functions}.COPY_HISTORY("
            f"TABLE_NAME => {sql.text(each)}, START_TIME => :copied_since)) "
            "WHERE STATUS <> 'Load in progress'"
            for each in self.tables
        )
        ran = (
            f"SELECT {', '.join(TASKS)} FROM TABLE({functions}.TASK_HISTORY("
            "SCHEDULED_TIME_RANGE_START => :ran_since, RESULT_LIMIT => 10000))\n    "
            "WHERE STATE NOT IN ('SCHEDULED', 'EXECUTING') "
            f"AND DATABASE_NAME = {sql.text(self.database.upper())}"
        )
        copies, runs = self.path("copy_history"), self.path("task_history")
        lines = [
            "BEGIN",
            _since("copied_since", copies, "LAST_LOAD_TIME", 1, 13),
            _since("ran_since", runs, "SCHEDULED_TIME", self._longest, 6),
            _merge(copies, copied, COPIES, _COPY_KEY),
            _merge(runs, ran, TASKS, _TASK_KEY),
            "END",
        ]
        return f"EXECUTE IMMEDIATE\n{sql.body(chr(10).join(lines))}"


def _since(variable: str, table: str, column: str, hours: int, days: int) -> str:
    """Return what says from when on to look: no further back than is remembered."""
    oldest = f"DATEADD(DAY, -{days}, CURRENT_TIMESTAMP())"
    last = f"DATEADD(HOUR, -{hours}, COALESCE(MAX({column}), {oldest}))"
    return (
        f"  LET {variable} TIMESTAMP_LTZ := (SELECT GREATEST({oldest}, {last}) "
        f"FROM {table});"
    )


def _merge(table: str, query: str, columns: Iterable[str], key: Iterable[str]) -> str:
    listed = ", ".join(columns)
    same = " AND ".join(f"EQUAL_NULL(KEPT.{each}, NEWS.{each})" for each in key)
    values = ", ".join(f"NEWS.{each}" for each in columns)
    return (
        f"  MERGE INTO {table} AS KEPT USING (\n    {query}\n  ) AS NEWS\n  "
        f"ON {same}\n  WHEN NOT MATCHED THEN INSERT ({listed})\n  VALUES ({values});"
    )
