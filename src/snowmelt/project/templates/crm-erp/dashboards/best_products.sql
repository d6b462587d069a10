-- title: The ten products that bring most
-- chart: table
-- x: product_name
-- y: revenue
select
    performance.product_number, performance.product_name, performance.category,
    performance.revenue, performance.quantity, profits.profit, profits.margin_percent
from gold.product_performance as performance
join gold.profit_analysis as profits using (product_key)
order by performance.revenue desc, performance.product_number
limit 10
