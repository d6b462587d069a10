-- title: Revenue by month
-- chart: line
-- x: month
-- y: revenue
select month, revenue, orders, customers, quantity
from gold.sales_trends
order by month
