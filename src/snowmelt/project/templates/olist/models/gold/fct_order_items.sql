-- Grain: one row per order and position in it.
--
-- The items of an order are made again together. An item whose order has not arrived is here
-- already, without what the order would tell.

{{
    config(
        materialized='affected_keys',
        unique_key=['order_id', 'order_item_id'],
        affected_by='order_id',
    )
}}

with

{% call snowmelt.affected() %}

    select order_id from {{ snowmelt.stream(ref('order_items')) }}

    union all

    select order_id from {{ snowmelt.stream(ref('orders')) }}

    union all

    select order_id
    from {{ ref('orders') }}
    where customer_id in (select customer_id from {{ snowmelt.stream(ref('customers')) }})

{% endcall %}

items as (

    select *
    from {{ ref('order_items') }}
    where {{ snowmelt.is_affected('order_id') }}

),

orders as (

    select *
    from {{ ref('orders') }}
    where {{ snowmelt.is_affected('order_id') }}

),

customers as (

    select *
    from {{ ref('customers') }}
    where customer_id in (select customer_id from orders)

),

joined as (

    select
        ---------- keys
        items.order_id,
        items.order_item_id,
        items.product_id,
        items.seller_id,
        customers.customer_unique_id,

        ---------- attributes
        orders.order_status,

        ---------- times
        orders.purchased_at,
        items.shipping_limit_at,

        ---------- measures, money in BRL
        items.price,
        items.freight_value,
        cast(items.price + items.freight_value as decimal(18, 2)) as item_value,

        ---------- origin: the newest load in this row
        greatest(
            items._load_seq,
            coalesce(orders._load_seq, 0),
            coalesce(customers._load_seq, 0)
        ) as _load_seq

    from items
    left join orders
        on items.order_id = orders.order_id
    left join customers
        on orders.customer_id = customers.customer_id

)

select * from joined
