"""History that is kept: the block's own statements, put into DuckDB's dialect."""

from __future__ import annotations

import re

import duckdb
import sqlglot

from snowmelt.deploy.snowflake.kept_history import COPIES, TASKS, Keeping
from snowmelt.deploy.snowflake.task import Task

TABLES = ("SHOP.BRONZE.ORDERS__ALL", "SHOP.BRONZE.EVENTS__ALL")
TYPES = {"VARCHAR": "varchar", "NUMBER(19,0)": "bigint", "TIMESTAMP_LTZ": "timestamptz"}


FUNCTION = re.compile(
    r"TABLE\(SHOP\.INFORMATION_SCHEMA\.(\w+)\((?:TABLE_NAME => "
    r"'SHOP\.BRONZE\.(\w+)__ALL', )?[^)]*\)\)"
)


def _as_table(call: re.Match[str]) -> str:
    return f"told.{call[1]}_{call[2]}" if call[2] else f"told.{call[1]}"


def merges() -> list[str]:
    """The two statements, over tables where the account has functions."""
    entities = Keeping("shop", "snowmelt", "SHOP_WH", TABLES, ()).entities()
    [task] = [each for each in entities if isinstance(each, Task)]
    found = re.findall(r"MERGE INTO .*?;", task.code, re.DOTALL)
    assert len(found) == 2
    made: list[str] = []
    for merge in found:
        text = FUNCTION.sub(_as_table, str(merge).rstrip(";"))
        made += sqlglot.transpile(text, read="snowflake", write="duckdb")
    return made


def told(connection: duckdb.DuckDBPyConnection, table: str, **row: object) -> None:
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(
        f"insert into {table} ({names}) values ({marks})", list(row.values())
    )


def test_each_load_and_each_run_is_kept_once_and_outlives_what_told_it() -> None:
    with duckdb.connect() as connection:
        connection.execute("attach ':memory:' as shop")
        connection.execute("create schema shop.snowmelt; create schema told")
        for name, columns in (
            ("shop.snowmelt.copy_history", COPIES),
            ("shop.snowmelt.task_history", TASKS),
            ("told.copy_history_orders", COPIES),
            ("told.copy_history_events", COPIES),
            ("told.task_history", TASKS),
        ):
            listed = ", ".join(f"{key} {TYPES[kind]}" for key, kind in columns.items())
            connection.execute(f"create table {name} ({listed})")
        load = {"table_name": "ORDERS__ALL", "file_name": "a.csv", "status": "Loaded"}
        at = "2026-06-01 00:00:00+00"
        told(connection, "told.copy_history_orders", last_load_time=at, **load)
        run = {"name": "DAILY", "state": "FAILED", "scheduled_time": at}
        run |= {"database_name": "SHOP"}
        told(connection, "told.task_history", attempt_number=1, **run)
        told(connection, "told.task_history", attempt_number=2, **run)
        told(connection, "told.task_history", **run | {"state": "EXECUTING"})
        told(connection, "told.task_history", **run | {"database_name": "OTHER"})
        for _ in range(2):
            for merge in merges():
                connection.execute(merge)
        # the account forgets; what is new is kept beside
        connection.execute("delete from told.copy_history_orders")
        later = load | {"table_name": "EVENTS__ALL"}
        told(connection, "told.copy_history_events", last_load_time=at, **later)
        for merge in merges():
            connection.execute(merge)
        kept = connection.sql(
            "select table_name, file_name, status from shop.snowmelt.copy_history "
            "order by 1"
        ).fetchall()
        assert kept == [
            ("EVENTS__ALL", "a.csv", "Loaded"),
            ("ORDERS__ALL", "a.csv", "Loaded"),
        ]
        ran = connection.sql(
            "select name, attempt_number from shop.snowmelt.task_history order by 2"
        ).fetchall()
        assert ran == [("DAILY", 1), ("DAILY", 2)]


def test_without_pipes_there_is_nothing_to_keep() -> None:
    assert Keeping("shop", "snowmelt", "SHOP_WH", (), ()).entities() == []
