-- The sales of one day's file; see the customers. Fields are JSON text. An orphan is a good record
-- whose customer or product is in no file, or in quarantine.

create or replace temp view sales_records as
with

today as (

    select *
    from sales
    where day = getvariable('day')

),

first_of_day as (

    select min(s) as s from today

),

records as (

    select s, 0 as copy, 'good' as kind, s as id, c, p, quantity from today

    union all

    select s, 1, 'duplicate_sales', s, c, p, quantity
    from today
    where hit(s, 'duplicate sale', getvariable('dirty') / 4)

    union all

    select
        today.s,
        broken.copy,
        broken.kind,
        case when broken.kind <> 'missing_sale_ids' then broken_sale(today.s, broken.copy) end,
        case
            when broken.kind = 'sales_without_customer_id' then null
            when broken.kind <> 'orphans_without_customer' then today.c
            when draw(today.s, 'refused customer') < 0.3 then broken_customer(1, 4)::bigint
            else 10 * getvariable('customers') + floor(1000 * draw(today.s, 'no customer'))
        end::bigint,
        case
            when broken.kind <> 'orphans_without_product' then today.p
            when draw(today.s, 'refused product') < 0.3 then broken_product(1, 3)::bigint
            else 10 * getvariable('products') + floor(1000 * draw(today.s, 'no product'))
        end::bigint,
        case broken.kind
            when 'quantities_below_1' then pick([0, -1, -20], draw(today.s, 'few'))
            when 'quantities_above_100' then pick([101, 250, 100000], draw(today.s, 'many'))
            else today.quantity
        end
    from today, (
        values (2, 'missing_sale_ids'), (3, 'sales_without_customer_id'),
            (4, 'quantities_below_1'), (5, 'quantities_above_100'),
            (6, 'orphans_without_customer'), (7, 'orphans_without_product')
    ) as broken (copy, kind)
    where hit(today.s * 8 + broken.copy, 'broken sale', getvariable('dirty') / 12)
        or (today.s = (select s from first_of_day) and getvariable('dirty') > 0)

)

select
    s as n,
    copy,
    kind,
    [] as repairs,
    [
        coalesce(id::varchar, 'null'), coalesce(c::varchar, 'null'), p::varchar,
        quantity::varchar,
        case getvariable('shape')
            when 'columns' then epoch_ms(getvariable('first_day') + to_days(getvariable('day')))::varchar
            else '"' || strftime(getvariable('first_day') + to_days(getvariable('day')), '%Y-%m-%d') || '"'
        end
    ] as fields
from records;
