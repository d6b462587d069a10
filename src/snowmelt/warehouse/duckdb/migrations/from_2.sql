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
