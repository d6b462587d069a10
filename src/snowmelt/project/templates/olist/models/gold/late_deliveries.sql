-- Grain: one row per order that was delivered on a day after the promised one.

{{ config(materialized='view') }}

select
    ---------- keys
    order_id,
    customer_unique_id,

    ---------- attributes
    customer_state,

    ---------- times
    purchased_at,
    estimated_on,
    cast(delivered_at as date) as delivered_on,

    ---------- measures, money in BRL
    {{ dbt.datediff('estimated_on', 'cast(delivered_at as date)', 'day') }} as days_late,
    order_value,
    review_score

from {{ ref('fct_orders') }}
where is_late
