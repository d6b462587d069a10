-- The transactions of one file, record by record, in the order of time; see the customers. An
-- early one is of a customer who comes with the next increment.

create or replace temp view transactions_good as
with

hashed as (

    select
        t,
        bits(t, 'transaction') as h,
        bits(t, 'customer') as who
    from range(getvariable('first'), getvariable('after')) as r (t)

),

drawn as (

    select
        t,
        h,
        who,
        getvariable('increment') > 0
            and (t = getvariable('first') or (who & 127) = 0) as is_early,
        fraction(who) as u,
        favourite(slice(h, 0) + slice(h, 16) / 65536, getvariable('products')) as p,
        1 + ((h >> 32) & 3) * ((h >> 34) & 1) as quantity
    from hashed

)

select
    t as n,
    case when is_early then 'early_transactions' else 'good' end as kind,
    transaction_id(t) as transaction_id,
    case
        when is_early then customer_id(getvariable('customers') + 1 + ((who >> 7) % getvariable('next_customers'))::bigint)
        else customer_id(favourite(u, getvariable('customers')))
    end as customer_id,
    product_id(p) as product_id,
    quantity::integer as quantity,
    -- one in four is sold at a tenth less
    quantity::bigint * price_cents(p, bits(p, 'price'))
        * case when ((h >> 35) & 3) = 0 then 90 else 100 end // 100 as cents,
    make_timestamp(1000000 * (
        getvariable('from_second')
        + getvariable('seconds') * (t - getvariable('period_first')) // getvariable('period_rows')
    )) as sold_at,
    (h >> 37) % 50 = 0 as is_zulu,
    pick(['card', 'card', 'card', 'paypal', 'invoice', 'cash', 'gift card', 'transfer'],
         slice(h, 43)) as payment_method,
    pick(['online', 'online', 'online', 'store', 'store', 'marketplace'],
         slice(bits(t, 'where'), 0)) as store_type
from drawn;

create or replace temp view transactions_records as
select n, 0 as copy, kind, * exclude (n, kind)
from transactions_good

union all

select
    good.n,
    broken.copy,
    broken.kind,
    case broken.kind
        when 'duplicate_transactions' then good.transaction_id
        when 'missing_transaction_ids' then null
        else broken_id('T', good.n, broken.copy)
    end,
    case broken.kind
        when 'transactions_of_unknown_customers'
        then 'CU' || floor(1000 * draw(good.n, 'which unknown'))::integer
        when 'transactions_without_customer' then null
        else good.customer_id
    end,
    case broken.kind
        when 'transactions_of_unknown_products'
        then 'PU' || floor(100 * draw(good.n, 'which unknown'))::integer
        else good.product_id
    end,
    good.quantity,
    case broken.kind
        when 'amounts_not_above_0' then pick([0, -1, -good.cents], draw(good.n, 'how low'))
        else good.cents
    end,
    case when broken.kind <> 'unreadable_dates' then good.sold_at end,
    good.is_zulu and broken.kind = 'duplicate_transactions',
    good.payment_method,
    good.store_type
from transactions_good as good, (
    values (1, 'duplicate_transactions'), (2, 'missing_transaction_ids'), (3, 'amounts_not_above_0'),
        (4, 'unreadable_dates'), (5, 'transactions_of_unknown_customers'),
        (6, 'transactions_of_unknown_products'), (7, 'transactions_without_customer'),
        (8, 'late_transactions')
) as broken (copy, kind)
where hit(good.n * 16 + broken.copy, 'broken transaction', getvariable('dirty') / 16)
    or (good.n = getvariable('first') and getvariable('dirty') > 0);

create or replace temp view transactions_file as
select
    transaction_id,
    customer_id,
    product_id,
    quantity,
    cents / 100 as total_amount,
    case
        when sold_at is null
        then pick(['', 'yesterday', '2024-13-45 00:00:00', '0000-00-00'], draw(n, 'which date'))
        when kind = 'late_transactions'
        then (sold_at - to_days(1 + floor(20 * draw(n, 'how late'))::integer))::varchar
        when is_zulu then replace(sold_at::varchar, ' ', 'T') || 'Z'
        else sold_at::varchar
    end as transaction_date,
    payment_method,
    store_type
from transactions_records;

create or replace temp view transactions_repairs as
select unnest([
    ('dates_with_zone', count(*) filter (is_zulu))
], recursive := true)
from transactions_good;
