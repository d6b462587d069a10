-- title: Sales in all
-- chart: number
-- y: sales
select sum(sales) as sales
from gold.sales_by_day
