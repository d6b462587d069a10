-- Grain: one row per month with an order; sales without a day of order are in no month.

{{
    config(
        materialized='affected_keys',
        unique_key='month',
    )
}}

with

{% call snowmelt.affected() %}

    select cast({{ dbt.date_trunc('month', 'order_date') }} as date) as month
    from {{ snowmelt.stream(ref('fact_sales')) }}

{% endcall %}

sales as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'order_date') }} as date) as month
    from {{ ref('fact_sales') }}
    where order_date is not null

),

final as (

    select
        ---------- keys
        month,

        ---------- sales
        cast(sum(sales_amount) as decimal(24, 2)) as revenue,
        count(distinct order_number) as orders,
        count(distinct customer_key) as customers,
        cast(sum(quantity) as bigint) as quantity

    from sales
    where {{ snowmelt.is_affected('month') }}
    group by month

)

select * from final
