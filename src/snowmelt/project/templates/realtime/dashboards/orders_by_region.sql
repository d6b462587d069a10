-- title: Revenue by region, EUR
-- chart: bar
-- x: region
-- y: total_revenue

select
    region,
    total_revenue,
    orders,
    cancelled_orders,
    customers
from gold.orders_by_region
order by total_revenue desc, region
