-- title: Revenue by country
-- chart: bar
-- x: country
-- y: revenue
select country, sum(revenue) as revenue, count(*) filter (orders > 0) as customers
from gold.customer_sales_report
group by country
order by revenue desc, country
