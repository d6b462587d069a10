-- Grain: one row per person (customer_unique_id) with an order.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_unique_id',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_unique_id from {{ snowmelt.stream(ref('dim_customers')) }}

{% endcall %}

customers as (

    select *
    from {{ ref('dim_customers') }}
    where {{ snowmelt.is_affected('customer_unique_id') }}

),

final as (

    select
        customer_unique_id,
        orders,
        order_value,
        first_order_at,
        last_order_at,
        {{ dbt.datediff('first_order_at', 'last_order_at', 'day') }} as days_between
    from customers
    where orders > 0

)

select * from final
