-- The products of one file, record by record; see the customers.

create temp macro products_of(source) as table
select
    n,
    copy,
    case
        when copy = 0 then kind_of(n)
        else ['duplicate_products', 'missing_product_ids'][copy]
    end as kind,
    product_id(n) as product_id,
    pick(['Lamp', 'Kettle', 'Jacket', 'Novel', 'Camera', 'Puzzle', 'Serum', 'Tent', 'Chair', 'Drill'],
         draw(n, 'noun')) || ' '
        || pick(['Aurora', 'Borealis', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Gale', 'Harbour'],
                draw(n, 'model')) || ' ' || n as name,
    pick(['Books', 'Clothing', 'Electronics', 'Home', 'Toys', 'Beauty', 'Sports', 'Garden'],
         draw(n, 'category')) as category,
    pick(['Northwind', 'Halden', 'Ostra', 'Kestrel', 'Mirabel', 'Tarn', 'Lumo', 'Vela', null],
         draw(n, 'brand')) as brand,
    is_odd(n, draw(n, 'oddity'), 1) as has_negative_price,
    price_cents(n, bits(n, 'price')) + case when is_changed(n) then 100 else 0 end as cents,
    case
        when is_odd(n, draw(n, 'oddity'), 2) then -1 - floor(20 * draw(n, 'owed'))
        else floor(500 * power(draw(n, 'stock'), 2))
    end::integer as stock,
    draw(n, 'stock as text') < 0.1 as is_stock_as_text,
    is_odd(n, draw(n, 'oddity'), 3) as has_odd_rating,
    (1 + floor(41 * sqrt(draw(n, 'rating'))) / 10)::decimal(3, 1) as rating,
    draw(n, 'active') < 0.93 as is_active
from query_table(source);

create temp view products_records as
select n, copy, kind, product_id, * exclude (n, copy, kind, product_id)
from products_of('chosen')

union all

select
    n,
    copy,
    kind,
    case kind when 'duplicate_products' then product_id end,
    * exclude (n, copy, kind, product_id)
from products_of('broken');

create temp view products_file as
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

create temp view products_repairs as
select unnest([
    ('negative_prices', count(*) filter (has_negative_price)),
    ('negative_stocks', count(*) filter (stock < 0)),
    ('ratings_out_of_range', count(*) filter (has_odd_rating)),
    ('stocks_as_text', count(*) filter (is_stock_as_text))
], recursive := true)
from products_of('chosen');
