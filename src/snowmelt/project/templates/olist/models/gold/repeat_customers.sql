-- Grain: one row per person with two orders or more.

{{ config(materialized='view') }}

with

customers as (

    select * from {{ ref('dim_customers') }}

),

final as (

    select
        ---------- keys
        customer_unique_id,

        ---------- address, of the latest order
        state,

        ---------- orders, money in BRL
        orders,
        order_value,
        first_order_at,
        last_order_at,
        {{ dbt.datediff('first_order_at', 'last_order_at', 'day') }} as days_between

    from customers
    where orders >= 2

)

select * from final
