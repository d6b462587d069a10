-- What is kept of every chunk, to say in the end which lines make a row of gold.

-- Grain: one row per good record, where it stands: of a record that is there twice, the later.
create or replace temp table kept_places (
    stem varchar, n bigint, k bigint, file varchar, record bigint, line bigint
);

-- Grain: one row per file, how far it goes by now.
create or replace temp table file_ends (file varchar, records bigint, lines bigint);

-- Grain: one row per order.
create or replace temp table known_orders (
    n bigint, order_id varchar, person varchar, state varchar, purchased_at timestamp
);

-- Grain: one row per item of an order.
create or replace temp table known_items (
    n bigint, k bigint, product_id varchar, seller_id varchar
);
