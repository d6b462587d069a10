-- Grain: one row per month of purchase and state of the customer.

{{
    config(
        materialized='affected_keys',
        unique_key=['month', 'customer_state'],
    )
}}

with

{% call snowmelt.affected() %}

    select
        cast({{ dbt.date_trunc('month', 'purchased_at') }} as date) as month,
        coalesce(customer_state, 'unknown') as customer_state
    from {{ snowmelt.stream(ref('fct_orders'), columns=['purchased_at', 'customer_state', 'order_value']) }}

{% endcall %}

orders as (

    select
        cast({{ dbt.date_trunc('month', 'purchased_at') }} as date) as month,
        coalesce(customer_state, 'unknown') as customer_state,
        order_value
    from {{ ref('fct_orders') }}

),

final as (

    select
        month,
        customer_state,
        count(*) as orders,
        cast(sum(order_value) as decimal(18, 2)) as order_value
    from orders
    where {{ snowmelt.is_affected('month', 'customer_state') }}
    group by month, customer_state

)

select * from final
