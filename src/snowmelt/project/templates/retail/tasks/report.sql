-- the return value: how many records the last hour has brought
select
    'customers ' || cast(count(case when kind = 'customers' then 1 end) as varchar)
    || ', products ' || cast(count(case when kind = 'products' then 1 end) as varchar)
    || ', transactions ' || cast(count(case when kind = 'transactions' then 1 end) as varchar)
from (
    select 'customers' as kind, _loaded_at from bronze.customers__all
    union all
    select 'products' as kind, _loaded_at from bronze.products__all
    union all
    select 'transactions' as kind, _loaded_at from bronze.transactions__all
) as loaded
where _loaded_at > current_timestamp - interval '1 hour'
