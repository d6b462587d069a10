"""What a file's broken records mean for the file. The grades are Snowflake's.

https://docs.snowflake.com/en/sql-reference/sql/copy-into-table (ON_ERROR)
"""

from __future__ import annotations

from dataclasses import replace

from snowmelt.bronze.fileread import FileRead
from snowmelt.bronze.raw import Reject
from snowmelt.pipe.history import LoadRecord, LoadStatus


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


def with_account(record: LoadRecord, read: FileRead, on_error: str) -> LoadRecord:
    """Fill in what reading the file came to."""
    if read.problem:
        return replace(
            record, status=LoadStatus.LOAD_FAILED, first_error_message=read.problem
        )
    status = judge(on_error, read.row_parsed, len(read.rejects))
    first: Reject | None = read.rejects[0] if read.rejects else None
    failed = status is LoadStatus.LOAD_FAILED
    return replace(
        record,
        status=status,
        row_count=0 if failed else read.row_count,
        row_parsed=read.row_parsed,
        error_count=len(read.rejects),
        first_error_message=first.errors[0].error if first else None,
        first_error_line_number=first.line if first else None,
        first_error_character_pos=first.byte_offset if first else None,
        first_error_column_name=first.errors[0].column_name if first else None,
    )
