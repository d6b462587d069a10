-- Orders first_order <= n < after_order, and the one before them, whose review the
-- first one may share. Grain: one row per order; n is the rank by purchase time.
-- Money in cents.
create or replace temp table orders_now as
with

numbers as (

    select n::bigint as n
    from range(greatest(0, getvariable('first_order') - 1), getvariable('after_order'))
        as t (n)

),

placed as (

    select
        n,
        (n + draw(n, 'moment')) / getvariable('orders') as share,
        low,
        width,
        hour_at
    from numbers
    asof join hours on hours.low <= (n + draw(n, 'moment')) / getvariable('orders')

),

bought as (

    select
        placed.n,
        hour_at + to_seconds(floor(3599 * (share - low) / width)::bigint) as purchased_at,
        -- a person who comes back is one whose own order was a first one
        case when draw(placed.n, 'back') < 0.034 and placed.n > 0
                  and draw(floor(placed.n * draw(placed.n, 'who')), 'back') >= 0.034
             then floor(placed.n * draw(placed.n, 'who'))::bigint
             else placed.n end as person,
        specials.special,
        placed.n = getvariable('anchor') as is_anchor,
        draw(placed.n, 'status') as status_draw
    from placed
    left join specials on specials.n = placed.n

),

settled as (

    select
        *,
        case
            when special in ('created', 'approved', 'processing', 'invoiced', 'shipped',
                             'unavailable', 'canceled') then special
            when special is not null or is_anchor or n < 2 then 'delivered'
            when status_draw < 0.9700 then 'delivered'
            when status_draw < 0.9811 then 'shipped'
            when status_draw < 0.9874 then 'canceled'
            when status_draw < 0.9935 then 'unavailable'
            when status_draw < 0.9967 then 'invoiced'
            when status_draw < 0.9998 then 'processing'
            when status_draw < 0.9999 then 'created'
            else 'approved'
        end as status,
        case
            when special in ('vouchers', 'card and voucher') then special
            when draw(n, 'payment type') < 0.742 then 'card'
            when draw(n, 'payment type') < 0.765 then 'card and voucher'
            when draw(n, 'payment type') < 0.963 then 'boleto'
            when draw(n, 'payment type') < 0.978 then 'debit'
            else 'vouchers'
        end as payment_plan
    from bought

),

homed as (

    select
        settled.*,
        places.town_plain as town,
        places.state,
        delivery_days,
        lpad((prefix_first + floor(draw(person, 'prefix') * prefixes))::integer::varchar,
             5, '0') as prefix
    from settled
    join place_slots on slot = floor(draw(person, 'place') * 10000)::integer
    join places on places.place = place_slots.place

),

approved as (

    select
        *,
        purchased_at + to_seconds(case
            when payment_plan = 'boleto' then 20000 + floor(170000 * draw(n, 'approval'))
            when draw(n, 'slow approval') < 0.14 then floor(90000 * draw(n, 'approval'))
            else 420 + floor(1500 * draw(n, 'approval') ** 2)
        end::bigint) as approval_at,
        status not in ('created', 'canceled') or (status = 'canceled'
            and draw(n, 'approved') < 0.8) as is_approved,
        status in ('delivered', 'shipped') or (status = 'canceled'
            and draw(n, 'approved') < 0.1) as is_handed_over
    from homed

),

handed_over as (

    select
        *,
        approval_at + to_seconds((86400 * least(45, 1.85 * exp(0.85 * gauss(n, 'packing'))))
            ::bigint) as carrier_at
    from approved

),

delivered as (

    select
        *,
        carrier_at + to_seconds((86400 * least(150,
            delivery_days * exp(0.62 * gauss(n, 'transport'))))::bigint) as delivery_at,
        date_trunc('day', purchased_at + to_seconds((86400 * greatest(5,
            15.5 + 1.25 * delivery_days + 5.8 * gauss(n, 'estimate')))::bigint)) as estimated_at,
        status = 'delivered' and special is distinct from 'no delivery date'
            and (draw(n, 'delivery date') >= 0.0001 or is_anchor or special is not null)
            as has_delivery_date
    from handed_over

)

select
    n,
    (n * getvariable('parts') // getvariable('orders'))::integer as part,
    getvariable('late_share') > 0 and n >= 2 and not is_anchor
        and (draw(n, 'late') < getvariable('late_share') or n = getvariable('late_order'))
        as is_late,
    person,
    special,
    is_anchor,
    status,
    town,
    state,
    prefix,
    payment_plan,
    hex_id('order', n) as order_id,
    hex_id('customer', n) as customer_id,
    hex_id('person', person) as customer_unique_id,
    purchased_at,
    approval_at,
    case when is_approved then approval_at end as approved_at,
    case when is_handed_over then carrier_at end as carrier_at,
    case when has_delivery_date then delivery_at end as delivered_at,
    estimated_at,
    status not in ('unavailable', 'created')
        and (status <> 'canceled' or draw(n, 'has items') < 0.74) as has_items,
    special is distinct from 'no payment'
        and (draw(n, 'has payment') >= 0.0001 or is_anchor or special is not null or n < 2)
        as has_payment,
    is_anchor or special is not null or draw(n, 'reviewed') < 0.9925 as has_review
from delivered;
