-- Grain: one row per user with an event.
--
-- Name, address and region are each those of the newest event that gives one, by the time of the
-- event: one that comes late changes nothing that a newer one said.

{{
    config(
        materialized='affected_keys',
        unique_key='user_id',
    )
}}

with

{% call snowmelt.affected() %}

    select user_id
    from {{
        snowmelt.stream(
            ref('user_events'),
            columns=['user_id', 'event_id', 'event_at', 'event_type', 'name', 'email', 'region'],
        )
    }}

{% endcall %}

events as (

    select *
    from {{ ref('user_events') }}
    where {{ snowmelt.is_affected('user_id') }}

),

newest as (

    select
        user_id,
        {% for column in ['name', 'email', 'region'] -%}
        {{ snowmelt.last_known(column) }} over (
            partition by user_id
            order by event_at, event_id
            rows between unbounded preceding and unbounded following
        ) as {{ column }}{{ ',' if not loop.last }}
        {% endfor %}
    from events
    qualify row_number() over (partition by user_id order by event_at desc, event_id desc) = 1

),

times as (

    select
        user_id,
        min(case when event_type = 'signup' then event_at end) as signed_up_at,
        min(event_at) as first_seen_at
    from events
    group by user_id

),

joined as (

    select
        ---------- keys
        newest.user_id,

        ---------- attributes; null where no event gives one
        newest.name,
        newest.email,
        newest.region,

        ---------- times, UTC
        times.signed_up_at,
        times.first_seen_at

    from newest
    inner join times
        on newest.user_id = times.user_id

)

select * from joined
