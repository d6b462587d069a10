-- a gate: it must return no row
select file_name, first_error_message
from snowmelt.load_history
where status = 'Load failed' and last_load_time > now() - interval 1 hour
