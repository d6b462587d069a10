-- What is sold as a whole: read by the figures of sales.yml.
select
    coalesce(sum(items.price), 0) as sales,
    count(*) as items,
    coalesce(sum(items.freight_value), 0) as freight
from {{ ref('fct_order_items') }} as items
left join {{ ref('fct_orders') }} as orders using (order_id)
left join {{ ref('dim_products') }} as products using (product_id)
where {{ filter('period', 'items.purchased_at') }}
    and {{ filter('state', 'orders.customer_state') }}
    and {{ filter('category', 'products.category') }}
