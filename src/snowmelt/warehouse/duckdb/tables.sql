-- The tables that Snowmelt keeps for itself, as a new file has them.

create schema snowmelt;
create schema quarantine;
create schema changes;

create table snowmelt.meta (key varchar not null, value varchar not null);

create table snowmelt.load_history (
    file_name varchar not null,
    stage_location varchar not null,
    last_load_time timestamptz not null,
    row_count bigint not null,
    row_parsed bigint not null,
    file_size bigint not null,
    first_error_message varchar,
    first_error_line_number bigint,
    first_error_character_pos bigint,
    first_error_column_name varchar,
    error_count bigint not null,
    error_limit varchar not null,
    status varchar not null,
    table_schema_name varchar not null,
    table_name varchar not null,
    pipe_name varchar not null,
    pipe_received_time timestamptz not null,
    load_seq bigint not null,
    content_sha256 varchar,
    version_at timestamptz not null,
    superseded_by bigint,
    duplicate_of bigint,
    replay_of bigint,
    header varchar,
    started_at timestamptz not null,
    first_commit_time timestamptz,
    etag varchar,
    bytes_read bigint
);

create table snowmelt.staged_files (
    file_name varchar not null,
    file_size bigint not null,
    file_mtime_ns bigint not null,
    file_ctime_ns bigint not null,
    pipe_name varchar not null,
    pipe_digest varchar not null,
    settled varchar not null,
    load_seq bigint not null,
    etag varchar not null default '',
    version_id varchar not null default ''
);

-- reason: drift, killed_reader, person, incomplete; detail: JSON
-- decided: null, released, rejected
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

create table snowmelt.rejects (
    load_seq bigint not null,
    pipe_name varchar not null,
    file_name varchar not null,
    file_row bigint not null,
    line bigint not null,
    byte_offset bigint not null,
    column_name varchar,
    category varchar not null,
    error varchar not null,
    errors varchar not null,
    rejected_record blob not null,
    replayed_by bigint,
    timestamp timestamptz,
    row_start_line bigint,
    replayed_at timestamptz
);

-- evolution_type: ADD_COLUMN, DROP_NOT_NULL, WIDEN_TYPE
-- evolution_mode: COPY, APPROVED; query_id: load_seq as text
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

-- every change of a pipe's state, RUNNING or PAUSED; the newest holds
create table snowmelt.pipe_states (
    pipe_name varchar not null,
    execution_state varchar not null,
    changed_at timestamptz not null,
    reason varchar
);

-- completeness and freshness: fresh, late, missing, recovered, batch deadline
create table snowmelt.pipe_events (
    pipe_name varchar not null,
    event varchar not null,
    state varchar not null,
    due_at timestamptz,
    happened_at timestamptz not null,
    detail varchar
);

-- what snowmelt.pipe_status(pipe) answers
create table snowmelt.pipe_statuses (
    pipe_name varchar not null,
    status varchar not null,
    noted_at timestamptz not null
);

-- what is done with a file once its load is committed; state: due, done, failed
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

-- way: dbt, replay
create table snowmelt.run_history (
    run_id varchar not null,
    state varchar not null,
    reason varchar not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    read_through bigint,
    full_refresh varchar not null,
    project_digest varchar not null,
    models bigint,
    tests bigint,
    error varchar,
    way varchar,
    fallback_reason varchar
);

-- form: dbt, replayed, delta
create table snowmelt.node_history (
    run_id varchar not null,
    node varchar not null,
    resource_type varchar not null,
    status varchar not null,
    seconds double not null,
    failures bigint,
    message varchar,
    form varchar,
    rows_out bigint,
    started_at timestamptz
);

create table snowmelt.test_failures (
    run_id varchar not null,
    test varchar not null,
    ordinal bigint not null,
    failing_row varchar not null
);

-- how far each consumer has read a source: the last change it has taken
create table snowmelt.stream_offsets (
    consumer varchar not null,
    source varchar not null,
    position bigint not null,
    moved_at timestamptz not null
);

-- how far the log of a relation's changes goes, and through which it is cut off
create table snowmelt.change_logs (
    relation varchar not null,
    position bigint not null,
    cut_through bigint not null
);

-- what a model's rules did with the rows of one load
create table snowmelt.row_tallies (
    model varchar not null,
    load_seq bigint not null,
    rows_read bigint not null,
    rows_quarantined bigint not null,
    rows_dropped bigint not null,
    rows_warned bigint not null
);

-- where the rows of bronze are in silver, as each run left them
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

-- rebuilds that were compared with what is published
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

-- every step: notification, listing, request, copy, replay, run, model, test, seed,
-- snapshot, publish, after_load, expectation; details: JSON
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

-- every statement of a run; node: the model or test it was for
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

-- every judgement of a pipe's expectation that differs from the one before
create table snowmelt.freshness_history (
    pipe_name varchar not null,
    state varchar not null,
    due_at timestamptz not null,
    judged_at timestamptz not null,
    lag_seconds double
);

-- files that bronze reads without a copy of them; name: their link; columns: JSON
-- gone_by: what superseded the load of a file that was written over since
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

-- loads that were superseded and whose rows are not kept any more
create table snowmelt.vacuumed_loads (
    load_seq bigint not null,
    table_name varchar not null,
    rows_deleted bigint not null,
    vacuumed_at timestamptz not null
);

-- streams whose changes are gone: stale as long as the offset is at this position
create table snowmelt.stale_streams (
    consumer varchar not null,
    source varchar not null,
    position bigint not null,
    stale_since timestamptz not null
);

-- what is or was wrong, told through sinks; message: one line; details: JSON
create table snowmelt.alerts (
    alert_id varchar not null,
    rule varchar not null,
    cause varchar not null,
    severity varchar not null,
    opened_at timestamptz not null,
    resolved_at timestamptz,
    last_seen_at timestamptz not null,
    seen bigint not null,
    message varchar not null,
    details varchar not null
);

-- messages about alerts, in the order they were written
-- kind: opened, resolved, escalated; state: due, sent, failed, dropped
create table snowmelt.alert_deliveries (
    delivery_id bigint not null,
    alert_id varchar not null,
    sink varchar not null,
    kind varchar not null,
    state varchar not null,
    tries bigint not null,
    created_at timestamptz not null,
    next_try_at timestamptz not null,
    first_try_at timestamptz,
    sent_at timestamptz,
    error varchar
);

-- rules and alerts that nobody is to hear of; of a target the newest holds
create table snowmelt.alert_mutes (
    target varchar not null,
    until timestamptz not null,
    muted_at timestamptz not null
);

-- what `tasks:` of snowmelt.yml said, each time that it said something else; JSON
create table snowmelt.task_versions (
    graph_version bigint not null,
    root_name varchar not null,
    digest varchar not null,
    definition varchar not null,
    created_at timestamptz not null
);

-- attempts at graph runs; state: EXECUTING, SUCCEEDED, FAILED, CANCELLED, SKIPPED
-- read_through: the last load there was when it began; config: JSON
create table snowmelt.task_graph_runs (
    graph_run_group_id varchar not null,
    attempt_number bigint not null,
    root_name varchar not null,
    graph_version bigint not null,
    state varchar not null,
    cause varchar,
    scheduled_from varchar not null,
    scheduled_time timestamptz not null,
    started_at timestamptz not null,
    ended_at timestamptz,
    config varchar not null,
    read_through bigint not null,
    first_error_task_name varchar,
    first_error_message varchar
);

-- runs of tasks; state: as in TASK_HISTORY; run_id: the publication it is part of
-- cause: error, timeout, interrupted, rolled back, condition, overlap, stopped
create table snowmelt.task_runs (
    task_run_id varchar not null,
    graph_run_group_id varchar not null,
    attempt_number bigint not null,
    name varchar not null,
    root_name varchar not null,
    kind varchar not null,
    query_text varchar not null,
    condition_text varchar,
    state varchar not null,
    cause varchar,
    error_message varchar,
    scheduled_time timestamptz not null,
    query_start_time timestamptz,
    next_scheduled_time timestamptz,
    completed_time timestamptz,
    graph_version bigint not null,
    graph_scheduled_time timestamptz not null,
    scheduled_from varchar not null,
    config varchar,
    return_value varchar,
    output varchar,
    run_id varchar
);

-- every time a task was suspended or resumed; the newest holds
-- state: started, suspended; by: person, failures
create table snowmelt.task_states (
    name varchar not null,
    state varchar not null,
    changed_at timestamptz not null,
    changed_by varchar not null,
    reason varchar
);

-- every verb that somebody asked for and that changes something; arguments: JSON
-- door: pages, api, socket, command; result: done, or the kind of the error
create table snowmelt.action_log (
    who varchar not null,
    door varchar not null,
    action varchar not null,
    arguments varchar not null,
    result varchar not null,
    problem varchar,
    started_at timestamptz not null,
    ended_at timestamptz not null
);

-- what programs asked this service to do, in the order they asked
-- what: run, refresh, rebuild, audit, tasks; asked, answer: JSON
-- state: QUEUED, EXECUTING, SUCCEEDED, FAILED, CANCELLED
create table snowmelt.errands (
    errand bigint not null,
    key varchar,
    what varchar not null,
    asked varchar not null,
    cause varchar,
    who varchar not null,
    state varchar not null,
    tries bigint not null,
    asked_at timestamptz not null,
    began_at timestamptz,
    ended_at timestamptz,
    run_id varchar,
    graph_run_group_id varchar,
    answer varchar,
    problem varchar
);

create index load_history_file_name on snowmelt.load_history (file_name);
create index load_history_content on snowmelt.load_history (content_sha256);
create index staged_files_file_name on snowmelt.staged_files (file_name);
