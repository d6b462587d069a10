-- Grain: one row per transaction.
--
-- A view: what a transaction is stands in silver once, and is not copied. Each of its customers
-- and products is in a dimension.

{{ config(materialized='view') }}

select
    ---------- keys
    transaction_id,
    sale_date,
    customer_id,
    product_id,

    ---------- attributes
    payment_method,
    store_type,

    ---------- times, UTC
    transaction_at,

    ---------- measures, money in EUR
    quantity,
    total_amount

from {{ ref('transactions') }}
