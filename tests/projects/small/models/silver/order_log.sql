-- Grain: one row per record of an order, every version that came.

{{ config(materialized='latest_version') }}

select
    nullif(lower(trim(order_id)), '') as order_id,
    nullif(lower(trim(customer_id)), '') as customer_id,
    nullif(upper(trim(ship_state)), '') as ship_state,
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'orders') }}
