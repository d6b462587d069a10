"""What is logged, as lines of JSON on stderr, for machines that collect them.

Events, the log of this package, and warnings of every library go through one
formatter: a line has `timestamp`, `level`, `logger` and `event`, and says of which
`pipe` and `run_id` it is, where that is known.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

from snowmelt.events import Event, RunFinished, StatementFinished, concerns, describe

log = structlog.stdlib.get_logger("snowmelt")
_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


@contextmanager
def json_lines() -> Iterator[None]:
    """Write whatever is logged as lines of JSON on stderr while the block lasts."""
    shared = [_add_concerns, *_SHARED]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    root, own = logging.getLogger(), logging.getLogger("snowmelt")
    before = own.level
    root.addHandler(lines)
    own.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        own.setLevel(before)
        root.removeHandler(lines)
        structlog.reset_defaults()


class EventLog:
    """A sink that logs each event under its name."""

    def __call__(self, event: Event) -> None:
        """Log one event; statements are left to `query_history`."""
        if isinstance(event, StatementFinished):
            return
        told = describe(event)
        if isinstance(event, RunFinished):
            told["nodes"] = len(event.nodes)
        if told.get("pipe_name"):
            told["pipe"] = told.pop("pipe_name")
        failed = any(told.get(name) for name in ("error", "problem"))
        failed = failed or told.get("status") == "Load failed"
        log.log(logging.WARNING if failed else logging.INFO, **told)


def _add_concerns(_: Any, __: str, line: EventDict) -> EventDict:
    """Add what the thread is at; what the line itself says goes first."""
    return {**concerns(), **line}
