-- The products of one file, record by record; see the customers.

create or replace temp view products_good as
with

chosen as (

    select
        p,
        case
            when getvariable('increment') = 0 then 'good'
            when p > getvariable('known_products') then 'new_products'
            else 'changed_products'
        end as kind
    from (
        select p from range(getvariable('first'), getvariable('after')) as t (p)
        union all
        select p from range(1, getvariable('changes_before')) as t (p)
        where p = getvariable('increment')
            or draw(p, 'changed ' || getvariable('increment')) < 0.001
    )

)

select
    p as n,
    kind,
    product_id(p) as product_id,
    pick(['Lamp', 'Kettle', 'Jacket', 'Novel', 'Camera', 'Puzzle', 'Serum', 'Tent', 'Chair', 'Drill'],
         draw(p, 'noun')) || ' '
        || pick(['Aurora', 'Borealis', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Gale', 'Harbour'],
                draw(p, 'model')) || ' ' || p as name,
    pick(['Books', 'Clothing', 'Electronics', 'Home', 'Toys', 'Beauty', 'Sports', 'Garden'],
         draw(p, 'category')) as category,
    pick(['Northwind', 'Halden', 'Ostra', 'Kestrel', 'Mirabel', 'Tarn', 'Lumo', 'Vela', null],
         draw(p, 'brand')) as brand,
    hit(p, 'negative price', getvariable('dirty') / 4) as has_negative_price,
    price_cents(p, bits(p, 'price')) + case when kind = 'changed_products' then 100 else 0 end as cents,
    case
        when hit(p, 'negative stock', getvariable('dirty') / 4) then -1 - floor(20 * draw(p, 'owed'))
        else floor(500 * power(draw(p, 'stock'), 2))
    end::integer as stock,
    draw(p, 'stock as text') < 0.1 as is_stock_as_text,
    hit(p, 'odd rating', getvariable('dirty') / 4) as has_odd_rating,
    (1 + floor(41 * sqrt(draw(p, 'rating'))) / 10)::decimal(3, 1) as rating,
    draw(p, 'active') < 0.93 as is_active
from chosen;

create or replace temp view products_records as
select n, 0 as copy, kind, product_id, * exclude (n, kind, product_id)
from products_good

union all

select
    good.n,
    broken.copy,
    broken.kind,
    case broken.kind when 'duplicate_products' then product_id end,
    good.* exclude (n, kind, product_id)
from products_good as good, (
    values (1, 'duplicate_products'), (2, 'missing_product_ids')
) as broken (copy, kind)
where hit(good.n * 8 + broken.copy, 'broken product', getvariable('dirty') / 8)
    or (good.n = getvariable('first') and getvariable('dirty') > 0);

create or replace temp view products_file as
select
    product_id,
    name,
    category,
    brand,
    euros(case when has_negative_price then -cents else cents end) as price,
    case when is_stock_as_text then to_json(stock::varchar) else to_json(stock) end as stock_quantity,
    case
        when has_odd_rating then pick([-1.0, 5.5, 9.9, 45.0], draw(n, 'which rating'))
        else rating
    end::decimal(4, 1) as rating,
    is_active
from products_records;

create or replace temp view products_repairs as
select unnest([
    ('negative_prices', count(*) filter (has_negative_price)),
    ('negative_stocks', count(*) filter (stock < 0)),
    ('ratings_out_of_range', count(*) filter (has_odd_rating)),
    ('stocks_as_text', count(*) filter (is_stock_as_text))
], recursive := true)
from products_good;
