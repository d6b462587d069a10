-- Grain: one row per month that has an order; orders without a date are of 1900.

{{ config(materialized='affected_keys', unique_key='month') }}

with

{% call snowmelt.affected() %}

    select coalesce(month, date '1900-01-01') as month
    from {{ snowmelt.stream(ref('fct_orders')) }}

{% endcall %}

orders as (

    select * replace (coalesce(month, date '1900-01-01') as month)
    from {{ ref('fct_orders') }}

),

final as (

    select
        month,
        count(*) as orders,
        cast(sum(amount) as decimal(18, 2)) as amount,
        cast(sum(item_value) as decimal(18, 2)) as item_value,
        count(distinct customer_id) as customers
    from orders
    where {{ snowmelt.is_affected('month') }}
    group by month

)

select * from final
