-- Grain: one row per month with an event.

{{
    config(
        materialized='affected_keys',
        unique_key='month',
    )
}}

with

{% call snowmelt.affected() %}

    select cast({{ dbt.date_trunc('month', 'ordered_at') }} as date) as month
    from {{ snowmelt.stream(ref('fact_orders'), columns=['ordered_at', 'status', 'revenue']) }}

    union all

    select cast({{ dbt.date_trunc('month', 'day') }} as date) as month
    from {{ snowmelt.stream(ref('user_days'), columns=['user_id', 'day']) }}

    union all

    -- whose first event is another one now is new in another month
    select cast({{ dbt.date_trunc('month', 'first_seen_at') }} as date) as month
    from {{ snowmelt.stream(ref('dim_customer'), columns=['first_seen_at']) }}

{% endcall %}

days as (

    select
        user_id,
        cast({{ dbt.date_trunc('month', 'day') }} as date) as month
    from {{ ref('user_days') }}

),

users_by_month as (

    select
        month,
        count(distinct user_id) as monthly_active_users
    from days
    where {{ snowmelt.is_affected('month') }}
    group by month

),

orders as (

    select
        status,
        revenue,
        cast({{ dbt.date_trunc('month', 'ordered_at') }} as date) as month
    from {{ ref('fact_orders') }}

),

orders_by_month as (

    select
        month,
        count(case when status = 'placed' then 1 end) as orders,
        count(case when status = 'cancelled' then 1 end) as cancelled_orders,
        sum(revenue) as revenue
    from orders
    where {{ snowmelt.is_affected('month') }}
    group by month

),

first_months as (

    select cast({{ dbt.date_trunc('month', 'first_seen_at') }} as date) as month
    from {{ ref('dim_customer') }}

),

new_users_by_month as (

    select
        month,
        count(*) as new_users
    from first_months
    where {{ snowmelt.is_affected('month') }}
    group by month

),

joined as (

    select
        ---------- keys
        users_by_month.month,

        ---------- orders, money in EUR
        cast(coalesce(orders_by_month.revenue, 0) as decimal(18, 2)) as total_revenue,
        coalesce(orders_by_month.orders, 0) as orders,
        coalesce(orders_by_month.cancelled_orders, 0) as cancelled_orders,
        {{ snowmelt.average('orders_by_month.revenue', 'orders_by_month.orders') }} as average_order_value,

        ---------- users
        users_by_month.monthly_active_users,
        coalesce(new_users_by_month.new_users, 0) as new_users

    from users_by_month
    left join orders_by_month
        on users_by_month.month = orders_by_month.month
    left join new_users_by_month
        on users_by_month.month = new_users_by_month.month

)

select * from joined
