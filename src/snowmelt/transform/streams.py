"""How far models have read what they stream, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from snowmelt.transform.change_logs import log_table
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import literal

COLUMNS = (
    *("consumer", "source", "position", "moved_at", "rows_inserted", "rows_deleted"),
    *("has_data", "waiting_since", "stale", "stale_after", "loads_waiting", "of_log"),
)
# Rows of a load that came and went again behind the offset are neither. Bronze and
# logs keep every row that a stream has not read: it becomes stale by a rebuild of its
# source, or where it was not read for so long that the vacuum did not wait for it.
# Only what came or went behind the slowest of them is looked at.
_OF_BRONZE = """
    with unread as (
        select
            load_seq, row_count, superseded_by, last_load_time,
            table_schema_name || '.' || table_name as source
        from snowmelt.load_history
        where (load_seq > {slowest} or superseded_by > {slowest}) and row_count > 0
    )

    select
        streams.consumer,
        streams.source,
        streams.position,
        streams.moved_at,
        coalesce(sum(loads.row_count) filter (
            loads.load_seq > streams.position and loads.superseded_by is null
        ), 0)::bigint as rows_inserted,
        coalesce(sum(loads.row_count) filter (
            loads.load_seq <= streams.position
        ), 0)::bigint as rows_deleted,
        min(loads.last_load_time) filter (
            loads.load_seq > streams.position and loads.superseded_by is null
        ) as waiting_since,
        bool_or(stale.position is not null) as stale,
        count(loads.load_seq) filter (
            loads.load_seq > streams.position and loads.superseded_by is null
        ) as loads_waiting,
        false as of_log
    from snowmelt.stream_offsets as streams
    left join snowmelt.stale_streams as stale
        on stale.consumer = streams.consumer and stale.source = streams.source
        and stale.position = streams.position
    left join unread as loads
        on loads.source = streams.source
        and (loads.load_seq > streams.position
            or loads.superseded_by > streams.position)
    where streams.source not in (select relation from snowmelt.change_logs)
    group by all
"""


@dataclass(frozen=True)
class Behind:
    """A stream on bronze behind whose offset rows wait, and since when."""

    consumer: str
    source: str
    moved_at: datetime
    rows: int
    since: datetime


def find_behind(session: Session, now: datetime, longest: timedelta) -> list[Behind]:
    """Return the streams on bronze whose rows have waited for longer than they may.

    Of streams on models those on bronze before them tell. Only what lies behind the
    offset that is furthest back is read: positions ascend in load history.
    """
    least = session.value(
        "select min(position) from snowmelt.stream_offsets "
        "where source not in (select relation from snowmelt.change_logs)"
    )
    if least is None:
        return []
    rows = session.rows(
        "select streams.consumer, streams.source, streams.moved_at, "  # noqa: S608
        "sum(loads.row_count)::bigint, min(loads.last_load_time) as since "
        "from snowmelt.stream_offsets as streams "
        "join (select load_seq, row_count, last_load_time, "
        "table_schema_name || '.' || table_name as relation "
        f"from snowmelt.load_history where load_seq > {int(least)} "
        "and row_count > 0 and superseded_by is null) as loads "
        "on loads.relation = streams.source and loads.load_seq > streams.position "
        "where streams.source not in (select relation from snowmelt.change_logs) "
        "group by streams.consumer, streams.source, streams.moved_at "
        "order by streams.consumer, streams.source"
    )
    found = [Behind(*row) for row in rows]
    return [each for each in found if now - each.since > longest]


def tell_offsets(session: Session) -> None:
    """Tell the session the offsets as they are, so that a statement may ask for them.

    The engine knows a variable before it runs a statement, what is in a table only
    while it does: by then it has begun to read every file behind bronze.
    """
    session.execute(
        "set variable snowmelt_offsets = (select "
        "map(list(consumer || ' ' || source), list(position)) "
        "from snowmelt.stream_offsets)"
    )


def stale_stream(session: Session) -> str | None:
    """Return a model whose stream is stale: it has to read everything.

    Its log was begun anew, or what it has not read was vacuumed. The offset of a
    stream that was read since has moved.
    """
    found: str | None = session.value(
        "select min(streams.consumer) from snowmelt.stream_offsets as streams "
        "left join snowmelt.change_logs as logs on logs.relation = streams.source "
        "left join snowmelt.stale_streams as stale "
        "on stale.consumer = streams.consumer and stale.source = streams.source "
        "and stale.position = streams.position "
        "where streams.position < logs.cut_through or stale.stale_since is not null"
    )
    return found


def unread_streams(session: Session) -> list[Row]:
    """Return (consumer, source, since when) of streams that were not waited for."""
    return session.rows(
        "select stale.consumer, stale.source, stale.stale_since "
        "from snowmelt.stale_streams as stale "
        "semi join snowmelt.stream_offsets using (consumer, source, position) "
        "order by stale.consumer, stale.source"
    )


def mark_stale(
    session: Session, held: Mapping[int, Sequence[str]], now: datetime
) -> tuple[str, ...]:
    """Mark the streams that owed their models rows of these loads; return whose.

    In the transaction in which the rows go.
    """
    if not held:
        return ()
    consumers = sorted({each for names in held.values() for each in names})
    marked = session.rows(
        "insert into snowmelt.stale_streams "
        "select distinct streams.consumer, streams.source, streams.position, "
        "$3::timestamptz from snowmelt.stream_offsets as streams "
        "join snowmelt.load_history as loads on loads.load_seq in "
        "(select unnest($1::json::bigint[])) "
        "and streams.source = loads.table_schema_name || '.' || loads.table_name "
        "and streams.position >= loads.load_seq "
        "and streams.position < loads.superseded_by "
        "anti join snowmelt.stale_streams as known "
        "using (consumer, source, position) "
        "where streams.consumer in (select unnest($2::json::varchar[])) "
        "returning consumer",
        [list(held), consumers, now],
    )
    return tuple(sorted({name for (name,) in marked}))


def forget_moved(session: Session) -> None:
    """Forget of streams that were stale, and were read since."""
    session.execute(
        "delete from snowmelt.stale_streams where (consumer, source, position) not in "
        "(select (consumer, source, position) from snowmelt.stream_offsets)"
    )


def find_streams(session: Session) -> list[Row]:
    """Return every stream with COLUMNS, by consumer and source."""
    logs = session.rows(
        "select distinct source from snowmelt.stream_offsets "
        "join snowmelt.change_logs on relation = source order by source"
    )
    slowest = session.value(
        "select min(position) from snowmelt.stream_offsets "
        "where source not in (select relation from snowmelt.change_logs)"
    )
    of_bronze = _OF_BRONZE.format(slowest=int(slowest or 0))
    every = " union all ".join([of_bronze, *(_of_log(source) for (source,) in logs)])
    return session.rows(
        "select consumer, source, position, moved_at, rows_inserted, "  # noqa: S608
        "rows_deleted, stale or rows_inserted + rows_deleted > 0, waiting_since, "
        "stale, null::timestamptz, loads_waiting, of_log "
        f"from ({every}) order by consumer, source"
    )


def _of_log(source: str) -> str:
    """Return SQL of the streams on one model's log."""
    return f"""
        select
            streams.consumer,
            streams.source,
            streams.position,
            streams.moved_at,
            count(*) filter (changes."METADATA$ACTION" = 'INSERT'),
            count(*) filter (changes."METADATA$ACTION" = 'DELETE'),
            null::timestamptz,
            streams.position < logs.cut_through,
            0,
            true
        from snowmelt.stream_offsets as streams
        join snowmelt.change_logs as logs on logs.relation = streams.source
        left join {log_table(source)} as changes
            on changes._change_seq > streams.position
        where streams.source = {literal(source)}
        group by all
    """  # noqa: S608 - names of ours
