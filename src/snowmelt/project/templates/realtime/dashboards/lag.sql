-- title: From the time of a file to gold, the last hour of files
-- chart: table
-- x: way
-- y: files, median_seconds, seconds_of_95_percent, longest_seconds

-- By replay of what dbt said before, or by dbt: the first run of a project, and in doubt.
with

files as (

    select
        file_name,
        load_seq,
        make_timestamp(file_mtime_ns // 1000) as landed_at
    from snowmelt.staged_files

),

published as (

    select
        files.file_name,
        files.landed_at,
        min(runs.ended_at at time zone 'UTC') as published_at,
        arg_min(runs.way, runs.ended_at) as way
    from files
    inner join snowmelt.run_history as runs
        on files.load_seq <= runs.read_through
    where runs.state = 'SUCCEEDED'
        and files.landed_at > (select max(landed_at) from files) - interval 1 hour
    group by files.file_name, files.landed_at

),

lags as (

    select
        way,
        epoch(published_at - landed_at) as seconds
    from published

)

select
    way,
    count(*) as files,
    round(quantile_cont(seconds, 0.5), 2) as median_seconds,
    round(quantile_cont(seconds, 0.95), 2) as seconds_of_95_percent,
    round(max(seconds), 2) as longest_seconds
from lags
group by way
order by way
