-- Grain: one row per seller with a sale.
--
-- Delivery and score are an order's, and count once for each of its sellers.

{{
    config(
        materialized='affected_keys',
        unique_key='seller_id',
    )
}}

with

{% call snowmelt.affected() %}

    select seller_id from {{ snowmelt.stream(ref('fct_order_items')) }}

    union all

    select seller_id
    from {{ ref('fct_order_items') }}
    where order_id in (
        select order_id
        from {{ snowmelt.stream(ref('fct_orders'), columns=['order_id', 'is_late', 'review_score']) }}
    )

{% endcall %}

items as (

    select *
    from {{ ref('fct_order_items') }}
    where {{ snowmelt.is_affected('seller_id') }}

),

orders as (

    select
        order_id,
        is_late,
        review_score
    from {{ ref('fct_orders') }}
    where order_id in (select order_id from items)

),

sales as (

    select
        seller_id,
        order_id,
        count(*) as item_count,
        sum(price) as price_value,
        sum(freight_value) as freight_value,
        min(purchased_at) as purchased_at
    from items
    group by seller_id, order_id

),

sales_by_seller as (

    select
        sales.seller_id,
        count(*) as orders,
        sum(sales.item_count) as item_count,
        sum(sales.price_value) as price_value,
        sum(sales.freight_value) as freight_value,
        min(sales.purchased_at) as first_sale_at,
        max(sales.purchased_at) as last_sale_at,
        count(orders.is_late) as delivered_orders,
        count(case when orders.is_late then 1 end) as late_orders,
        count(orders.review_score) as reviewed_orders,
        sum(orders.review_score) as review_score_sum
    from sales
    left join orders
        on sales.order_id = orders.order_id
    group by sales.seller_id

),

final as (

    select
        ---------- keys
        seller_id,

        ---------- sales, money in BRL
        orders,
        cast(item_count as bigint) as item_count,
        cast(price_value as decimal(18, 2)) as price_value,
        cast(freight_value as decimal(18, 2)) as freight_value,
        first_sale_at,
        last_sale_at,

        ---------- delivery
        delivered_orders,
        late_orders,

        ---------- reviews
        reviewed_orders,
        {{ snowmelt.average('review_score_sum', 'reviewed_orders') }} as average_review_score

    from sales_by_seller

)

select * from final
