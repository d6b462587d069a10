-- title: Best sold products of the last seven days
-- chart: table
-- x: product_name
-- y: sales
select
    product_id,
    product_name,
    category,
    sum(sales) as sales,
    sum(quantity) as quantity
from gold.daily_sales_analysis
where sale_date > (select max(sale_date) from gold.sales_by_day) - 7
group by product_id, product_name, category
order by sales desc, product_id
limit 20
