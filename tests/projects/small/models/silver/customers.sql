-- Grain: one row per customer of the newest snapshot.

{{ config(materialized='latest_version', unique_key='customer_id') }}

select
    nullif(lower(trim(customer_id)), '') as customer_id,
    nullif(upper(trim(state)), '') as state,
    score,
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'customers') }}
