-- Warns only: one absurd date must not hold back the rest.
{{ config(severity='warn') }}

select
    orders.order_id,
    orders.purchased_at
from {{ ref('fct_orders') }} as orders
left join {{ ref('dim_dates') }} as dates
    on cast(orders.purchased_at as date) = dates.date_day
where dates.date_day is null
