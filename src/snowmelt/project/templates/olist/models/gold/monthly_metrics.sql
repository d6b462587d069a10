-- Grain: one row per month of purchase that has an order.

{{
    config(
        materialized='affected_keys',
        unique_key='month',
    )
}}

with

{% call snowmelt.affected() %}

    select cast({{ dbt.date_trunc('month', 'purchased_at') }} as date) as month
    from {{ snowmelt.stream(ref('fct_orders'), columns=['purchased_at', 'customer_unique_id', 'order_value', 'payment_value']) }}

    union all

    -- whose first order is another one now is new in another month
    select cast({{ dbt.date_trunc('month', 'first_order_at') }} as date) as month
    from {{ snowmelt.stream(ref('dim_customers'), columns=['first_order_at']) }}

{% endcall %}

orders as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'purchased_at') }} as date) as month
    from {{ ref('fct_orders') }}

),

orders_by_month as (

    select
        month,
        count(*) as orders,
        sum(order_value) as order_value,
        sum(payment_value) as payment_value,
        count(distinct customer_unique_id) as active_customers
    from orders
    where {{ snowmelt.is_affected('month') }}
    group by month

),

first_months as (

    select cast({{ dbt.date_trunc('month', 'first_order_at') }} as date) as month
    from {{ ref('dim_customers') }}

),

new_customers_by_month as (

    select
        month,
        count(*) as new_customers
    from first_months
    where {{ snowmelt.is_affected('month') }}
    group by month

),

joined as (

    select
        ---------- keys
        orders_by_month.month,

        ---------- orders, money in BRL
        orders_by_month.orders,
        cast(orders_by_month.order_value as decimal(18, 2)) as order_value,
        cast(orders_by_month.payment_value as decimal(18, 2)) as payment_value,
        {{ snowmelt.average('orders_by_month.order_value', 'orders_by_month.orders') }} as average_order_value,

        ---------- customers
        orders_by_month.active_customers,
        coalesce(new_customers_by_month.new_customers, 0) as new_customers

    from orders_by_month
    left join new_customers_by_month
        on orders_by_month.month = new_customers_by_month.month

)

select * from joined
