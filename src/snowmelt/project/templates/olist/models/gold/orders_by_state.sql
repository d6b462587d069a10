-- Grain: one row per month of purchase and state of the customer.

with

orders as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'purchased_at') }} as date) as month,
        coalesce(customer_state, 'unknown') as known_state
    from {{ ref('fct_orders') }}

),

final as (

    select
        month,
        known_state as customer_state,
        count(*) as orders,
        cast(sum(order_value) as decimal(18, 2)) as order_value
    from orders
    group by month, known_state

)

select * from final
