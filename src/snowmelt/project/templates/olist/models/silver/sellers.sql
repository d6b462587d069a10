-- Grain: one row per seller, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key='seller_id',
    )
}}

select
    ---------- keys
    nullif(trim(seller_id), '') as seller_id,

    ---------- address
    {{ zip_prefix('seller_zip_code_prefix') }} as zip_prefix,
    lower(nullif(trim(seller_city), '')) as city,
    upper(nullif(trim(seller_state), '')) as state,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'sellers') }}
