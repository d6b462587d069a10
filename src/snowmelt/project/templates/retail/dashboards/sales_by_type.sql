-- title: Last seven days by category and type of customer
-- chart: table
-- x: category
-- y: sales
select
    category,
    customer_type,
    sum(sales) as sales,
    sum(quantity) as quantity,
    sum(transactions) as transactions,
    count(distinct customer_id) as customers
from gold.daily_sales_analysis
where sale_date > (select max(sale_date) from gold.sales_by_day) - 7
group by category, customer_type
order by sales desc, category, customer_type
