-- Grain: one row per order and position in it, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key=['order_id', 'order_item_id'],
    )
}}

select
    ---------- keys
    nullif(trim(order_id), '') as order_id,
    order_item_id,
    nullif(trim(product_id), '') as product_id,
    nullif(trim(seller_id), '') as seller_id,

    ---------- money, BRL
    cast(price as decimal(18, 2)) as price,
    cast(freight_value as decimal(18, 2)) as freight_value,

    ---------- times
    cast(shipping_limit_date as timestamp) as shipping_limit_at,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'order_items') }}
