-- Grain: one row per version of a product (prd_id), as it was sent last.
--
-- Its end is not taken over: it is often before the start. Gold works it out from the next start.

{{
    config(
        materialized='latest_version',
        unique_key='product_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('prd_id') }} as product_id,
    {{ code_text('prd_key') }} as product_code,
    nullif(replace(left({{ code_text('prd_key') }}, 5), '-', '_'), '') as category_id,
    nullif(substr({{ code_text('prd_key') }}, 7), '') as product_number,

    ---------- attributes
    {{ snowmelt.one_line('prd_nm') }} as product_name,
    case {{ code_text('prd_line') }}
        when 'M' then 'Mountain'
        when 'R' then 'Road'
        when 'S' then 'Other Sales'
        when 'T' then 'Touring'
        else coalesce({{ snowmelt.one_line('prd_line') }}, 'n/a')
    end as product_line,

    ---------- money
    case when prd_cost between 0 and 1000000000 then cast(prd_cost as decimal(18, 2)) end as cost,

    ---------- times
    {{ day_of('prd_start_dt') }} as start_date,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'prd_info') }}
