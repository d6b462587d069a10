"""What a file's broken records mean for the file. The grades are Snowflake's.

https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (ON_ERROR)
"""

from __future__ import annotations

from snowmelt.pipe.history import LoadStatus


def judge(on_error: str, row_parsed: int, error_count: int) -> LoadStatus:
    """Decide how a file's load ends.

    `skip_file_<n>` skips at n errors or more, `skip_file_<n>%` above n percent. A
    file of which no record can be loaded has failed under every grade.
    """
    if error_count == 0:
        return LoadStatus.LOADED
    if error_count >= row_parsed or _skips(on_error, row_parsed, error_count):
        return LoadStatus.LOAD_FAILED
    return LoadStatus.PARTIALLY_LOADED


def _skips(on_error: str, row_parsed: int, error_count: int) -> bool:
    if on_error == "continue":
        return False
    limit = on_error.removeprefix("skip_file").removeprefix("_")
    if limit.endswith("%"):
        return error_count * 100 > int(limit[:-1]) * row_parsed
    return error_count >= int(limit or 1)
