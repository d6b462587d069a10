-- Grain: one row per order and payment of it, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key=['order_id', 'payment_sequential'],
    )
}}

select
    ---------- keys
    nullif(trim(order_id), '') as order_id,
    payment_sequential,

    ---------- attributes
    lower(trim(payment_type)) as payment_type,
    payment_installments,

    ---------- money, BRL
    cast(payment_value as decimal(18, 2)) as payment_value,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'order_payments') }}
