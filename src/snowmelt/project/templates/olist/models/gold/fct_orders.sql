-- Grain: one row per order, in every status.
--
-- An order is made again, whole, when a row of any table that it is made from came or went.

{{
    config(
        materialized='affected_keys',
        unique_key='order_id',
    )
}}

with

{% call snowmelt.affected() %}

    select order_id from {{ snowmelt.stream(ref('orders')) }}

    union all

    select order_id
    from {{ ref('orders') }}
    where customer_id in (select customer_id from {{ snowmelt.stream(ref('customers')) }})

    union all

    select order_id from {{ snowmelt.stream(ref('order_items')) }}

    union all

    select order_id from {{ snowmelt.stream(ref('order_payments')) }}

    union all

    select order_id from {{ snowmelt.stream(ref('order_reviews')) }}

{% endcall %}

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

items_by_order as (

    select
        order_id,
        count(*) as item_count,
        sum(price) as price_value,
        sum(freight_value) as freight_value,
        max(_load_seq) as _load_seq
    from {{ ref('order_items') }}
    where {{ snowmelt.is_affected('order_id') }}
    group by order_id

),

payments_by_order as (

    select
        order_id,
        sum(payment_value) as payment_value,
        max(_load_seq) as _load_seq
    from {{ ref('order_payments') }}
    where {{ snowmelt.is_affected('order_id') }}
    group by order_id

),

reviews as (

    select *
    from {{ ref('order_reviews') }}
    where {{ snowmelt.is_affected('order_id') }}

),

last_answers as (

    select
        order_id,
        review_score
    from reviews
    qualify row_number() over (
        partition by order_id
        order by {{ snowmelt.order_of_truth('answered_at') }}
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

        ---------- origin: the newest load in this row
        greatest(
            orders._load_seq,
            coalesce(customers._load_seq, 0),
            coalesce(items._load_seq, 0),
            coalesce(payments._load_seq, 0),
            coalesce(reviews_by_order._load_seq, 0)
        ) as _load_seq

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

)

select * from joined
