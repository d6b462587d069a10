-- Grain: one row per customer with a sale.
--
-- VIP: 12 calendar months or more between first and last order, and revenue above 5000.
-- Regular: 12 months or more. New: all others, and who has no order with a day.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_key',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_key from {{ snowmelt.stream(ref('customer_sales_report')) }}

{% endcall %}

customers as (

    select
        *,
        coalesce({{ dbt.datediff('first_order_date', 'last_order_date', 'month') }}, 0) as months_between
    from {{ ref('customer_sales_report') }}
    where orders > 0 and {{ snowmelt.is_affected('customer_key') }}

),

final as (

    select
        ---------- keys
        customer_key,
        customer_id,

        ---------- attributes
        customer_name,
        case
            when months_between >= 12 and revenue > 5000 then 'VIP'
            when months_between >= 12 then 'Regular'
            else 'New'
        end as segment,

        ---------- sales
        orders,
        quantity,
        revenue as lifetime_value,
        average_order_value,
        {{ divided('revenue', 'months_between + 1') }} as monthly_value,

        ---------- times
        first_order_date,
        last_order_date,
        cast(months_between as integer) as months_between

    from customers

)

select * from final
