-- Grain: one row per person (customer_unique_id) with an order.

with

customers as (

    select * from {{ ref('dim_customers') }}

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
