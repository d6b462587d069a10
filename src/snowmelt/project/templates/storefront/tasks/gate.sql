-- a gate: it must return no row. Too many sales whose customer or product nobody knows mean that a
-- catalogue is missing, and figures would be too low.
select without_customer, without_product
from (
    select
        count(*) as orphans,
        count(case when lacks <> 'product' then 1 end) as without_customer,
        count(case when lacks = 'product' then 1 end) as without_product
    from silver.orphan_sales
) as lacking
where orphans > 0.2 * (select count(*) from silver.sales_clean)
