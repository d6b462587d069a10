-- Grain: one row per block of one file's text, in the order they are to be written.
with

records as (

    select
        array_to_string(fields, ',') || getvariable('terminator') as text,
        row_number() over (order by n, copy) - 1 as label
    from query_table(getvariable('records'))

)

select string_agg(text, '' order by label) as text
from records
group by label // 2000
order by label // 2000;
