-- the return value: what the last hour has brought
select
    'customers ' || coalesce(sum(row_count) filter (pipe_name = 'customers'), 0)
    || ', products ' || coalesce(sum(row_count) filter (pipe_name = 'products'), 0)
    || ', transactions ' || coalesce(sum(row_count) filter (pipe_name = 'transactions'), 0)
from snowmelt.load_history
where last_load_time > now() - interval 1 hour
