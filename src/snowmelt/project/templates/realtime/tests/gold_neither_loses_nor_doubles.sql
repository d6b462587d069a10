-- Every event, user, order and cent of the tables below is in each table made of them, once.

with

silver as (

    select count(*) as events from {{ ref('user_events') }}

),

customers as (

    select count(*) as users from {{ ref('dim_customer') }}

),

facts as (

    select
        count(*) as orders,
        coalesce(sum(revenue), 0) as revenue
    from {{ ref('fact_orders') }}

),

days as (

    select coalesce(sum(events), 0) as events from {{ ref('user_days') }}

),

months as (

    select
        coalesce(sum(orders + cancelled_orders), 0) as orders,
        coalesce(sum(total_revenue), 0) as revenue,
        coalesce(sum(new_users), 0) as users
    from {{ ref('monthly_metrics') }}

),

regions as (

    select
        coalesce(sum(orders + cancelled_orders), 0) as orders,
        coalesce(sum(total_revenue), 0) as revenue
    from {{ ref('orders_by_region') }}

),

activity as (

    select
        count(*) as users,
        coalesce(sum(events), 0) as events,
        coalesce(sum(total_spent), 0) as revenue
    from {{ ref('user_activity') }}

),

figures as (

    select
        'user_days: events' as figure,
        cast((select events from silver) as decimal(18, 2)) as expected,
        cast((select events from days) as decimal(18, 2)) as found

    union all

    select 'user_activity: events', (select events from silver), (select events from activity)

    union all

    select 'user_activity: users', (select users from customers), (select users from activity)

    union all

    select 'monthly_metrics: new_users', (select users from customers), (select users from months)

    union all

    select 'monthly_metrics: orders', (select orders from facts), (select orders from months)

    union all

    select 'orders_by_region: orders', (select orders from facts), (select orders from regions)

    union all

    select 'monthly_metrics: total_revenue', (select revenue from facts), (select revenue from months)

    union all

    select 'orders_by_region: total_revenue', (select revenue from facts), (select revenue from regions)

    union all

    select 'user_activity: total_spent', (select revenue from facts), (select revenue from activity)

)

select *
from figures
where expected <> found
