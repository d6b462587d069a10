-- title: Revenue by month, EUR
-- chart: bar
-- x: month
-- y: total_revenue

select
    month,
    total_revenue,
    orders,
    average_order_value
from gold.monthly_metrics
order by month
