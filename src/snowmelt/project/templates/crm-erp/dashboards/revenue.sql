-- title: Revenue, orders and customers
-- chart: number
-- x: revenue
-- y: orders
select
    sum(sales_amount) as revenue,
    count(distinct order_number) as orders,
    count(distinct customer_key) as customers,
    sum(quantity) as quantity
from gold.fact_sales
