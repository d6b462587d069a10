-- Grain: one row per payment of an order; together they pay price and freight.
-- Money in cents.
create or replace temp table order_payments_now as
with

totals as (

    select n, sum(price_cents + freight_cents)::bigint as total_cents
    from order_items_now
    group by n

),

planned as (

    select
        orders_now.n,
        part,
        is_late,
        order_id,
        payment_plan,
        special,
        -- an order that never got its items was paid all the same
        coalesce(total_cents, 3000 + floor(20000 * draw(orders_now.n, 'paid') ** 2)::bigint)
            as total_cents,
        case
            when draw(orders_now.n, 'vouchers') < 0.72 then 1
            when draw(orders_now.n, 'vouchers') < 0.88 then 2
            when draw(orders_now.n, 'vouchers') < 0.95 then 3
            else 4 + floor(8 * draw(orders_now.n, 'many vouchers') ** 3)
        end::bigint as vouchers
    from orders_now
    left join totals using (n)
    where has_payment and orders_now.n >= getvariable('first_order')

),

counted as (

    select
        *,
        case payment_plan when 'card and voucher' then 1 + vouchers
                          when 'vouchers' then vouchers + (special is not null)::bigint
                          else 1 end as payments,
        case payment_plan
            when 'vouchers' then total_cents // (vouchers + (special is not null)::bigint)
            else floor(total_cents * (0.15 + 0.5 * draw(n, 'voucher share')))::bigint
                // vouchers
        end as voucher_cents
    from planned

),

listed as (

    select counted.*, k
    from counted, lateral (select unnest(range(1, counted.payments + 1)) as k)

),

typed as (

    select
        *,
        case when payment_plan = 'boleto' then 'boleto'
             when payment_plan = 'debit' then 'debit_card'
             when payment_plan = 'vouchers' or k > 1 then 'voucher'
             else 'credit_card' end as payment_type
    from listed

)

select
    n,
    k::integer as k,
    part,
    is_late,
    order_id,
    payment_type,
    payments,
    case
        when payment_type <> 'credit_card' then 1
        when draw(n, 'installments') < 0.33 then 1
        when draw(n, 'installments') < 0.49 then 2
        when draw(n, 'installments') < 0.63 then 3
        when draw(n, 'installments') < 0.72 then 4
        when draw(n, 'installments') < 0.79 then 5
        when draw(n, 'installments') < 0.84 then 6
        when draw(n, 'installments') < 0.86 then 7
        when draw(n, 'installments') < 0.92 then 8
        when draw(n, 'installments') < 0.93 then 9
        when draw(n, 'installments') < 0.997 then 10
        else pick([12, 15, 18, 24], draw(n, 'long installments'))
    end::integer as installments,
    case when k = 1 then total_cents - voucher_cents * (payments - 1) else voucher_cents end
        as value_cents
from typed;
