"""Views and functions under Snowflake's names, in schema `snowmelt`.

Each has Snowflake's columns first, in Snowflake's order, then ours. What Snowflake
knows and we do not is NULL: nothing is made up. Views hold nothing, so they are made
anew whenever their text or the product's version changed.

The table `load_history` has one row a file under COPY_HISTORY's names and keeps its
own name. Snowflake's view LOAD_HISTORY leaves out what pipes loaded; what asks for
loads of pipes asks `copy_history`, there and here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from snowmelt import __version__
from snowmelt.warehouse.duckdb.task_views import TASK_VIEWS
from snowmelt.warehouse.port import Row, Session

_TEXT = (
    "coalesce(try(decode(rejects.rejected_record)), rejects.rejected_record::varchar)"
)

VIEWS = (
    """
create or replace view snowmelt.copy_history as
select
    file_name,
    stage_location,
    last_load_time,
    row_count,
    row_parsed,
    file_size,
    first_error_message,
    first_error_line_number,
    first_error_character_pos,
    first_error_column_name,
    error_count,
    error_limit,
    status,
    current_database() as table_catalog_name,
    table_schema_name,
    table_name,
    current_database() as pipe_catalog_name,
    'snowmelt' as pipe_schema_name,
    pipe_name,
    pipe_received_time,
    0::bigint as bytes_billed,
    coalesce(first_commit_time, last_load_time) as first_commit_time,
    load_seq,
    content_sha256,
    superseded_by,
    duplicate_of,
    replay_of,
    etag
from snowmelt.load_history
""",
    # a replay takes its records from the warehouse: no file was read for it
    """
create or replace view snowmelt.pipe_usage_history as
select
    date_trunc('hour', last_load_time) as start_time,
    date_trunc('hour', last_load_time) + interval 1 hour as end_time,
    pipe_name,
    0::double as credits_used,
    sum(file_size)::bigint as bytes_inserted,
    count(*) as files_inserted,
    0::bigint as bytes_billed
from snowmelt.load_history
where status in ('Loaded', 'Partially loaded') and replay_of is null
group by all
""",
    # one row for each thing that is wrong; a file that could not be read has one
    """
create or replace macro snowmelt.validate_pipe_load(
    pipe_name, start_time, end_time := 'infinity'
) as table
with errors as (
    select
        unnest(
            from_json(
                rejects.errors,
                '[{"column_name": "varchar", "category": "varchar",
                   "error": "varchar"}]'
            )
        ) as each,
        rejects.*,
        coalesce(rejects.timestamp, history.started_at) as happened_at,
        coalesce(
            try(decode(rejects.rejected_record)), rejects.rejected_record::varchar
        ) as record
    from snowmelt.rejects as rejects
    join snowmelt.load_history as history using (load_seq)
    where rejects.pipe_name = pipe_name
)
select
    errors.each.error as error,
    errors.file_name as file,
    errors.line as line,
    null::bigint as character,
    errors.byte_offset as byte_offset,
    errors.each.category as category,
    null::bigint as code,
    null::varchar as sql_state,
    errors.each.column_name as column_name,
    errors.file_row as row_number,
    coalesce(errors.row_start_line, errors.line) as row_start_line,
    errors.record as rejected_record
from errors
where errors.happened_at between start_time::timestamptz and end_time::timestamptz
union all
select
    history.first_error_message,
    history.file_name,
    history.first_error_line_number,
    null,
    history.first_error_character_pos,
    'FILE',
    null,
    null,
    history.first_error_column_name,
    null,
    null,
    null
from snowmelt.load_history as history
where history.pipe_name = pipe_name
    and history.status = 'Load failed'
    and history.started_at between start_time::timestamptz and end_time::timestamptz
    and not exists (
        select 1 from snowmelt.rejects as rejects
        where rejects.load_seq = history.load_seq
    )
order by file, row_number
""",
    """
create or replace view snowmelt.error_table as
select
    coalesce(rejects.timestamp, history.started_at) as timestamp,
    rejects.load_seq::varchar as query_id,
    null::bigint as error_code,
    json_object(
        'error_code', null,
        'error_message', rejects.error,
        'error_source', rejects.column_name,
        'sql_state', null,
        'service', 'snowpipe',
        'details', json_object(
            'pipe_name', rejects.pipe_name,
            'file_name', rejects.file_name,
            'row_number', rejects.file_row,
            'line', rejects.line,
            'byte_offset', rejects.byte_offset,
            'category', rejects.category,
            'errors', rejects.errors::json
        )
    ) as error_metadata,
    json_object(
        'rejected_record', coalesce(
            try(decode(rejects.rejected_record)), rejects.rejected_record::varchar
        )
    ) as error_data,
    history.table_name,
    rejects.pipe_name,
    rejects.file_name,
    rejects.file_row,
    rejects.load_seq,
    rejects.replayed_by,
    rejects.replayed_at
from snowmelt.rejects as rejects
join snowmelt.load_history as history using (load_seq)
""",
    # SHOW STREAMS; stale: the source was built anew, or unread rows were vacuumed
    """
create or replace view snowmelt.streams as
select
    null::timestamptz as created_on,
    streams.consumer as name,
    current_database() as database_name,
    split_part(streams.consumer, '.', 1) as schema_name,
    null::varchar as owner,
    null::varchar as comment,
    streams.source as table_name,
    'Table' as source_type,
    streams.source as base_tables,
    'DELTA' as type,
    coalesce(streams.position < logs.cut_through, false)
        or stale.stale_since is not null as stale,
    'DEFAULT' as mode,
    null::timestamptz as stale_after,
    case when streams.position < logs.cut_through then 'the source was built anew'
        when stale.stale_since is not null then 'it was not read for too long'
        else 'N/A' end as invalid_reason,
    streams.position,
    streams.moved_at
from snowmelt.stream_offsets as streams
left join snowmelt.change_logs as logs on logs.relation = streams.source
left join snowmelt.stale_streams as stale
    on stale.consumer = streams.consumer and stale.source = streams.source
    and stale.position = streams.position
""",
    """
create or replace macro snowmelt.pipe_status(pipe) as (
    select any_value(noted.status::json) from snowmelt.pipe_statuses as noted
    where noted.pipe_name = pipe
)
""",
    *TASK_VIEWS,
)


def ensure_views(session: Session) -> None:
    """Make the views and functions, unless this product's stand there already."""
    text = "".join([__version__, *VIEWS])
    wanted = hashlib.sha256(text.encode()).hexdigest()[:16]
    found = session.value("select value from snowmelt.meta where key = 'views'")
    if found == wanted:
        return
    with session.transaction():
        for statement in VIEWS:
            session.execute(statement)
        session.execute("delete from snowmelt.meta where key = 'views'")
        session.insert("snowmelt.meta", {"key": ["views"], "value": [wanted]})


@dataclass(frozen=True)
class PipeEntry:
    """A pipe as `snowmelt.pipes` shows it; `digest` tells when it was altered."""

    name: str
    table_name: str
    pattern: str
    on_error: str
    file_format: Mapping[str, object]
    digest: str
    comment: str = ""
    schema_name: str = "bronze"


@dataclass(frozen=True)
class StageEntry:
    """The stage as `snowmelt.stages` shows it.

    `channel` is where its notifications come from, such as the ARN of a queue.
    """

    name: str
    url: str
    is_external: bool = False
    region: str | None = None
    channel: str | None = None


def write_catalog(
    session: Session, pipes: Sequence[PipeEntry], stage: StageEntry, now: datetime
) -> bool:
    """Make `pipes` and `stages` show what the project says; return if they changed.

    `created` stays for a name that stays; `last_altered` moves when what is shown
    of it does. Nothing is written when nothing changed.
    """
    catalog = str(session.value("select current_database()"))
    rows = [_pipe_row(catalog, pipe, stage) for pipe in pipes]
    changed = _show(session, "snowmelt.pipes", _PIPE_COLUMNS, rows, now)
    staged = [_stage_row(catalog, stage)]
    return _show(session, "snowmelt.stages", _STAGE_COLUMNS, staged, now) or changed


_PIPE_COLUMNS = (
    *("pipe_catalog", "pipe_schema", "pipe_name", "pipe_owner", "definition"),
    *("is_autoingest_enabled", "notification_channel_name", "comment", "pattern"),
    *("table_name", "on_error", "file_format", "pipe_digest"),
)
_STAGE_COLUMNS = (
    *("stage_catalog", "stage_schema", "stage_name", "stage_url", "stage_region"),
    *("stage_type", "stage_owner", "comment"),
)
_NAME_AT = 2
"""Where the name stands in both."""


def _show(
    session: Session, table: str, columns: Sequence[str], rows: list[Row], now: datetime
) -> bool:
    """Make a table hold these rows, with when each was created and altered."""
    known = session.rows(
        f"select {', '.join(columns)}, created, last_altered from {table}"  # noqa: S608
    )
    times = {row[_NAME_AT]: (row[:-2], *row[-2:]) for row in known}
    created, altered = [], []
    for row in rows:
        before, born, last = times.get(row[_NAME_AT], ((), now, now))
        created.append(born)
        altered.append(last if before == row else now)
    if {row[:-2] for row in known} == set(rows):
        return False
    with session.transaction():
        session.execute(f"delete from {table}")  # noqa: S608
        values: dict[str, Sequence[object]] = {
            name: [row[place] for row in rows] for place, name in enumerate(columns)
        }
        session.insert(table, values | {"created": created, "last_altered": altered})
    return True


def _pipe_row(catalog: str, pipe: PipeEntry, stage: StageEntry) -> Row:
    return (
        catalog,
        "snowmelt",
        pipe.name,
        None,
        _definition(pipe, stage),
        "YES",
        stage.channel,
        pipe.comment or None,
        pipe.pattern,
        pipe.table_name,
        pipe.on_error,
        json.dumps(dict(pipe.file_format), ensure_ascii=False),
        pipe.digest,
    )


def _definition(pipe: PipeEntry, stage: StageEntry) -> str:
    """Return the pipe as the COPY statement it stands for.

    PATTERN is a glob here and a regular expression in Snowflake: it is left out,
    and has a column of its own.
    """
    options = " ".join(
        f"{name} = {_literal(value)}" for name, value in pipe.file_format.items()
    )
    on_error = pipe.on_error if "%" not in pipe.on_error else f"'{pipe.on_error}'"
    return (
        f"copy into {pipe.schema_name}.{pipe.table_name} from @{stage.name} "
        f"file_format = ({options}) on_error = {on_error}"
    )


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return "(" + ", ".join(_literal(each) for each in value) + ")"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _stage_row(catalog: str, stage: StageEntry) -> Row:
    kind = "External Named" if stage.is_external else "Internal Named"
    return (
        *(catalog, "snowmelt", stage.name, stage.url, stage.region),
        *(kind, None, None),
    )
