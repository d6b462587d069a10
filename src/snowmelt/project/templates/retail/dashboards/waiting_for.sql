-- title: Named in transactions, and not known
-- chart: table
-- x: kind
-- y: not_known
select
    'customers' as kind,
    count(*) as not_known
from gold.dim_customers
where not is_known

union all

select
    'products',
    count(*)
from gold.dim_products
where not is_known
order by kind
