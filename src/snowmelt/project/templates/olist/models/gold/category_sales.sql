-- Grain: one row per product category that was ordered.

{{
    config(
        materialized='affected_keys',
        unique_key='category',
    )
}}

with

{% call snowmelt.affected() %}

    select coalesce(products.category, 'unknown') as category
    from {{ snowmelt.stream(ref('fct_order_items'), columns=['product_id', 'order_id', 'price']) }} as items
    left join {{ ref('dim_products') }} as products
        on items.product_id = products.product_id

    union all

    select category from {{ snowmelt.stream(ref('dim_products'), columns=['product_id', 'category']) }}

    union all

    -- a product that came or went: its items had no category, or have none any more
    select 'unknown' as category
    where exists (select 1 from {{ snowmelt.stream(ref('dim_products'), columns=['product_id', 'category']) }})

{% endcall %}

joined as (

    select
        coalesce(products.category, 'unknown') as category,
        items.order_id,
        items.price
    from {{ ref('fct_order_items') }} as items
    left join {{ ref('dim_products') }} as products
        on items.product_id = products.product_id
    where {{ snowmelt.is_affected("coalesce(products.category, 'unknown')") }}

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
