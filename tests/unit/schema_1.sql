create schema snowmelt;
create schema bronze;

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
    started_at timestamptz not null
);

create table snowmelt.staged_files (
    file_name varchar not null,
    file_size bigint not null,
    file_mtime_ns bigint not null,
    file_ctime_ns bigint not null,
    pipe_name varchar not null,
    pipe_digest varchar not null,
    settled varchar not null,
    load_seq bigint not null
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
    replayed_by bigint
);

create table snowmelt.attempts (
    file_name varchar not null,
    pipe_name varchar not null,
    started_at timestamptz not null
);

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
    error varchar
);

create table snowmelt.node_history (
    run_id varchar not null,
    node varchar not null,
    resource_type varchar not null,
    status varchar not null,
    seconds double not null,
    failures bigint,
    message varchar
);

create table snowmelt.test_failures (
    run_id varchar not null,
    test varchar not null,
    ordinal bigint not null,
    failing_row varchar not null
);
