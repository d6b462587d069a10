-- title: Most active users
-- chart: table
-- x: user_id
-- y: events, orders, total_spent

select
    user_id,
    name,
    region,
    events,
    active_days,
    orders,
    total_spent,
    last_seen_at
from gold.user_activity
order by events desc, total_spent desc, user_id
limit 20
