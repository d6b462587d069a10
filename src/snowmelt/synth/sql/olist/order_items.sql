-- Grain: one row per position of an order. Money in cents.
create or replace temp table order_items_now as
with

counted as (

    select
        *,
        case
            when draw(n, 'positions') < 0.9005 then 1
            when draw(n, 'positions') < 0.9765 then 2
            when draw(n, 'positions') < 0.9898 then 3
            when draw(n, 'positions') < 0.9949 then 4
            when draw(n, 'positions') < 0.9970 then 5
            when draw(n, 'positions') < 0.9990 then 6
            else 7 + floor(14 * draw(n, 'many positions') ** 3)
        end::bigint as positions,
        draw(n, 'all the same') < 0.78 as is_one_product
    from orders_now
    where has_items and n >= getvariable('first_order')

),

listed as (

    select
        counted.*,
        k,
        n * 64 + k as position,
        case when is_one_product then n * 64 + 1 else n * 64 + k end as choice
    from counted, lateral (select unnest(range(1, counted.positions + 1)) as k)

),

chosen as (

    select
        *,
        floor(getvariable('products') * draw(choice, 'product') ** 1.9)::bigint as chosen_p
    from listed

),

sold as (

    select
        chosen.*,
        p,
        weight_g,
        floor(getvariable('sellers') * case when draw(choice, 'other seller') < 0.12
                then draw(choice, 'seller') else draw(p, 'seller') ** 2 end)::bigint as seller,
        price_cents * case when draw(choice, 'on sale') < 0.1 then 9 else 10 end // 10
            as price_cents
    from chosen
    join products on p = chosen_p

)

select
    n,
    k::integer as k,
    part,
    is_late,
    order_id,
    hex_id('product', p) as product_id,
    hex_id('seller', seller) as seller_id,
    approval_at + to_days([2, 4, 4, 6, 6, 6, 6, 6, 9, 9][1 + floor(10 * draw(choice, 'limit'))
        ::integer]) as shipping_limit_at,
    price_cents,
    case when draw(choice, 'free freight') < 0.004 then 0
         else floor((820 + 0.025 * price_cents + 140 * sqrt(weight_g / 50))
             * case when sellers.state = sold.state then 0.72
                    when sold.state in ('RJ', 'MG', 'PR', 'SC', 'ES', 'SP') then 1.05
                    when sold.state in ('RS', 'DF', 'GO', 'MS') then 1.2
                    else 1.75 end
             * (0.85 + 0.3 * draw(choice, 'freight')))::bigint
    end as freight_cents
from sold
join sellers on s = seller;
