-- One user as a whole: read by the figures of customer.yml.
select
    coalesce(sum(total_spent), 0) as total_spent,
    coalesce(sum(orders), 0)::bigint as orders,
    coalesce(sum(events), 0)::bigint as events,
    max(last_seen_at)::date as last_day
from {{ ref('user_activity') }}
where {{ filter('customer', 'user_id') }}
