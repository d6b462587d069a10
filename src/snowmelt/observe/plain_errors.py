"""Errors that a person can act on are logged as what they say, without a traceback.

They come out of work that goes on beside everything else, where whatever is raised is
logged. Where in the code it was is of use only for what nobody expected.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from snowmelt.errors import SnowmeltError


class _Plain(logging.Filter):
    """Says such an error in one line; its remedy once, however often it comes."""

    def __init__(self) -> None:
        super().__init__()
        self._told: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, SnowmeltError):
            told = str(error)
            if told in self._told:
                told = f"{error.where}: {error.problem}" if error.where else told
            self._told.add(str(error))
            record.msg, record.args = f"{record.getMessage()}: {told}", ()
            record.exc_info = record.exc_text = None
        return True


@contextmanager
def plain_errors() -> Iterator[None]:
    """Log them so while the block lasts."""
    log, plain = logging.getLogger("snowmelt"), _Plain()
    log.addFilter(plain)
    try:
        yield
    finally:
        log.removeFilter(plain)
