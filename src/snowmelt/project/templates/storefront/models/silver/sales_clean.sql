-- Grain: one row per sale, the newest version that passes the rules; with customer and product
-- or without.

{{
    config(
        materialized='latest_version',
        unique_key='sale_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('sale_id') }} as sale_id,
    {{ snowmelt.record_id('customer_id') }} as customer_id,
    {{ snowmelt.record_id('product_id') }} as product_id,

    ---------- measures
    quantity,

    ---------- times
    {{ sale_day('sale_date') }} as sale_date,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'sales') }}
