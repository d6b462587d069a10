-- Grain: one row per person (customer_unique_id), with or without an order.

{{
    config(
        materialized='affected_keys',
        unique_key='customer_unique_id',
    )
}}

with

{% call snowmelt.affected() %}

    select customer_unique_id from {{ snowmelt.stream(ref('customers')) }}

    union all

    select customer_unique_id
    from {{ snowmelt.stream(ref('fct_orders'), columns=['customer_unique_id', 'purchased_at', 'order_value']) }}

    union all

    select customer_unique_id
    from {{ ref('customers') }}
    where customer_id in (
        select customer_id
        from {{ snowmelt.stream(ref('orders'), columns=['customer_id', 'purchased_at']) }}
    )

{% endcall %}

customers as (

    select *
    from {{ ref('customers') }}
    where {{ snowmelt.is_affected('customer_unique_id') }}

),

orders as (

    select *
    from {{ ref('orders') }}
    where customer_id in (select customer_id from customers)

),

fct_orders as (

    select *
    from {{ ref('fct_orders') }}
    where {{ snowmelt.is_affected('customer_unique_id') }}

),

last_orders as (

    select
        customer_id,
        max(purchased_at) as last_order_at
    from orders
    group by customer_id

),

addresses as (

    select
        customers.customer_unique_id,
        customers.zip_prefix,
        customers.city,
        customers.state
    from customers
    left join last_orders
        on customers.customer_id = last_orders.customer_id
    qualify row_number() over (
        partition by customers.customer_unique_id
        order by {{ snowmelt.order_of_truth('last_orders.last_order_at') }}
    ) = 1

),

orders_by_customer as (

    select
        customer_unique_id,
        count(*) as orders,
        sum(order_value) as order_value,
        min(purchased_at) as first_order_at,
        max(purchased_at) as last_order_at
    from fct_orders
    group by customer_unique_id

),

joined as (

    select
        ---------- keys
        addresses.customer_unique_id,

        ---------- address, of the latest order
        addresses.zip_prefix,
        addresses.city,
        addresses.state,

        ---------- orders
        orders_by_customer.first_order_at,
        orders_by_customer.last_order_at,
        coalesce(orders_by_customer.orders, 0) as orders,
        cast(coalesce(orders_by_customer.order_value, 0) as decimal(18, 2)) as order_value

    from addresses
    left join orders_by_customer
        on addresses.customer_unique_id = orders_by_customer.customer_unique_id

)

select * from joined
