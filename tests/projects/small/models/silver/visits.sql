-- Grain: one row per visit, the newest version.

{{ config(materialized='latest_version', unique_key='visit_id') }}

select
    visit_id,
    nullif(lower(trim(customer_id)), '') as customer_id,
    pages,
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'visits') }}
