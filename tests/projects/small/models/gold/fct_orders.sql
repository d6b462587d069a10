-- Grain: one row per order, with the figures of its items.

{{ config(materialized='affected_keys', unique_key='order_id') }}

with

{% call snowmelt.affected() %}

    select order_id from {{ snowmelt.stream(ref('orders')) }}

    union all

    select order_id
    from {{ ref('orders') }}
    where customer_id in (select customer_id from {{ snowmelt.stream(ref('customers')) }})

    union all

    select order_id from {{ snowmelt.stream(ref('items')) }}

{% endcall %}

orders as (

    select *
    from {{ ref('orders') }}
    where {{ snowmelt.is_affected('order_id') }}

),

items_by_order as (

    select
        order_id,
        count(*) as item_count,
        sum(quantity * price) as item_value
    from {{ ref('items') }}
    where {{ snowmelt.is_affected('order_id') }}
    group by order_id

),

joined as (

    select
        orders.order_id,
        orders.customer_id,
        customers.state as customer_state,
        orders.status,
        date_trunc('month', orders.ordered_on) as month,
        orders.amount,
        coalesce(items.item_count, 0) as item_count,
        cast(coalesce(items.item_value, 0) as decimal(18, 2)) as item_value
    from orders
    left join {{ ref('customers') }} as customers
        on orders.customer_id = customers.customer_id
    left join items_by_order as items
        on orders.order_id = items.order_id

)

select * from joined
