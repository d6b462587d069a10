"""Streams as a document, and the alert that one does not move."""

from __future__ import annotations

from datetime import datetime, timedelta

from snowmelt.serve.commands import Document
from snowmelt.service.documents import SCHEMA_VERSION, as_documents, plain
from snowmelt.transform.streams import (
    COLUMNS,
    find_behind,
    find_streams,
    unread_streams,
)
from snowmelt.warehouse.port import Session

_LONGEST = timedelta(days=36_500)
MARGIN = timedelta(minutes=5)
"""How much longer than `publish.wait_max` rows may wait before it is a problem."""


def streams_document(
    session: Session, stale_after: timedelta = timedelta.max
) -> Document:
    """Return every stream: its offset, what waits for it, whether it is stale.

    Or when it may be, if what waits is not read until then.
    """
    streams = as_documents(COLUMNS, find_streams(session))
    for stream in streams:
        if stream["waiting_since"] and stale_after < _LONGEST:
            since = datetime.fromisoformat(str(stream["waiting_since"]))
            stream["stale_after"] = plain(since + stale_after)
    return {"schema_version": SCHEMA_VERSION, "streams": streams}


def stuck_streams(session: Session, now: datetime, wait_max: timedelta) -> list[str]:
    """Say which streams have not moved although rows wait for longer than they may."""
    told = [
        f"stream of {consumer} on {source} is stale since {since:%Y-%m-%d %H:%M}: it "
        "was not read for too long (retention.stale_after); the next run builds the "
        "model from nothing, or asks for: snowmelt rebuild"
        for consumer, source, since in unread_streams(session)
    ]
    for each in find_behind(session, now, wait_max + MARGIN):
        rows = "1 row waits" if each.rows == 1 else f"{each.rows} rows wait"
        told.append(
            f"stream of {each.consumer} on {each.source} has not moved since "
            f"{each.moved_at:%Y-%m-%d %H:%M} while {rows}; why the runs fail: "
            "snowmelt status"
        )
    return told
