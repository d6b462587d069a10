-- Which lines make a row of gold, when every file has landed, the corrected one in the place of
-- the one that it corrects. Grain of origins: one row per row of gold and line.

-- The lines of an order: its own, its customer's, and its items', payments' and reviews'.
create or replace temp view order_lines as
select n, file, record, line
from kept_places
where stem in ('olist_orders_dataset', 'olist_customers_dataset', 'olist_order_items_dataset',
               'olist_order_payments_dataset', 'olist_order_reviews_dataset')
    and file <> getvariable('superseded_file');

-- The lines of an item: its own, its order's and the order's customer's.
create or replace temp view item_lines as
select known_items.n, known_items.k, file, record, line
from known_items
join kept_places on kept_places.n = known_items.n
where stem in ('olist_orders_dataset', 'olist_customers_dataset')
    or (stem = 'olist_order_items_dataset' and kept_places.k = known_items.k);

-- What a product is, and the lines that say so.
create or replace temp view known_products as
select
    p,
    hex_id('product', p) as product_id,
    coalesce(translated.english, products.category, 'unknown') as category,
    translated.n as translation
from products
left join (
    select row_number() over (order by share desc, category) as n, category, english
    from categories
    where english is not null
) as translated on products.category = translated.category;

create or replace temp view product_lines as
select p, file, record, line
from known_products
join kept_places on stem = 'olist_products_dataset' and n = p
union all
select p, file, record, line
from known_products
join kept_places on stem = 'product_category_name_translation' and n = translation;

create or replace temp view first_months as
select person, date_trunc('month', min(purchased_at))::date as month
from known_orders
group by person;

create or replace temp view origins as

select 'gold.fct_orders' as model, json_object('order_id', order_id) as key, file, record, line
from known_orders
join order_lines using (n)

union all

select
    'gold.fct_order_items', json_object('order_id', order_id, 'order_item_id', k),
    file, record, line
from known_orders
join item_lines using (n)

union all

select 'gold.dim_products', json_object('product_id', product_id), file, record, line
from known_products
join product_lines using (p)

union all

select
    'gold.orders_by_state',
    json_object(
        'month', date_trunc('month', purchased_at)::date::varchar, 'customer_state', state
    ),
    file, record, line
from known_orders
join order_lines using (n)

union all

select 'gold.category_sales', json_object('category', category), file, record, line
from (
    select category, lines.*
    from known_products
    join known_items using (product_id)
    join item_lines as lines using (n, k)
    union all by name
    select category, null as n, null as k, product_lines.* exclude (p)
    from known_products
    semi join known_items using (product_id)
    join product_lines using (p)
)

union all

select 'gold.customer_activity', json_object('customer_unique_id', person), file, record, line
from known_orders
join order_lines using (n)

union all

-- a month counts its orders, and the people whose first order was in it, by all their orders
select 'gold.monthly_metrics', json_object('month', month::varchar), file, record, line
from (
    select n, date_trunc('month', purchased_at)::date as month from known_orders
    union
    select n, month from known_orders join first_months using (person)
)
join order_lines using (n)

union all

-- of each order that a seller has a part in, all: when it came, and what was said of it
select 'gold.seller_performance', json_object('seller_id', seller_id), file, record, line
from known_items
join order_lines using (n);
