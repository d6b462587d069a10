-- title: Sales by month
-- chart: bar
-- x: month
-- y: sales
select
    dim_dates.first_day_of_month as month,
    sum(sales_by_day.sales) as sales,
    sum(sales_by_day.transactions) as transactions
from gold.sales_by_day
inner join gold.dim_dates
    on sales_by_day.sale_date = dim_dates.date_day
group by dim_dates.first_day_of_month
order by month
