-- The products of one day's file; see the customers.

create or replace temp view products_records as
with

listed as (

    select
        p,
        name,
        category,
        price_cents
            + case when changed_day <= getvariable('day') then 1 + price_cents // 10 else 0 end
            as cents,
        hit(p, 'long price', getvariable('dirty') / 4) as is_long,
        hit(p, 'odd case category', getvariable('dirty') / 4) as is_odd_case
    from products
    where listed_day <= getvariable('day')

),

written as (

    select
        p,
        name,
        case
            when not is_odd_case then category
            when draw(p, 'shouted') < 0.5 then upper(category)
            else ' ' || lower(category)
        end as category,
        -- more digits than two, all of which are rounded to the price itself
        case
            when is_long and draw(p, 'digits') < 0.5 then long_money(cents - 1) || pick(
                ['5', '51', '7499', '99999999999'], draw(p, 'below'))
            when is_long then long_money(cents) || pick(
                ['4', '49999', '0000000001', '2'], draw(p, 'above'))
            else money(cents)
        end as price,
        list_filter([
            case when is_long then 'long_prices' end,
            case when is_odd_case then 'odd_case_categories' end
        ], lambda quirk: quirk is not null) as repairs
    from listed

),

records as (

    select p, 0 as copy, 'good' as kind, p::varchar as id, name, category, price, repairs
    from written

    union all

    select p, 1, 'duplicate_products', p::varchar, name, category, price, repairs
    from written
    where hit(p, 'duplicate product', getvariable('dirty') / 4)

    union all

    select
        listed.p,
        broken.copy,
        broken.kind,
        case
            when broken.kind <> 'missing_product_ids' then broken_product(listed.p, broken.copy)
        end,
        listed.name,
        case broken.kind
            when 'unknown_categories'
            then pick(['Garden', 'Misc', 'Toys & Games'], draw(listed.p, 'unknown category'))
            else listed.category
        end,
        case broken.kind
            when 'prices_not_above_0'
            then pick(['0', '0.00', '-1.00', '0.004'], draw(listed.p, 'low price'))
            when 'prices_above_10000'
            then pick(['10000.01', '99999.99', '1000000'], draw(listed.p, 'high price'))
            else money(listed.cents)
        end,
        []
    from listed, (
        values (2, 'missing_product_ids'), (3, 'prices_not_above_0'),
            (4, 'prices_above_10000'), (5, 'unknown_categories')
    ) as broken (copy, kind)
    where hit(listed.p * 8 + broken.copy, 'broken product', getvariable('dirty') / 8)
        or (listed.p = 1 and getvariable('dirty') > 0)

)

select
    p as n,
    copy,
    kind,
    repairs,
    [coalesce(id, ''), csv(name), csv(category), price] as fields
from records;
