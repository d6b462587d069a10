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
