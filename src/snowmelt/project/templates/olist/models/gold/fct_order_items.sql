-- Grain: one row per order and position in it.
--
-- Built by affected keys, as fct_orders is. An item whose order has not arrived is here
-- already, without what the order would tell.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key=['order_id', 'order_item_id'],
    )
}}

with

touched as (

    select order_id
    from {{ ref('order_items') }}
    {{ since_last_read('_items_load_seq') }}

    union

    select order_id
    from {{ ref('orders') }}
    {{ since_last_read('_orders_load_seq') }}

    union

    select order_id
    from {{ ref('orders') }}
    where customer_id in (
        select customer_id
        from {{ ref('customers') }}
        {{ since_last_read('_customers_load_seq') }}
    )

),

items as (

    select *
    from {{ ref('order_items') }}
    where order_id in (select order_id from touched)

),

orders as (

    select * from {{ ref('orders') }}

),

customers as (

    select * from {{ ref('customers') }}

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

        ---------- origin: the newest load of each table in this row
        items._load_seq as _items_load_seq,
        coalesce(orders._load_seq, 0) as _orders_load_seq,
        coalesce(customers._load_seq, 0) as _customers_load_seq

    from items
    left join orders
        on items.order_id = orders.order_id
    left join customers
        on orders.customer_id = customers.customer_id

),

traced as (

    select
        *,
        greatest(_items_load_seq, _orders_load_seq, _customers_load_seq) as _load_seq
    from joined

)

select * from traced
