select
    items.order_id,
    count(*) as items,
    sum(products.price) as subtotal

from {{ ref('stg_items') }} as items
inner join {{ ref('stg_products') }} as products on products.product_id = items.product_id
group by items.order_id
