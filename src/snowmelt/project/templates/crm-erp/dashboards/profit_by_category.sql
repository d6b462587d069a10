-- title: Profit by category
-- chart: bar
-- x: category
-- y: profit
select category, sum(revenue) as revenue, sum(cost) as cost, sum(profit) as profit
from gold.profit_analysis
group by category
order by profit desc nulls last, category
