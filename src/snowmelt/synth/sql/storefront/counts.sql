-- How many records one file has, and of which kinds.
select
    count(kind) as records,
    histogram(kind) as kinds,
    histogram(repair) filter (repair is not null) as repairs
from (
    select kind, null as repair from query_table(getvariable('records'))
    union all
    select null, unnest(repairs) from query_table(getvariable('records'))
)
where kind is not null or repair is not null;
