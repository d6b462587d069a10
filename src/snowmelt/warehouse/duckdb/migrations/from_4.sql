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
