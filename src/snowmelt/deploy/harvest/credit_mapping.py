"""What an account was billed for, hour by hour. Pure.

https://docs.snowflake.com/en/sql-reference/functions/pipe_usage_history
https://docs.snowflake.com/en/sql-reference/functions/warehouse_metering_history
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from snowmelt.deploy.harvest.reading import moment, number, whole
from snowmelt.deploy.snowflake.session import Row


@dataclass(frozen=True)
class PipeUsage:
    """What a pipe took in a stretch of time."""

    pipe_name: str
    start_time: datetime
    end_time: datetime
    credits_used: float
    bytes_inserted: int
    files_inserted: int
    bytes_billed: int


@dataclass(frozen=True)
class Metering:
    """What a warehouse took in an hour."""

    warehouse_name: str
    start_time: datetime
    end_time: datetime
    credits_used: float
    credits_used_compute: float
    credits_used_cloud_services: float


def pipe_usage_of(row: Row, pipe_name: str) -> PipeUsage:
    """Return a row of PIPE_USAGE_HISTORY."""
    start, end = _hour(row)
    return PipeUsage(
        pipe_name,
        start,
        end,
        number(row["credits_used"]) or 0.0,
        whole(row["bytes_inserted"]) or 0,
        whole(row["files_inserted"]) or 0,
        whole(row.get("bytes_billed")) or 0,
    )


def metering_of(row: Row) -> Metering:
    """Return a row of WAREHOUSE_METERING_HISTORY."""
    start, end = _hour(row)
    whole_of_it = number(row["credits_used"]) or 0.0
    compute = number(row.get("credits_used_compute"))
    return Metering(
        str(row["warehouse_name"]),
        start,
        end,
        whole_of_it,
        whole_of_it if compute is None else compute,
        number(row.get("credits_used_cloud_services")) or 0.0,
    )


def _hour(row: Row) -> tuple[datetime, datetime]:
    start, end = moment(row["start_time"]), moment(row["end_time"])
    assert start is not None and end is not None, "an hour has a beginning and an end"
    return start, end
