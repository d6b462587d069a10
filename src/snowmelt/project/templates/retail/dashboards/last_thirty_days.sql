-- title: Sales of the last thirty days, by store
-- chart: line
-- x: sale_date
-- y: sales
-- series: store_type
select
    sale_date,
    store_type,
    sales
from gold.sales_by_day
where sale_date > (select max(sale_date) from gold.sales_by_day) - 30
order by sale_date, store_type
