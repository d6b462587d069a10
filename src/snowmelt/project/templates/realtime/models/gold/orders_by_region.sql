-- Grain: one row per region with an order.

{{
    config(
        materialized='affected_keys',
        unique_key='region',
    )
}}

with

{% call snowmelt.affected() %}

    select region
    from {{ snowmelt.stream(ref('fact_orders'), columns=['region', 'user_id', 'status', 'revenue']) }}

{% endcall %}

orders as (

    select *
    from {{ ref('fact_orders') }}
    where {{ snowmelt.is_affected('region') }}

),

final as (

    select
        ---------- keys
        region,

        ---------- orders, money in EUR
        cast(sum(revenue) as decimal(18, 2)) as total_revenue,
        count(case when status = 'placed' then 1 end) as orders,
        count(case when status = 'cancelled' then 1 end) as cancelled_orders,

        ---------- customers whose order stands
        count(distinct case when status = 'placed' then user_id end) as customers

    from orders
    group by region

)

select * from final
