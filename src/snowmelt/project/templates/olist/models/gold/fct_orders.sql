-- Grain: one row per order, in every status.
--
-- Built by affected keys: an order is made again, whole, when a row of any table it is made
-- from is new. Each of those tables has its own read position here, so that a table that is
-- built earlier or later than the others loses nothing.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='order_id',
    )
}}

with

touched as (

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

    union

    select order_id
    from {{ ref('order_items') }}
    {{ since_last_read('_items_load_seq') }}

    union

    select order_id
    from {{ ref('order_payments') }}
    {{ since_last_read('_payments_load_seq') }}

    union

    select order_id
    from {{ ref('order_reviews') }}
    {{ since_last_read('_reviews_load_seq') }}

),

orders as (

    select *
    from {{ ref('orders') }}
    where order_id in (select order_id from touched)

),

customers as (

    select * from {{ ref('customers') }}

),

items_by_order as (

    select
        order_id,
        count(*) as item_count,
        sum(price) as price_value,
        sum(freight_value) as freight_value,
        max(_load_seq) as _load_seq
    from {{ ref('order_items') }}
    where order_id in (select order_id from touched)
    group by order_id

),

payments_by_order as (

    select
        order_id,
        sum(payment_value) as payment_value,
        max(_load_seq) as _load_seq
    from {{ ref('order_payments') }}
    where order_id in (select order_id from touched)
    group by order_id

),

reviews as (

    select *
    from {{ ref('order_reviews') }}
    where order_id in (select order_id from touched)

),

last_answers as (

    select
        order_id,
        review_score
    from reviews
    qualify row_number() over (
        partition by order_id
        order by {{ order_of_truth('answered_at') }}
    ) = 1

),

reviews_by_order as (

    select
        order_id,
        max(_load_seq) as _load_seq
    from reviews
    group by order_id

),

joined as (

    select
        ---------- keys
        orders.order_id,
        customers.customer_unique_id,

        ---------- attributes
        customers.state as customer_state,
        orders.order_status,

        ---------- times
        orders.purchased_at,
        orders.approved_at,
        orders.carrier_at,
        orders.delivered_at,
        orders.estimated_on,

        ---------- measures, money in BRL
        coalesce(items.item_count, 0) as item_count,
        cast(coalesce(items.price_value, 0) as decimal(18, 2)) as price_value,
        cast(coalesce(items.freight_value, 0) as decimal(18, 2)) as freight_value,
        cast(
            coalesce(items.price_value + items.freight_value, 0) as decimal(18, 2)
        ) as order_value,
        cast(coalesce(payments.payment_value, 0) as decimal(18, 2)) as payment_value,
        last_answers.review_score,

        ---------- delivery; null when not delivered
        cast(orders.delivered_at as date) > orders.estimated_on as is_late,
        {{ dbt.datediff('orders.purchased_at', 'orders.delivered_at', 'day') }} as delivery_days,

        ---------- origin: the newest load of each table in this row
        orders._load_seq as _orders_load_seq,
        coalesce(customers._load_seq, 0) as _customers_load_seq,
        coalesce(items._load_seq, 0) as _items_load_seq,
        coalesce(payments._load_seq, 0) as _payments_load_seq,
        coalesce(reviews_by_order._load_seq, 0) as _reviews_load_seq

    from orders
    left join customers
        on orders.customer_id = customers.customer_id
    left join items_by_order as items
        on orders.order_id = items.order_id
    left join payments_by_order as payments
        on orders.order_id = payments.order_id
    left join last_answers
        on orders.order_id = last_answers.order_id
    left join reviews_by_order
        on orders.order_id = reviews_by_order.order_id

),

traced as (

    select
        *,
        greatest(
            _orders_load_seq,
            _customers_load_seq,
            _items_load_seq,
            _payments_load_seq,
            _reviews_load_seq
        ) as _load_seq
    from joined

)

select * from traced
