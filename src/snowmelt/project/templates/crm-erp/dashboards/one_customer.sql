-- One customer as a whole: read by the figures of customer.yml.
select
    coalesce(sum(lifetime_value), 0) as revenue,
    coalesce(sum(orders), 0)::bigint as orders,
    min(first_order_date) as first_order_date,
    max(last_order_date) as last_order_date
from {{ ref('customer_lifetime_value') }}
where {{ filter('customer', 'customer_id') }}
