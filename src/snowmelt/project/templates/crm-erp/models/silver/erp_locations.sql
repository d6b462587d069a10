-- Grain: one row per customer number, as the ERP sent it last.

{{
    config(
        materialized='latest_version',
        unique_key='customer_number',
    )
}}

select
    ---------- keys
    {{ customer_number('cid') }} as customer_number,

    ---------- attributes
    case {{ code_text('cntry') }}
        when 'DE' then 'Germany'
        when 'GERMANY' then 'Germany'
        when 'US' then 'United States'
        when 'USA' then 'United States'
        when 'UNITED STATES' then 'United States'
        else coalesce({{ snowmelt.one_line('cntry') }}, 'n/a')
    end as country,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'loc_a101') }}
