-- Who buys, what is sold, and what was bought on which day.

-- Grain: one row per country.
create or replace temp table countries as
select
    unnest(['DE', 'FR', 'GB', 'US', 'ES', 'IT', 'NL', 'PL', 'SE', 'AT', 'PT', 'IE']) as country,
    unnest([18, 16, 14, 13, 9, 9, 6, 5, 4, 3, 2, 1]) as share;

create or replace temp table country_slots as
select country
from countries, range(share)
order by country;

-- Grain: one row per category.
create or replace temp table categories as
select * from (
    values
    (1, 'Books', 14.0, ['Novel', 'Atlas', 'Cookbook', 'Diary', 'Thriller']),
    (2, 'Clothing', 45.0, ['Jacket', 'Scarf', 'Shirt', 'Boots', 'Gloves']),
    (3, 'Electronics', 220.0, ['Headphones', 'Keyboard', 'Camera', 'Speaker', 'Charger']),
    (4, 'Home', 60.0, ['Lamp', 'Kettle', 'Blanket', 'Clock', 'Mirror']),
    (5, 'Toys', 25.0, ['Puzzle', 'Kite', 'Train', 'Doll', 'Yo-Yo'])
) as listed (number, category, usual_price, nouns);

-- Grain: one row per customer. From changed_day on the address is another one.
create or replace temp table customers as
with

named as (

    select
        c::bigint as c,
        pick([
            'Anna', 'Ben', 'Clara', 'David', 'Élodie', 'Finn', 'Grace', 'Hugo', 'Inês', 'Jan',
            'Anne-Marie', 'Jean-Luc', 'Karolina', 'Léa', 'Marco', 'Noor', 'Øyvind', 'Zoë'
        ], draw(c, 'first name')) as first_name,
        pick([
            'Smith', 'Müller', 'Rossi', 'Dubois', 'García', 'O''Neil', 'Nowak', 'Lindström',
            'Van Dijk', 'Silva', 'D''Angelo', 'Weber', 'Kowalska', 'Moreau', 'Byrne', 'Fischer'
        ], draw(c, 'last name')) as last_name
    from range(1, getvariable('customers') + 1) as t (c)

)

select
    c,
    first_name || ' ' || last_name as name,
    (select list(country order by country) from country_slots)[
        1 + floor(100 * draw(c, 'country'))::integer] as country,
    regexp_replace(lower(strip_accents(first_name || '.' || last_name)), '[^a-z.-]', '', 'g')
        || c || '@' as mailbox,
    pick(['example.com', 'example.org', 'example.net'], draw(c, 'domain')) as domain,
    case
        when c = 2 then getvariable('days') - 1
        when draw(c, 'joins late') < 0.1 then floor(getvariable('days') * draw(c, 'joined'))
        else 0
    end::integer as joined_day,
    case
        when c = 1 or draw(c, 'changes') < 0.03
        then 1 + floor((getvariable('days') - 1) * draw(c, 'changed'))
    end::integer as changed_day
from named;

-- Grain: one row per product. From changed_day on the price is another one.
create or replace temp table products as
select
    p::bigint as p,
    pick(nouns, draw(p, 'noun')) || ' '
        || pick(['Aurora', 'Borealis', 'Cedar', 'Delta', 'Ember', 'Fjord', 'Gale', 'Harbour'],
                draw(p, 'model'))
        || ' ' || p as name,
    category,
    greatest(1, least(900000, floor(100 * usual_price * exp(0.7 * gauss(p, 'price')))))::bigint
        as price_cents,
    case
        when p = 2 or draw(p, 'listed late') < 0.05
        then floor(getvariable('days') * draw(p, 'listed'))
        else 0
    end::integer as listed_day,
    case
        when p = 1 or draw(p, 'changes price') < 0.05
        then 1 + floor((getvariable('days') - 1) * draw(p, 'changed'))
    end::integer as changed_day
from range(1, getvariable('products') + 1) as t (p)
join categories on categories.number = 1 + floor(5 * draw(p, 'category'))::integer;

-- Grain: one row per sale, in the order of days. Some customers buy more than others.
create or replace temp table sales as
select
    s::bigint as s,
    ((s - 1) * getvariable('days') // getvariable('sales'))::integer as day,
    case
        when s = 1 then least(2, getvariable('customers'))
        else 1 + floor(getvariable('customers') * power(draw(s, 'customer'), 1.6))
    end::bigint as c,
    1 + floor(getvariable('products') * power(draw(s, 'product'), 1.6))::bigint as p,
    case
        when draw(s, 'bulk') < 0.02 then 1 + floor(100 * draw(s, 'quantity'))
        else 1 + floor(4 * power(draw(s, 'quantity'), 3))
    end::bigint as quantity
from range(1, getvariable('sales') + 1) as t (s);
