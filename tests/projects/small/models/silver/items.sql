-- Grain: one row per order and line, the newest version.

{{ config(materialized='latest_version', unique_key=['order_id', 'line']) }}

select
    nullif(lower(trim(order_id)), '') as order_id,
    line,
    sku,
    quantity,
    price,
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'items') }}
