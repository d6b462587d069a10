-- Grain: one row per order that was placed.
--
-- Each event of an order says what it is from then on: the newest order event gives user and amount,
-- the newest event of all whether it stands. A cancellation that comes before its order waits
-- in user_events.

{{
    config(
        materialized='affected_keys',
        unique_key='order_id',
    )
}}

with

{% call snowmelt.affected() %}

    select order_id
    from {{
        snowmelt.stream(
            ref('user_events'),
            columns=['order_id', 'event_id', 'event_at', 'event_type', 'user_id', 'region', 'amount'],
        )
    }}
    where order_id is not null

    union all

    -- an order that names no region has its customer's
    select order_id
    from {{ ref('user_events') }}
    where event_type = 'order'
        and region is null
        and user_id in (
            select user_id from {{ snowmelt.stream(ref('dim_customer'), columns=['user_id', 'region']) }}
        )

{% endcall %}

events as (

    select *
    from {{ ref('user_events') }}
    where order_id is not null
        and {{ snowmelt.is_affected('order_id') }}

),

placed as (

    select
        order_id,
        user_id,
        amount,
        {{ snowmelt.last_known('region') }} over (
            partition by order_id
            order by event_at, event_id
            rows between unbounded preceding and unbounded following
        ) as region,
        min(event_at) over (partition by order_id) as ordered_at
    from events
    where event_type = 'order'
    qualify row_number() over (partition by order_id order by event_at desc, event_id desc) = 1

),

newest as (

    select
        order_id,
        event_type = 'cancel' as is_cancelled,
        event_at
    from events
    qualify row_number() over (partition by order_id order by event_at desc, event_id desc) = 1

),

customers as (

    select
        user_id,
        region
    from {{ ref('dim_customer') }}
    where user_id in (select user_id from placed)

),

joined as (

    select
        ---------- keys
        placed.order_id,
        placed.user_id,

        ---------- attributes
        coalesce(placed.region, customers.region, 'UNKNOWN') as region,
        case when newest.is_cancelled then 'cancelled' else 'placed' end as status,

        ---------- times, UTC
        placed.ordered_at,
        newest.event_at as changed_at,

        ---------- money, EUR; what is cancelled brings nothing
        placed.amount,
        cast(case when newest.is_cancelled then 0 else placed.amount end as decimal(18, 2)) as revenue

    from placed
    inner join newest
        on placed.order_id = newest.order_id
    inner join customers
        on placed.user_id = customers.user_id

)

select * from joined
