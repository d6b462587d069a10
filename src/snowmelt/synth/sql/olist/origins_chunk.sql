-- What the orders at hand are, for the groups that they are counted in.
insert into known_orders
select n, order_id, customer_unique_id, state, purchased_at
from orders_now
where n >= getvariable('first_order');

insert into known_items
select n, k, product_id, seller_id from order_items_now;
