"""The way of an older file to today's schema version, step by step.

A step stands as it was when its version came out, and is never changed: what today's
tables look like is in `system.py`, and a test compares the two. A table that has an
index cannot be altered: a step drops the index first and makes it again at its end.
"""

from __future__ import annotations

from snowmelt.warehouse.port import Session

SCHEMA_VERSION = 4

_FROM_1 = """
alter table snowmelt.load_history add column first_commit_time timestamptz;
alter table snowmelt.load_history add column etag varchar;
alter table snowmelt.load_history add column bytes_read bigint;
update snowmelt.load_history set first_commit_time = last_load_time;

alter table snowmelt.staged_files add column etag varchar default '';
alter table snowmelt.staged_files add column version_id varchar default '';
alter table snowmelt.staged_files alter column etag set not null;
alter table snowmelt.staged_files alter column version_id set not null;

alter table snowmelt.rejects add column timestamp timestamptz;
alter table snowmelt.rejects add column row_start_line bigint;
alter table snowmelt.rejects add column replayed_at timestamptz;
update snowmelt.rejects
set
    row_start_line = line,
    timestamp = (
        select any_value(history.started_at) from snowmelt.load_history as history
        where history.load_seq = rejects.load_seq
    ),
    replayed_at = (
        select any_value(replay.last_load_time) from snowmelt.load_history as replay
        where replay.load_seq = rejects.replayed_by
    );

drop table snowmelt.attempts;

create table snowmelt.held_files (
    file_name varchar not null,
    pipe_name varchar not null,
    file_size bigint not null,
    file_mtime_ns bigint not null,
    file_ctime_ns bigint not null,
    etag varchar not null default '',
    reason varchar not null,
    detail varchar not null,
    held_at timestamptz not null,
    decided varchar,
    decided_at timestamptz
);

create table snowmelt.schema_evolution (
    pipe_name varchar not null,
    table_name varchar not null,
    column_name varchar not null,
    column_type varchar not null,
    evolution_type varchar not null,
    evolution_mode varchar not null,
    file_name varchar,
    triggering_time timestamptz not null,
    query_id varchar,
    load_seq bigint
);

create table snowmelt.pipe_states (
    pipe_name varchar not null,
    execution_state varchar not null,
    changed_at timestamptz not null,
    reason varchar
);

create table snowmelt.pipe_events (
    pipe_name varchar not null,
    event varchar not null,
    state varchar not null,
    due_at timestamptz,
    happened_at timestamptz not null,
    detail varchar
);

create table snowmelt.pipe_statuses (
    pipe_name varchar not null,
    status varchar not null,
    noted_at timestamptz not null
);

create table snowmelt.after_load (
    load_seq bigint not null,
    file_name varchar not null,
    pipe_name varchar not null,
    action varchar not null,
    target varchar,
    state varchar not null,
    error varchar,
    changed_at timestamptz not null
);

create table snowmelt.pipes (
    pipe_catalog varchar not null,
    pipe_schema varchar not null,
    pipe_name varchar not null,
    pipe_owner varchar,
    definition varchar not null,
    is_autoingest_enabled varchar not null,
    notification_channel_name varchar,
    created timestamptz not null,
    last_altered timestamptz not null,
    comment varchar,
    pattern varchar not null,
    table_name varchar not null,
    on_error varchar not null,
    file_format varchar not null,
    pipe_digest varchar not null
);

create table snowmelt.stages (
    stage_catalog varchar not null,
    stage_schema varchar not null,
    stage_name varchar not null,
    stage_url varchar not null,
    stage_region varchar,
    stage_type varchar not null,
    stage_owner varchar,
    comment varchar,
    created timestamptz not null,
    last_altered timestamptz not null
);

create index load_history_file_name on snowmelt.load_history (file_name);
create index load_history_content on snowmelt.load_history (content_sha256);
create index staged_files_file_name on snowmelt.staged_files (file_name);
"""

_FROM_2 = """
create schema if not exists quarantine;
create schema if not exists changes;

alter table snowmelt.run_history add column way varchar;
alter table snowmelt.run_history add column fallback_reason varchar;
update snowmelt.run_history set way = 'dbt';

alter table snowmelt.node_history add column form varchar;
alter table snowmelt.node_history add column rows_out bigint;
alter table snowmelt.node_history add column started_at timestamptz;
update snowmelt.node_history set form = 'dbt';

create table snowmelt.stream_offsets (
    consumer varchar not null,
    source varchar not null,
    position bigint not null,
    moved_at timestamptz not null
);

create table snowmelt.change_logs (
    relation varchar not null,
    position bigint not null,
    cut_through bigint not null
);

create table snowmelt.row_tallies (
    model varchar not null,
    load_seq bigint not null,
    rows_read bigint not null,
    rows_quarantined bigint not null,
    rows_dropped bigint not null,
    rows_warned bigint not null
);

create table snowmelt.reconciliation (
    run_id varchar not null,
    model varchar not null,
    bronze_rows bigint not null,
    silver_rows bigint not null,
    quarantined_rows bigint not null,
    dropped_rows bigint not null,
    superseded_rows bigint not null,
    deduplicated_rows bigint not null
);

create table snowmelt.audit_history (
    audit_id varchar not null,
    state varchar not null,
    reason varchar not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    tables_compared bigint,
    tables_differing varchar,
    error varchar
);

create table snowmelt.pipeline_log (
    turn bigint,
    run_id varchar,
    step varchar not null,
    object varchar not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    status varchar not null,
    rows_in bigint,
    rows_out bigint,
    rows_rejected bigint,
    bytes bigint,
    error varchar,
    details varchar
);

create table snowmelt.query_history (
    query_id varchar not null,
    run_id varchar,
    node varchar,
    query_text varchar not null,
    started_at timestamptz not null,
    seconds double not null,
    rows_produced bigint,
    status varchar not null,
    error varchar
);

create table snowmelt.freshness_history (
    pipe_name varchar not null,
    state varchar not null,
    due_at timestamptz not null,
    judged_at timestamptz not null,
    lag_seconds double
);
"""

_FROM_3 = """
create table snowmelt.external_files (
    load_seq bigint not null,
    table_name varchar not null,
    file_name varchar not null,
    name varchar not null,
    file_size bigint not null,
    file_mtime_ns bigint not null,
    columns varchar not null,
    query varchar not null,
    gone_by bigint
);
"""

STEPS = {1: _FROM_1, 2: _FROM_2, 3: _FROM_3}
"""Schema version: what makes a file of it one of the next version."""


def migrate(session: Session, found: int) -> None:
    """Bring a file of version `found` up to date; in the caller's transaction."""
    for version in range(found, SCHEMA_VERSION):
        for statement in STEPS[version].split(";\n"):
            if statement.strip():
                session.execute(statement)
    session.execute(
        "update snowmelt.meta set value = $1 where key = 'schema_version'",
        [str(SCHEMA_VERSION)],
    )
