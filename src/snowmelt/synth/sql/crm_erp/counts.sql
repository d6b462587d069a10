-- How many records one file has of each kind, good ones included, and how many of each repair.
select kind as quirk, true as is_kind, count(*) as made
from query_table(getvariable('records'))
group by kind
union all
select repair, false, count(*)
from (select unnest(repairs) as repair from query_table(getvariable('records')))
group by repair;
