-- Grain: one row per customer_id, which is one customer in one order; the newest version.

{{
    config(
        materialized='latest_version',
        unique_key='customer_id',
    )
}}

select
    ---------- keys
    nullif(trim(customer_id), '') as customer_id,
    nullif(trim(customer_unique_id), '') as customer_unique_id,

    ---------- address
    {{ zip_prefix('customer_zip_code_prefix') }} as zip_prefix,
    lower(nullif(trim(customer_city), '')) as city,
    upper(nullif(trim(customer_state), '')) as state,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'customers') }}
