select
    orders.order_id,
    orders.customer_id,
    stores.store_name,
    orders.ordered_at,
    coalesce(totals.items, 0) as items,
    coalesce(totals.subtotal, 0) as subtotal,
    coalesce(totals.subtotal, 0) + orders.tax_paid as order_total

from {{ ref('stg_orders') }} as orders
left join {{ ref('stg_stores') }} as stores on stores.store_id = orders.store_id
left join {{ ref('int_order_totals') }} as totals on totals.order_id = orders.order_id
