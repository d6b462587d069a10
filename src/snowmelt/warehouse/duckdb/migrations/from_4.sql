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
