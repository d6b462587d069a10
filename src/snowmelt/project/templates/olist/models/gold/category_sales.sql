-- Grain: one row per product category that was ordered.

with

items as (

    select * from {{ ref('fct_order_items') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

joined as (

    select
        coalesce(products.category, 'unknown') as category,
        items.order_id,
        items.price
    from items
    left join products
        on items.product_id = products.product_id

),

final as (

    select
        category,
        count(*) as item_count,
        count(distinct order_id) as orders,
        cast(sum(price) as decimal(18, 2)) as price_value
    from joined
    group by category

)

select * from final
