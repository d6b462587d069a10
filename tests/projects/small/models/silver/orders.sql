-- Grain: one row per order, the newest version by business time.

{{ config(materialized='latest_version', unique_key='order_id', newest_by='updated_at') }}

select
    ---------- keys
    nullif(lower(trim(order_id)), '') as order_id,
    nullif(lower(trim(customer_id)), '') as customer_id,

    ---------- attributes
    lower(trim(status)) as status,
    amount,
    ordered_on,
    updated_at,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'orders') }}
