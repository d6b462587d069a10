-- Grain: one row per category, as the ERP sent it last.

{{
    config(
        materialized='latest_version',
        unique_key='category_id',
    )
}}

select
    ---------- keys
    replace({{ code_text('id') }}, '-', '_') as category_id,

    ---------- attributes
    {{ snowmelt.one_line('cat') }} as category,
    {{ snowmelt.one_line('subcat') }} as subcategory,
    {{ snowmelt.one_line('maintenance') }} as maintenance,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'px_cat_g1v2') }}
