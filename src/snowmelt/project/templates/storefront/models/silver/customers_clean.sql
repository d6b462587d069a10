-- Grain: one row per customer, the newest version that passes the rules.

{{
    config(
        materialized='latest_version',
        unique_key='customer_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('customer_id') }} as customer_id,

    ---------- attributes
    {{ title_case(snowmelt.one_line('name')) }} as name,
    upper({{ snowmelt.one_line('country') }}) as country,
    lower(nullif(trim(email), '')) as email,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'customers') }}
