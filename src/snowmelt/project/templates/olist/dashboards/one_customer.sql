-- One customer as a whole: read by the figures of customer.yml.
select
    coalesce(sum(orders), 0)::bigint as orders,
    coalesce(sum(order_value), 0) as order_value,
    min(first_order_at)::date as first_order_on,
    max(last_order_at)::date as last_order_on
from {{ ref('customer_activity') }}
where {{ filter('customer', 'customer_unique_id') }}
