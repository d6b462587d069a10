-- What is counted once, whatever the files: a property of what there is, not of a record.
select 'earlier_product_versions' as quirk, count(*) as made from versions where end_day is not null
union all
select 'products_without_category', count(*) from products where lacks_category
union all
select 'categories_without_product', count(*)
from categories
where replace(id, '_', '-') || '-' not in (select prefix from products);
