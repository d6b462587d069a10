"""TASK_HISTORY and COMPLETE_TASK_GRAPHS: views of what `task_runs` has."""

TASK_VIEWS = (
    # exactly Snowflake's columns; a task has its name for an id
    """
create or replace view snowmelt.task_history as
select
    task_run_id as query_id,
    name,
    current_database() as database_name,
    'snowmelt' as schema_name,
    query_text,
    condition_text,
    state,
    null::bigint as error_code,
    error_message,
    scheduled_time,
    query_start_time,
    next_scheduled_time,
    completed_time,
    root_name as root_task_id,
    graph_version,
    epoch_ms(graph_scheduled_time) as run_id,
    return_value,
    scheduled_from,
    attempt_number,
    config,
    md5(query_text) as query_hash,
    1 as query_hash_version,
    null::varchar as query_parameterized_hash,
    null::bigint as query_parameterized_hash_version,
    graph_run_group_id,
    null::varchar as backfill_info,
    null::varchar as spcs_job_id
from snowmelt.task_runs
""",
    """
create or replace view snowmelt.complete_task_graphs as
select
    root_name as root_task_name,
    current_database() as database_name,
    'snowmelt' as schema_name,
    state,
    scheduled_from,
    first_error_task_name,
    null::bigint as first_error_code,
    first_error_message,
    scheduled_time,
    started_at as query_start_time,
    null::timestamptz as next_scheduled_time,
    ended_at as completed_time,
    root_name as root_task_id,
    graph_version,
    epoch_ms(scheduled_time) as run_id,
    attempt_number,
    config,
    graph_run_group_id
from snowmelt.task_graph_runs
where ended_at is not null and state <> 'SKIPPED'
""",
)
