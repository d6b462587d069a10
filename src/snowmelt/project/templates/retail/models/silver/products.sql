-- Grain: one row per product, the newest version that has an id.
--
-- A price and a stock below 0, and a rating outside 0 to 5, are 0.

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
    {{ snowmelt.one_line('category') }} as category,
    {{ snowmelt.one_line('brand') }} as brand,
    lower(trim(is_active)) in ('true', 't', 'yes', 'y', '1') as is_active,

    ---------- measures, money in EUR
    {{ not_below_0('cast(price as decimal(18, 2))') }} as price,
    {{ not_below_0(whole_number('stock_quantity')) }} as stock_quantity,
    case when rating between 0 and 5 then rating when rating is not null then 0 end as rating,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'products') }}
