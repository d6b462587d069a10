-- Grain: one row per transaction, the newest version that passes the rules; of a customer and
-- product that are known, or not yet, or never.
--
-- An amount is rounded to cents, half up, before the rules see it: 0.004 is nothing.

{{
    config(
        materialized='latest_version',
        unique_key='transaction_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('transaction_id') }} as transaction_id,
    coalesce({{ snowmelt.record_id('customer_id') }}, '') as customer_id,
    coalesce({{ snowmelt.record_id('product_id') }}, '') as product_id,

    ---------- attributes
    coalesce(lower({{ trimmed('payment_method') }}), 'unknown') as payment_method,
    coalesce(lower({{ trimmed('store_type') }}), 'unknown') as store_type,

    ---------- times, UTC
    {{ snowmelt.moment('transaction_date') }} as transaction_at,
    cast({{ snowmelt.moment('transaction_date') }} as date) as sale_date,

    ---------- measures, money in EUR
    quantity,
    cast(total_amount as decimal(18, 2)) as total_amount,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'transactions') }}
