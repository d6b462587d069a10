-- Grain: one row per user and day with an event.
--
-- Whoever asks for active users reads this: a second visit on a day changes no row's key, so no
-- month is counted again for it.

{{
    config(
        materialized='affected_keys',
        unique_key=['user_id', 'day'],
    )
}}

with

{% call snowmelt.affected() %}

    select
        user_id,
        cast(event_at as date) as day
    from {{ snowmelt.stream(ref('user_events'), columns=['user_id', 'event_at', 'event_type']) }}

{% endcall %}

events as (

    select *
    from {{ ref('user_events') }}
    where {{ snowmelt.is_affected('user_id', 'cast(event_at as date)') }}

),

final as (

    select
        ---------- keys
        user_id,
        cast(event_at as date) as day,

        ---------- events
        count(*) as events,
        count(case when event_type = 'visit' then 1 end) as visits,

        ---------- times, UTC
        min(event_at) as first_event_at,
        max(event_at) as last_event_at

    from events
    group by user_id, cast(event_at as date)

)

select * from final
