-- Grain: one row per product, the newest version.

{{
    config(
        materialized='latest_version',
        unique_key='product_id',
    )
}}

select
    ---------- keys
    nullif(trim(product_id), '') as product_id,

    ---------- attributes
    lower(nullif(trim(product_category_name), '')) as category_name,
    product_name_lenght as name_length,
    product_description_lenght as description_length,
    product_photos_qty as photo_count,

    ---------- measures
    product_weight_g as weight_g,
    product_length_cm as length_cm,
    product_height_cm as height_cm,
    product_width_cm as width_cm,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'products') }}
