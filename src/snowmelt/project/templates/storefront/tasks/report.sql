-- the return value: what is published now
select coalesce(sum(number_of_sales), 0) || ' sales, ' || coalesce(sum(total_sales), 0)
from gold.sales_by_country
