"""How far models have read what they stream, and what waits for them."""

from __future__ import annotations

from snowmelt.transform.change_logs import log_table
from snowmelt.warehouse.port import Row, Session
from snowmelt.warehouse.sql import literal

COLUMNS = (
    *("consumer", "source", "position", "moved_at", "rows_inserted", "rows_deleted"),
    *("has_data", "waiting_since", "stale", "stale_after"),
)
# Rows of a load that came and went again behind the offset are neither. Bronze keeps
# every row, and a log is cut only behind all who read it: a stream becomes stale by a
# rebuild of its source alone, and then reads everything once.
_OF_BRONZE = """
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
        false as stale
    from snowmelt.stream_offsets as streams
    left join snowmelt.load_history as loads
        on loads.table_schema_name || '.' || loads.table_name = streams.source
        and loads.row_count > 0
        and (loads.load_seq > streams.position
            or loads.superseded_by > streams.position)
    where streams.source not in (select relation from snowmelt.change_logs)
    group by all
"""


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


def find_streams(session: Session) -> list[Row]:
    """Return every stream with COLUMNS, by consumer and source."""
    logs = session.rows(
        "select distinct source from snowmelt.stream_offsets "
        "join snowmelt.change_logs on relation = source order by source"
    )
    every = " union all ".join([_OF_BRONZE, *(_of_log(source) for (source,) in logs)])
    return session.rows(
        "select consumer, source, position, moved_at, rows_inserted, "  # noqa: S608
        "rows_deleted, stale or rows_inserted + rows_deleted > 0, waiting_since, "
        f"stale, null::timestamptz from ({every}) order by consumer, source"
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
            streams.position < logs.cut_through
        from snowmelt.stream_offsets as streams
        join snowmelt.change_logs as logs on logs.relation = streams.source
        left join {log_table(source)} as changes
            on changes._change_seq > streams.position
        where streams.source = {literal(source)}
        group by all
    """  # noqa: S608 - names of ours
