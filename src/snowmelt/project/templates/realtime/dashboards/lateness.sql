-- title: How long after they happened the newest 10,000 events were loaded
-- chart: bar
-- x: loaded_after
-- y: events

with

newest as (

    select ingested_at - event_at as late_by
    from silver.user_events
    order by _load_seq desc, event_at desc
    limit 10000

),

sorted as (

    select
        case
            when late_by <= interval 5 second then 1
            when late_by <= interval 1 minute then 2
            when late_by <= interval 1 hour then 3
            when late_by <= interval 1 day then 4
            else 5
        end as place
    from newest

)

select
    ['5 s', 'a minute', 'an hour', 'a day', 'longer'][place] as loaded_after,
    count(*) as events
from sorted
group by place
order by place
