-- Which lines make a row of gold when all files have landed, by name. Of several versions the
-- newest counts: by the date of its file, then by when that landed, then by its place in it.
-- Grain of origins: one row per row of gold and line.
create or replace temp table counting as
select stem, n, file, record, line
from places
qualify row_number() over (partition by stem, n order by dated desc, landed desc, record desc) = 1;

create or replace temp view sale_lines as
select s, file, record, line from sales join counting on stem = 'sales' and n = s
union all
select s, file, record, line from sales join counting on stem = 'customers' and n = c
union all
select s, file, record, line from sales join counting on stem = 'products' and n = p;

create or replace temp view origins as

select
    'silver.sales_enriched' as model, json_object('sale_id', s::varchar) as key,
    file, record, line
from sale_lines

union all

select 'gold.client_activity', json_object('customer_id', c::varchar), file, record, line
from (
    select n as c, file, record, line from counting where stem = 'customers'
    union all
    select c, file, record, line from sales join sale_lines using (s)
)

union all

select 'gold.product_sales', json_object('product_id', p::varchar), file, record, line
from sales
join sale_lines using (s)

union all

select 'gold.sales_by_country', json_object('country', country), file, record, line
from sales
join customers using (c)
join sale_lines using (s);
