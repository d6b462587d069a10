-- Grain: one row per user with an event.

{{
    config(
        materialized='affected_keys',
        unique_key='user_id',
    )
}}

with

{% call snowmelt.affected() %}

    select user_id from {{ snowmelt.stream(ref('user_days')) }}

    union all

    select user_id
    from {{ snowmelt.stream(ref('dim_customer'), columns=['user_id', 'name', 'email', 'region']) }}

    union all

    select user_id
    from {{ snowmelt.stream(ref('fact_orders'), columns=['user_id', 'ordered_at', 'status', 'revenue']) }}

{% endcall %}

customers as (

    select *
    from {{ ref('dim_customer') }}
    where {{ snowmelt.is_affected('user_id') }}

),

days_by_user as (

    select
        user_id,
        sum(events) as events,
        sum(visits) as visits,
        count(*) as active_days,
        min(first_event_at) as first_seen_at,
        max(last_event_at) as last_seen_at
    from {{ ref('user_days') }}
    where {{ snowmelt.is_affected('user_id') }}
    group by user_id

),

orders_by_user as (

    select
        user_id,
        count(*) as orders,
        sum(revenue) as revenue,
        max(ordered_at) as last_order_at
    from {{ ref('fact_orders') }}
    where status = 'placed'
        and {{ snowmelt.is_affected('user_id') }}
    group by user_id

),

joined as (

    select
        ---------- keys
        customers.user_id,

        ---------- attributes
        customers.name,
        customers.email,
        customers.region,

        ---------- events
        cast(days.events as bigint) as events,
        cast(days.visits as bigint) as visits,
        days.active_days,

        ---------- orders that stand, money in EUR
        coalesce(orders.orders, 0) as orders,
        cast(coalesce(orders.revenue, 0) as decimal(18, 2)) as total_spent,

        ---------- times, UTC
        days.first_seen_at,
        days.last_seen_at,
        orders.last_order_at

    from customers
    inner join days_by_user as days
        on customers.user_id = days.user_id
    left join orders_by_user as orders
        on customers.user_id = orders.user_id

)

select * from joined
