-- How often the files that do not grow show each quirk of the published ones.
select
    'products_without_category' as quirk, count(*) filter (category is null) as made
from products
union all
select 'products_without_measures', count(*) filter (not is_measured) from products
union all
select 'categories_without_translation',
    count(distinct categories.category) filter (english is null)
from products
join categories using (category)
union all
select 'geolocation_duplicate_rows', count(*) filter (copy = 1) from geolocation
union all
select 'geolocation_towns_with_accents', count(*) filter (town <> strip_accents(town))
from geolocation
union all
select 'prefixes_of_two_states', count(*) from (
    select prefix from geolocation group by prefix having count(distinct state) > 1
);
