-- title: Active and new users by month
-- chart: line
-- x: month
-- y: monthly_active_users, new_users

select
    month,
    monthly_active_users,
    new_users
from gold.monthly_metrics
order by month
