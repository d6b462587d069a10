-- title: Revenue so far, EUR
-- chart: number
-- y: total_revenue

select coalesce(sum(total_revenue), 0) as total_revenue
from gold.monthly_metrics
