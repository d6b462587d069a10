-- Grain: one row per product, the newest version that passes the rules.
--
-- A price is rounded to cents, half up, before the rules see it: 0.004 is no price.

{{
    config(
        materialized='latest_version',
        unique_key='product_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('product_id') }} as product_id,

    ---------- attributes
    {{ snowmelt.one_line('name') }} as name,
    {{ title_case(snowmelt.one_line('category')) }} as category,

    ---------- money, EUR
    cast(price as decimal(18, 2)) as price,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'products') }}
