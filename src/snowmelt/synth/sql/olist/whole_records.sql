-- The files that do not grow, record by record.

create or replace temp view geolocation_records as
select point as n, copy as k, 0 as part, false as is_late,
    [prefix, lat::varchar, lng::varchar, csv(town), state] as fields
from geolocation;

create or replace temp view products_records as
select p as n, 1 as k, 0 as part, false as is_late,
    [hex_id('product', p)]
    || case
        when category is null then ['', '', '', '']
        else [
            category,
            least(76, greatest(5, floor(49 + 10 * gauss(p, 'name'))))::integer::varchar,
            least(3992, greatest(4, floor(600 * exp(0.75 * gauss(p, 'description')))))
                ::integer::varchar,
            (1 + floor(8 * draw(p, 'photos') ** 3.5))::integer::varchar
        ]
    end
    || case
        when is_measured then
            [weight_g::varchar, length_cm::varchar, height_cm::varchar, width_cm::varchar]
        else ['', '', '', '']
    end as fields
from products;

create or replace temp view sellers_records as
select s as n, 1 as k, 0 as part, false as is_late,
    [hex_id('seller', s), prefix, csv(town), state] as fields
from sellers;

create or replace temp view category_translation_records as
select row_number() over (order by share desc, category) as n, 1 as k, 0 as part,
    false as is_late, [category, english] as fields
from categories
where english is not null;
