-- How many records of each kind one file has.
select kind, count(*) as records
from query_table(getvariable('records'))
group by kind
order by kind;
