-- Grain: one row per order, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key='order_id',
    )
}}

select
    ---------- keys
    nullif(trim(order_id), '') as order_id,
    nullif(trim(customer_id), '') as customer_id,

    ---------- attributes
    lower(trim(order_status)) as order_status,

    ---------- times
    cast(order_purchase_timestamp as timestamp) as purchased_at,
    cast(order_approved_at as timestamp) as approved_at,
    cast(order_delivered_carrier_date as timestamp) as carrier_at,
    cast(order_delivered_customer_date as timestamp) as delivered_at,
    cast(order_estimated_delivery_date as date) as estimated_on,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'orders') }}
