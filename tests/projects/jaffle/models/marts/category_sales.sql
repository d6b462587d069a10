select
    category,
    count(*) as items,
    sum(price) as revenue

from {{ ref('order_items') }}
group by category
