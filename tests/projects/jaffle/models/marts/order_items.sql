{{ config(materialized='incremental', unique_key='item_id', incremental_strategy='merge') }}

select
    items.item_id,
    items.order_id,
    orders.ordered_at,
    products.product_name,
    categories.label as category,
    products.price

from {{ ref('stg_items') }} as items
inner join {{ ref('stg_orders') }} as orders on orders.order_id = items.order_id
inner join {{ ref('stg_products') }} as products on products.product_id = items.product_id
left join {{ ref('categories') }} as categories on categories.category = products.category

{% if is_incremental() %}
where orders.ordered_at >= (select max(ordered_at) from {{ this }})
{% endif %}
