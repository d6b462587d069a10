-- Grain: one row per category, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key='category_name',
    )
}}

select
    ---------- keys
    lower(nullif(trim(product_category_name), '')) as category_name,

    ---------- attributes
    nullif(trim(product_category_name_english), '') as category_name_english,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'product_category_translation') }}
