-- Who buys, what is sold in which versions, and what was bought on which day.

-- Grain: one row per category. The last two have no product.
create or replace temp table categories as
select * from (
    values
    (1, 'TO_HA', 'Tools', 'Hammers', 'No', ['Claw Hammer', 'Mallet', 'Sledge']),
    (2, 'TO_SA', 'Tools', 'Saws', 'Yes', ['Hand Saw', 'Bow Saw', 'Fret Saw']),
    (3, 'TO_DR', 'Tools', 'Drills', 'Yes', ['Drill', 'Drill Press', 'Hammer Drill']),
    (4, 'TO_ME', 'Tools', 'Measuring', 'No', ['Spirit Level', 'Folding Rule', 'Caliper']),
    (5, 'GA_MO', 'Garden', 'Mowers', 'Yes', ['Push Mower', 'Ride-On Mower', 'Robot Mower']),
    (6, 'GA_PU', 'Garden', 'Pumps', 'Yes', ['Well Pump', 'Pond Pump', 'Barrel Pump']),
    (7, 'GA_FU', 'Garden', 'Furniture', 'No', ['Bench', 'Table', 'Deck Chair']),
    (8, 'CL_GL', 'Clothing', 'Gloves', 'No', ['Work Gloves', 'Winter Gloves', 'Welding Gloves']),
    (9, 'CL_SH', 'Clothing', 'Shoes', 'No', ['Safety Shoes', 'Rubber Boots', 'Clogs']),
    (10, 'CL_HE', 'Clothing', 'Helmets', 'No', ['Helmet', 'Bump Cap', 'Climbing Helmet']),
    (11, 'PA_SC', 'Parts', 'Screws', 'No', ['Wood Screws', 'Hex Bolts', 'Anchors']),
    (12, 'PA_EL', 'Parts', 'Electrics', 'Yes', ['Cable Drum', 'Socket', 'Work Light']),
    (13, 'PA_PI', 'Parts', 'Pipes', 'No', ['Copper Pipe', 'Elbow', 'Valve']),
    (14, 'SE_RE', 'Services', 'Repairs', 'No', []),
    (15, 'SE_RN', 'Services', 'Rentals', 'No', [])
) as listed (number, id, category, subcategory, maintenance, nouns);

-- Grain: one row per product.
create or replace temp table products as
select
    p::bigint as p,
    getvariable('dirty') > 0 and (p = 2 or draw(p, 'no category') < getvariable('dirty') / 8)
        as lacks_category,
    replace(case when lacks_category then 'ZZ_XX' else id end, '_', '-') || '-' as prefix,
    upper(nouns[1][1:2]) || '-' || upper(substr(hex_id('product', p), 1, 1)) || lpad(p::varchar, 4, '0')
        || '-' || pick(['38', '44', '62', 'M', 'L'], draw(p, 'size')) as number,
    pick(nouns, draw(p, 'noun')) || ' ' || pick(['Alba', 'Brio', 'Corvo', 'Dune', 'Ember'], draw(p, 'model'))
        || '- ' || pick(['Red', 'Black', 'Steel', 'Blue'], draw(p, 'colour')) || ', ' || p as name,
    pick(['M', 'R', 'S', 'T'], draw(p, 'line')) as line,
    case when draw(p, 'round price') < 0.7 then 100 else 1 end as step,
    greatest(1, floor(8000 * exp(1.3 * gauss(p, 'price')) / step))::bigint * step as price_cents,
    case when p = 1 or draw(p, 'versions') < 0.12 then 3 when draw(p, 'versions') < 0.35 then 2 else 1 end
        as versions
from range(1, getvariable('products') + 1) as t (p)
join categories on categories.number = 1 + floor(13 * draw(p, 'category'))::integer;

-- Grain: one row per version of a product; v counts from 1.
create or replace temp table versions as
with

started as (

    select
        p,
        v,
        date '2010-01-01' + floor(300 * draw(p, 'start'))::integer
            + (v - 1)::integer * (330 + floor(100 * draw(p, 'interval'))::integer) as start_day,
        floor(price_cents * (0.3 + 0.5 * draw(p * 4 + v, 'cost')))::bigint as cost_cents
    from products, range(1, versions + 1) as t (v)

)

select
    *,
    row_number() over (order by p, v) as n,
    lead(start_day) over (partition by p order by v) - 1 as end_day
from started;

-- Grain: one row per customer.
create or replace temp table customers as
select
    c::bigint as c,
    10999 + c as id,
    'AW' || lpad((10999 + c)::varchar, 8, '0') as number,
    pick([
        'Anna', 'Ben', 'Clara', 'David', 'Élodie', 'Finn', 'Grace', 'Hugo', 'Inês', 'Jan',
        'Anne-Marie', 'Karolina', 'Léa', 'Marco', 'Noor', 'Øyvind', 'Zoë', 'José'
    ], draw(c, 'first name')) as first_name,
    pick([
        'Smith', 'Müller', 'Rossi', 'Dubois', 'García', 'O''Neil', 'Nowak', 'Lindström',
        'Van Dijk', 'Silva', 'Weber', 'Kowalska', 'Moreau', 'Byrne', 'Fischer', 'Adams'
    ], draw(c, 'last name')) as last_name,
    pick(['S', 'M'], draw(c, 'married')) as marital_status,
    pick(['M', 'F'], draw(c, 'gender')) as gender,
    date '2025-01-01' + floor(200 * draw(c, 'created'))::integer as create_day,
    date '1935-01-01' + floor(25000 * draw(c, 'born'))::integer as birth_day,
    case
        when c = 1 then 'Germany'
        when c <= 3 then 'United States'
        else pick([
            'United States', 'United States', 'United States', 'Germany', 'Germany', 'France',
            'Australia', 'Canada', 'United Kingdom'
        ], draw(c, 'country'))
    end as country
from range(1, getvariable('customers') + 1) as t (c);

-- Grain: one row per order and product, in the order of days. Some customers buy more than others.
create or replace temp table sales as
with

orders as (

    select
        o::bigint as o,
        date '2011-01-01'
            + ((o - 1) * getvariable('days') // getvariable('orders'))::integer as order_day,
        1 + floor(getvariable('customers') * power(draw(o, 'customer'), 1.6))::bigint as c,
        1 + floor(2.4 * power(draw(o, 'lines'), 2))::integer as lines,
        floor(getvariable('products') * power(draw(o, 'product'), 1.4))::bigint as first_product
    from range(1, getvariable('orders') + 1) as t (o)

)

select
    row_number() over (order by o, l) as n,
    o,
    l,
    order_day,
    c,
    1 + (first_product + (l - 1) * 7) % getvariable('products') as p,
    case when draw(o * 4 + l, 'many') < 0.8 then 1 else 2 + floor(6 * draw(o * 4 + l, 'quantity')) end::bigint
        as quantity
from orders, range(1, lines + 1) as t (l);
