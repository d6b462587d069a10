-- The files, record by record: n and k give the order, fields are CSV text already.

create or replace temp view orders_records as
select n, 1 as k, part, is_late, [
    order_id, customer_id, status, csv_time(purchased_at), csv_time(approved_at),
    csv_time(carrier_at), csv_time(delivered_at), csv_time(estimated_at)
] as fields
from orders_now
where n >= getvariable('first_order');

create or replace temp view customers_records as
select n, 1 as k, part, is_late,
    [customer_id, customer_unique_id, prefix, csv(town), state] as fields
from orders_now
where n >= getvariable('first_order');

create or replace temp view order_items_records as
select n, k, part, is_late, [
    order_id, k::varchar, product_id, seller_id, csv_time(shipping_limit_at),
    money(price_cents), money(freight_cents)
] as fields
from order_items_now;

create or replace temp view order_payments_records as
select n, k, part, is_late,
    [order_id, k::varchar, payment_type, installments::varchar, money(value_cents)] as fields
from order_payments_now;

create or replace temp view order_reviews_records as
select n, k, part, is_late, [
    review_id, order_id, score::varchar, csv(title), csv(message), csv_time(created_at),
    csv_time(answered_at)
] as fields
from order_reviews_now;

-- A payments file sent again, of the first part: values put right, records taken out.
create or replace temp view corrected_records as
with

drawn as (

    select *, n * 64 + k as record from order_payments_records
    where part = 0 and not is_late

)

select
    n,
    k,
    part,
    is_late,
    n = 0 or draw(record, 'corrected') < getvariable('dirty') / 2 as is_corrected,
    fields[:4] || [case
        when n = 0 or draw(record, 'corrected') < getvariable('dirty') / 2
        then money((fields[5]::decimal(12, 2) * 100)::bigint
                   + 1 + floor(2000 * draw(record, 'correction'))::bigint)
        else fields[5] end] as fields
from drawn
where n = 0 or (n <> 1 and draw(record, 'removed') >= getvariable('dirty') / 2);
