-- The CRM's sales of one part; see cust_info.

create or replace temp view sales_details_records as
with

written as (

    select
        sales.*,
        'SO' || (43000 + o) as order_number,
        products.number,
        price_cents,
        quantity * price_cents as sales_cents,
        damage(
            n, 'date', ['order_dates_0', 'order_dates_of_wrong_length', 'impossible_order_dates'],
            getvariable('dirty') / 4
        ) as date_damage,
        damage(n, 'later date', ['ship_dates_0', 'due_dates_0'], getvariable('dirty') / 8) as later_damage,
        damage(
            n,
            'money',
            [
                'empty_prices', 'negative_prices', 'zero_prices', 'empty_sales', 'sales_not_above_0',
                'wrong_sales'
            ],
            getvariable('dirty') / 2
        ) as money_damage
    from sales
    join products using (p)
    where (n - 1) * getvariable('parts') // (select count(*) from sales) = getvariable('part')

),

records as (

    select
        n,
        0 as copy,
        'good' as kind,
        order_number,
        number,
        (10999 + c)::varchar as customer,
        case date_damage
            when 'order_dates_0' then '0'
            when 'order_dates_of_wrong_length' then pick(['5489', '32154', '201301011'], draw(n, 'length'))
            when 'impossible_order_dates' then pick(['20130231', '20131301', '20120400'], draw(n, 'no day'))
            else day_number(order_day)
        end as order_day,
        case later_damage when 'ship_dates_0' then '0' else day_number(order_day + 7) end as ship_day,
        case later_damage when 'due_dates_0' then '0' else day_number(order_day + 12) end as due_day,
        case money_damage
            when 'empty_sales' then ''
            when 'sales_not_above_0'
            then case when draw(n, 'no sales') < 0.5 then '0' else '-' || amount(sales_cents) end
            when 'wrong_sales' then amount(sales_cents + 100 + floor(20000 * draw(n, 'wrong'))::bigint)
            else amount(sales_cents)
        end as sales,
        quantity::varchar as quantity,
        case money_damage
            when 'empty_prices' then ''
            when 'negative_prices' then '-' || amount(price_cents)
            when 'zero_prices' then '0'
            else amount(price_cents)
        end as price,
        list_filter([date_damage, later_damage, money_damage], lambda each: each is not null) as repairs
    from written

    union all

    select
        written.n,
        broken.copy,
        broken.kind,
        case when broken.kind <> 'missing_order_numbers' then 'SX' || (n * 16 + broken.copy) else '' end,
        case broken.kind
            when 'sales_without_product' then ''
            when 'sales_of_unknown_products' then 'XX-' || (n % 50)
            else number
        end,
        case broken.kind
            when 'sales_without_customer' then ''
            when 'sales_of_unknown_customers' then (90000000 + n % 50)::varchar
            else (10999 + c)::varchar
        end,
        day_number(order_day),
        day_number(order_day + 7),
        day_number(order_day + 12),
        case broken.kind when 'sales_without_amount' then '' else amount(sales_cents) end,
        case broken.kind
            when 'quantities_below_1' then pick(['0', '-1', '-20'], draw(n, 'few'))
            when 'missing_quantities' then ''
            else quantity::varchar
        end,
        case broken.kind
            when 'sales_without_amount' then ''
            when 'texts_in_prices' then 'n.a.'
            else amount(price_cents)
        end,
        []
    from written, (
        values (2, 'missing_order_numbers'), (3, 'sales_without_product'), (4, 'sales_without_customer'),
            (5, 'quantities_below_1'), (6, 'missing_quantities'), (7, 'sales_without_amount'),
            (8, 'texts_in_prices'), (9, 'sales_of_unknown_customers'), (10, 'sales_of_unknown_products')
    ) as broken (copy, kind)
    where hit(written.n * 16 + broken.copy, 'broken sale', getvariable('dirty') / 12)
        or (written.n = 1 and getvariable('dirty') > 0)

)

select
    n,
    place as copy,
    case when place = 20 then 'duplicate_sales' else kind end as kind,
    case when place = 20 then [] else repairs end as repairs,
    [order_number, number, customer, order_day, ship_day, due_day, sales, quantity, price] as fields
from (
    select *, copy as place from records
    union all
    select *, 20
    from records
    where copy = 0 and len(repairs) = 0 and getvariable('dirty') > 0
        and (
            draw(n, 'duplicate sale') < getvariable('dirty') / 4
            or n = (select min(n) from records where copy = 0 and len(repairs) = 0)
        )
);
