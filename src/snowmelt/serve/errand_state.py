"""How an errand stands: its words, for whoever keeps, asks or shows them."""

from __future__ import annotations

from enum import StrEnum


class ErrandState(StrEnum):
    """How an errand stands. The words are those of Snowflake's QUERY_HISTORY and tasks.

    See https://docs.snowflake.com/en/sql-reference/functions/task_history
    """

    QUEUED = "QUEUED"
    EXECUTING = "EXECUTING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def has_ended(self) -> bool:
        return self in (self.SUCCEEDED, self.FAILED, self.CANCELLED)
