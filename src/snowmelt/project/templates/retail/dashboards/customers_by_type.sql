-- title: Customers by type and age
-- chart: bar
-- x: age_group
-- y: customers
-- series: customer_type
select
    age_group,
    customer_type,
    count(*) as customers
from gold.dim_customers
where is_known
group by age_group, customer_type
order by age_group, customer_type
