-- The transactions of one file, record by record, in the order of time; see the customers. An
-- early one is of a customer who comes with the next increment.

create temp macro transactions_of(source) as table
with

hashed as (

    select
        n as t,
        copy,
        bits(n, 'transaction') as h,
        bits(n, 'customer') as who
    from query_table(source)

),

drawn as (

    select
        t,
        copy,
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
    copy,
    case
        when copy > 0
        then [
            'duplicate_transactions', 'missing_transaction_ids', 'amounts_not_above_0',
            'unreadable_dates', 'transactions_of_unknown_customers',
            'transactions_of_unknown_products', 'transactions_without_customer',
            'late_transactions'
        ][copy]
        when is_early then 'early_transactions'
        else 'good'
    end as kind,
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
    case
        when is_zulu then replace(sold_at::varchar, ' ', 'T') || 'Z'
        else sold_at::varchar
    end as transaction_date,
    choose(['card', 'card', 'card', 'paypal', 'invoice', 'cash', 'gift card', 'transfer'], h, 43)
        as payment_method,
    choose(['online', 'online', 'online', 'store', 'store', 'marketplace'], who, 0) as store_type
from drawn;

create temp view transactions_records as
select
    n,
    copy,
    kind,
    transaction_id,
    customer_id,
    product_id,
    quantity,
    cents,
    transaction_date,
    payment_method,
    store_type
from transactions_of('chosen')

union all

select
    n,
    copy,
    kind,
    case kind
        when 'duplicate_transactions' then transaction_id
        when 'missing_transaction_ids' then null
        else broken_id('T', n, copy)
    end,
    case kind
        when 'transactions_of_unknown_customers'
        then 'CU' || floor(1000 * draw(n, 'which unknown'))::integer
        when 'transactions_without_customer' then null
        else customer_id
    end,
    case kind
        when 'transactions_of_unknown_products'
        then 'PU' || floor(100 * draw(n, 'which unknown'))::integer
        else product_id
    end,
    quantity,
    case kind
        when 'amounts_not_above_0' then pick([0, -1, -cents], draw(n, 'how low'))
        else cents
    end,
    case kind
        when 'unreadable_dates'
        then pick(['', 'yesterday', '2024-13-45 00:00:00', '0000-00-00'], draw(n, 'which date'))
        when 'late_transactions'
        then (sold_at - to_days(1 + floor(20 * draw(n, 'how late'))::integer))::varchar
        when 'duplicate_transactions' then transaction_date
        else sold_at::varchar
    end,
    payment_method,
    store_type
from transactions_of('broken');

create temp view transactions_file as
select
    transaction_id,
    customer_id,
    product_id,
    quantity,
    cents / 100 as total_amount,
    transaction_date,
    payment_method,
    store_type
from transactions_records;

create temp view transactions_repairs as
select unnest([
    ('dates_with_zone', count(*) filter (is_zulu))
], recursive := true)
from transactions_of('chosen');
