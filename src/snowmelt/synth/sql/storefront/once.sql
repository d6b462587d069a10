-- What is counted once, whatever the files.
select 'changed_customers' as quirk, count(changed_day) as made from customers
union all
select 'changed_prices', count(changed_day) from products
union all
select 'early_sales', count(*)
from sales
join customers using (c)
join products using (p)
where joined_day > day or listed_day > day;
