-- a gate: it must return no row. Too many sales whose customer or product nobody knows mean that a
-- catalogue is missing, and figures would be too low.
select
    count(*) filter (lacks <> 'product') as without_customer,
    count(*) filter (lacks = 'product') as without_product
from silver.orphan_sales
having count(*) > 0.2 * (select count(*) from silver.sales_clean)
