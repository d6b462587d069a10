"""An account in memory that remembers, and has rows of gold: DuckDB behind its words.

What a dashboard asks is read by sqlglot as Snowflake's and carried out as DuckDB's, in
which names are in capitals there. What is asked of rows is in `asked`; every other
statement is answered as `RememberingAccount` does.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import sqlglot

from snowflake_history import RememberingAccount
from snowmelt.deploy.snowflake.session import AccountError, Row

_NEWEST = re.compile(r"SELECT MAX\(ENDED_AT\) AS PUBLISHED_AT\s+FROM SHOP\.SNOWMELT\.")
_COLUMNS = re.compile(r"SELECT [\w, ]+\s+FROM SHOP\.INFORMATION_SCHEMA\.COLUMNS")
_OF_ROWS = re.compile(r"SHOP\.(GOLD|SILVER)\.")
_KINDS = {"VARCHAR": "TEXT", "DOUBLE": "FLOAT", "TIMESTAMP": "TIMESTAMP_NTZ"}
_NUMBER = re.compile(r"DECIMAL\((\d+),(\d+)\)")


class GoldAccount(RememberingAccount):
    """One account, `SHOP`. `refuses`: by parts of statements, what is said instead."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.sent: list[str] = []
        self.refuses: dict[str, tuple[int, str]] = {}
        self.problem: Exception | None = None
        self.before: Callable[[str], None] = lambda statement: None
        self._lock = threading.Lock()
        self._con = duckdb.connect()
        self._con.execute("attach ':memory:' as SHOP")
        for schema in ("BRONZE", "SILVER", "GOLD"):
            self._con.execute(f"create schema SHOP.{schema}")

    def close(self) -> None:
        """A session ends; the account goes on."""

    def make(self, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
        """Make a table with its rows, in place of what was there."""
        self._con.execute(f"create or replace table SHOP.{table} ({columns})")
        for row in rows:
            marks = ", ".join("?" for _ in row)
            self._con.execute(f"insert into SHOP.{table} values ({marks})", list(row))

    def drop(self, table: str) -> None:
        """Drop a table."""
        self._con.execute(f"drop table SHOP.{table}")

    def ask(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Ask the engine itself, as it stands here."""
        self._con.execute("use SHOP.GOLD")
        return self._con.execute(query, list(values)).fetchall()

    def publish(self, at: datetime, status: str = "ok") -> None:
        """A run that published gold, as its log there tells it."""
        run = {"run_id": f"dbt-{at.isoformat()}"}
        self.remember_run(at, **run)
        end = at + timedelta(seconds=50)
        self.remember_run(
            at, **run, step="publish", object="gold", status=status, ended_at=end
        )

    def rows(self, statement: str) -> list[Row]:
        self.before(statement)
        if self.problem is not None:
            raise self.problem
        self.sent.append(statement)
        for part, (number, said) in self.refuses.items():
            if part in statement:
                raise AccountError(statement, number, said, "ACCOUNTADMIN")
        if _NEWEST.match(statement):
            return [{"published_at": self._newest()}]
        if _COLUMNS.match(statement):
            return self._columns()
        if _OF_ROWS.search(statement) and statement.startswith(("SELECT", "WITH")):
            self.asked.append(statement)
            return self._answered(statement)
        return super().rows(statement)

    def _newest(self) -> datetime | None:
        return max(
            (
                row["ENDED_AT"]
                for row in self.log
                if (row["STEP"], row["STATUS"]) == ("publish", "ok")
            ),
            default=None,
        )

    def _columns(self) -> list[Row]:
        with self._lock:
            told = self._con.execute(
                "select schema_name, table_name, column_name, column_index, data_type "
                "from duckdb_columns() where database_name = 'SHOP' order by all"
            ).fetchall()
        names = ("table_schema", "table_name", "column_name", "ordinal_position")
        rows: list[Row] = []
        for *place, kind in told:
            number = _NUMBER.fullmatch(kind)
            precision, scale = map(int, number.groups()) if number else (38, 0)
            is_number = number is not None or kind in ("BIGINT", "INTEGER")
            rows.append(
                {
                    **{k: str(v).upper() for k, v in zip(names, place, strict=True)},
                    "data_type": "NUMBER" if is_number else _KINDS.get(kind, kind),
                    "numeric_precision": precision if is_number else None,
                    "numeric_scale": scale if is_number else None,
                }
            )
        return rows

    def _answered(self, statement: str) -> list[Row]:
        [told] = sqlglot.transpile(statement, read="snowflake", write="duckdb")
        with self._lock:
            try:
                done = self._con.execute(told)
            except duckdb.Error as error:
                raise AccountError(statement, 904, str(error)) from None
            names = [column[0].lower() for column in done.description or ()]
            return [dict(zip(names, row, strict=True)) for row in done.fetchall()]
