-- Orders that show a rare case on purpose, so that a set of 100 orders has one of each.
create or replace temp table specials as
with

rare as (

    select unnest([
        'created', 'approved', 'no payment', 'no delivery date', 'canceled', 'unavailable',
        'two reviews', 'shared review source', 'shared review', 'shipped', 'invoiced',
        'processing', 'vouchers', 'card and voucher'
    ]) as special,
    unnest([6, 8, 10, 12, 14, 16, 18, 26, 26, 28, 30, 32, 34, 36]) as place

)

select
    getvariable('orders') * place // 40 + (special = 'shared review')::bigint as n,
    special
from rare
where getvariable('orders') >= 100;
