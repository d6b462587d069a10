"""SYSTEM$STREAM_HAS_DATA: are there rows that their reader has not read yet?

The reader of a bronze table is what publishes: then rows are unread until a published
run has read them, by all streams on the table too. A graph that builds no models
reads for itself: rows are unread until a run of it that began after them succeeds.
"""

from __future__ import annotations

from dataclasses import dataclass

from snowmelt.errors import RunError
from snowmelt.transform.streams import COLUMNS, find_streams
from snowmelt.warehouse.port import Session

_AFTER = """
    select count(*) > 0 from snowmelt.load_history
    where lower(table_name) = lower($1) and row_count > 0
        and (load_seq > $2 or superseded_by > $2)
"""
_STREAMS_OF = """
    select min(position) from snowmelt.stream_offsets
    where lower(source) = lower($1)
"""


@dataclass(frozen=True)
class Reader:
    """Who reads: a graph that publishes, or one that does not; and where bronze is."""

    root: str
    publishes: bool
    bronze: str = "bronze"


def position(session: Session) -> int:
    """Return the last load there is."""
    return int(session.value("select max(load_seq) from snowmelt.load_history") or 0)


def has_unread(session: Session, reader: Reader, name: str) -> bool:
    """Has a table of bronze, or a stream, rows that were not read?

    Raises RunError for a stream that is not there, once anything was published.
    """
    if "." in name:
        return _stream_is_unread(session, name)
    offset = _read_through(session, reader)
    if reader.publishes:
        slowest = session.value(_STREAMS_OF, [f"{reader.bronze}.{name}"])
        offset = offset if slowest is None else min(offset, int(slowest))
    return bool(session.value(_AFTER, [name, offset]))


def _read_through(session: Session, reader: Reader) -> int:
    if reader.publishes:
        found = session.value(
            "select max(read_through) from snowmelt.run_history "
            "where state = 'SUCCEEDED'"
        )
    else:
        found = session.value(
            "select max(read_through) from snowmelt.task_graph_runs "
            "where root_name = $1 and state = 'SUCCEEDED'",
            [reader.root],
        )
    return int(found or 0)


def _stream_is_unread(session: Session, name: str) -> bool:
    """Ask a consumer's streams, or the one of a source: `a.model.b.source`."""
    streams = [dict(zip(COLUMNS, row, strict=True)) for row in find_streams(session)]
    chosen = [
        each
        for each in streams
        if name.lower()
        in (each["consumer"].lower(), f"{each['consumer']}.{each['source']}".lower())
    ]
    if chosen:
        return any(each["has_data"] for each in chosen)
    published = session.value(
        "select count(*) > 0 from snowmelt.run_history where state = 'SUCCEEDED'"
    )
    if not published:  # no model has read anything yet: all of it waits
        return position(session) > 0
    raise RunError(
        f"stream_has_data({name})", "there is no such stream", "See: snowmelt streams"
    )
