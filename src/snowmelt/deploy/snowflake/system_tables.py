"""The tables of the system's schema in an account, column by column: data."""

from __future__ import annotations

from snowmelt.deploy.migration.destination import (
    FILES,
    FILES_COLUMNS,
    LOADS,
    LOADS_COLUMNS,
)
from snowmelt.deploy.snowflake.task_place import TAKEN

_LOG = (
    ("TURN", "NUMBER(19,0)", True),
    ("RUN_ID", "VARCHAR", True),
    ("STEP", "VARCHAR", False),
    ("OBJECT", "VARCHAR", False),
    ("STARTED_AT", "TIMESTAMP_LTZ", False),
    ("ENDED_AT", "TIMESTAMP_LTZ", True),
    ("STATUS", "VARCHAR", False),
    ("ROWS_IN", "NUMBER(19,0)", True),
    ("ROWS_OUT", "NUMBER(19,0)", True),
    ("ROWS_REJECTED", "NUMBER(19,0)", True),
    ("BYTES", "NUMBER(19,0)", True),
    ("ERROR", "VARCHAR", True),
    ("DETAILS", "VARCHAR", True),
)
_NEWS_READ = (
    ("STREAM_NAME", "VARCHAR", False),
    ("ROW_COUNT", "NUMBER(19,0)", False),
    ("READ_AT", "TIMESTAMP_LTZ", False),
)
SYSTEM_TABLES = {
    "pipeline_log": _LOG,
    "news_read": _NEWS_READ,
    TAKEN: _NEWS_READ,
    FILES: FILES_COLUMNS,
    LOADS: LOADS_COLUMNS,
}
