-- title: Customers by segment
-- chart: bar
-- x: segment
-- y: customers
select segment, customers, orders, revenue, average_lifetime_value
from gold.customer_segments
order by revenue desc, segment
