"""Streams, as SHOW STREAMS tells them. Pure.

https://docs.snowflake.com/en/sql-reference/sql/show-streams
"""

from __future__ import annotations

import re
from typing import Any

from snowmelt.deploy.harvest.reading import flag, moment, text
from snowmelt.deploy.snowflake.session import Row
from snowmelt.deploy.snowflake.task_place import OWED

STREAM_COLUMNS = (
    *("name", "table_name", "mode", "stale", "stale_after", "invalid_reason"),
    "has_data",
)
_OWN = re.compile(r"SNOWMELT_S__(?P<model>.+?)__(?P<table>.+)")


def stream_of(row: Row, path: str, has_data: bool | None) -> tuple[Any, ...]:
    """Return a stream with STREAM_COLUMNS."""
    reason = text(row.get("invalid_reason"))
    return (
        path,
        str(row["table_name"]),
        str(row.get("mode") or "DEFAULT"),
        flag(row.get("stale")),
        moment(row.get("stale_after")),
        None if reason == "N/A" else reason,
        has_data,
    )


def consumer_of(path: str) -> str:
    """Return who reads a stream: the model that owns it, or tasks' conditions."""
    _, schema, name = path.replace('"', "").split(".", 2)
    if name.upper().endswith("__NEWS") or name.lower() == OWED:
        return "tasks"
    own = _OWN.fullmatch(name)
    model = own["model"] if own else name
    return f"{schema}.{model}".lower()


def source_of(table: str) -> str:
    """Return what a stream is on, as it is called here: `bronze.orders`."""
    parts = table.replace('"', "").lower().split(".")
    return ".".join(parts[-2:]).removesuffix("__all")
