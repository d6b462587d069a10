-- How often the orders at hand show each quirk of the published files.
with

fresh as (

    select * from orders_now where n >= getvariable('first_order')

),

items as (

    select count(distinct n) as orders from order_items_now

),

payments as (

    select
        count(distinct n) as orders,
        count(distinct n) filter (payments > 1) as paid_in_parts,
        count(*) filter (payment_type = 'voucher') as vouchers
    from order_payments_now

),

texts as (

    select coalesce(title, '') || coalesce(message, '') as words, message, k
    from order_reviews_now

)

select
    'repeat_orders' as quirk, count(*) filter (person <> n) as made from fresh
union all
select 'zip_leading_zero', count(*) filter (prefix like '0%') from fresh
union all
select 'delivered_without_date',
    count(*) filter (status = 'delivered' and delivered_at is null) from fresh
union all
select 'orders_without_items', (select count(*) from fresh) - orders from items
union all
select 'orders_without_payment', (select count(*) from fresh) - orders from payments
union all
select 'orders_paid_in_parts', paid_in_parts from payments
union all
select 'voucher_payments', vouchers from payments
union all
select 'crlf_in_review_text', count(*) filter (contains(message, chr(13) || chr(10)))
from texts
union all
select 'quotes_in_review_text', count(*) filter (contains(words, '"')) from texts
union all
select 'commas_in_review_text', count(*) filter (contains(words, ',')) from texts
union all
select 'orders_with_two_reviews', count(*) filter (k = 2) from texts
union all
select 'repeated_review_ids',
    count(*) filter (k = 1 and review_id <> hex_id('review', n)) from order_reviews_now
union all
select 'late_orders', count(*) filter (is_late) from fresh;
