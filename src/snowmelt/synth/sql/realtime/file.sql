-- One file of the outbox: its lines, how many there are, and of which kinds.
with

records as materialized (

    select
        *,
        sent_as = 'good' and n < max(case sent_as when 'good' then n end) over (
            order by place, copy rows between unbounded preceding and 1 preceding
        ) as is_unordered
    from outbox
    where file = getvariable('file')

),

kinds as (

    select sent_as as kind from records
    where sent_as <> 'good'
    union all
    select unnest(repairs) from records
    union all
    select unnest(quirks) from records
    union all
    select 'unordered_events' from records
    where is_unordered

)

select
    coalesce(string_agg(line || chr(10), '' order by place, copy), '') as text,
    count(*) as records,
    (select histogram(kind) from kinds) as kinds
from records;
