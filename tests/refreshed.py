"""What a task that refreshes pipes says to the account, carried out over DuckDB.

The task's own text is read: each query that writes a statement, and what is sent then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache

import duckdb
import sqlglot

_STEP = re.compile(
    r"  (?P<query>SELECT .*?)\n    INTO :statement\n(?P<rest>.*?);\n"
    r"  EXECUTE IMMEDIATE :statement;\n",
    re.DOTALL,
)
_FORMAT = """'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM'"""
_OPTION = re.compile(
    r"ALTER PIPE (?P<pipe>\S+) REFRESH(?: MODIFIED_AFTER = '(?P<since>[^']+)')?"
)


def sent_by(
    code: str, pipes: Mapping[tuple[str, str], datetime], now: datetime
) -> list[str]:
    """Return the statements that a task sends at a moment.

    `pipes`: when each was made, by schema and name, as far as the role may see them
    (https://docs.snowflake.com/en/sql-reference/info-schema/pipes).
    """
    head = "EXECUTE IMMEDIATE\n$$\nDECLARE\n  statement VARCHAR DEFAULT '';\nBEGIN\n"
    assert code.startswith(head), code
    steps = list(_STEP.finditer(code))
    assert head + "".join(each[0] for each in steps) + "END\n$$" == code, code
    engine = _engine()
    engine.execute("delete from pipes")
    for (schema, name), made in pipes.items():
        engine.execute("insert into pipes values (?, ?, ?)", [schema, name, made])
    found = []
    for each in steps:
        asked = _as_duckdb(f"{each['query']}\n{each['rest']}")
        (statement,) = engine.execute(asked, {"now": now}).fetchall()[0]
        found.append(str(statement))
    return found


def read_refresh(statement: str) -> tuple[str, datetime | None]:
    """Return the pipe of a refresh, and since when it looks."""
    read = _OPTION.fullmatch(statement)
    assert read is not None, statement
    since = read["since"]
    return read["pipe"], datetime.fromisoformat(since) if since else None


@cache
def _as_duckdb(query: str) -> str:
    """Put a query into DuckDB's dialect; moments are written by a macro, in UTC."""
    assert query.count(f", {_FORMAT})") == query.count("TO_VARCHAR(") == 1
    for said, meant in (
        (f", {_FORMAT})", ")"),
        ("TO_VARCHAR(", "ISO("),
        ("SHOP.INFORMATION_SCHEMA.PIPES", "pipes"),
        ("CURRENT_TIMESTAMP()", "moment"),
    ):
        query = query.replace(said, meant)
    [asked] = sqlglot.transpile(query, read="snowflake", write="duckdb")
    return asked.replace("moment", "$now::timestamptz")


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    connection.execute(
        "create table pipes (pipe_schema text, pipe_name text, created timestamptz)"
    )
    connection.execute(
        "create macro iso(t) as "
        "strftime(t at time zone 'UTC', '%Y-%m-%dT%H:%M:%S+00:00')"
    )
    return connection
