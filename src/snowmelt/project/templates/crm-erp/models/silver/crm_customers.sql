-- Grain: one row per customer of the CRM, the version with the newest cst_create_date.

{{
    config(
        materialized='latest_version',
        unique_key='customer_id',
        newest_by='create_date',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('cst_id') }} as customer_id,
    {{ customer_number('cst_key') }} as customer_number,

    ---------- attributes
    {{ snowmelt.one_line('cst_firstname') }} as first_name,
    {{ snowmelt.one_line('cst_lastname') }} as last_name,
    case
        when {{ code_text('cst_marital_status') }} in ('S', 'SINGLE') then 'Single'
        when {{ code_text('cst_marital_status') }} in ('M', 'MARRIED') then 'Married'
        else 'n/a'
    end as marital_status,
    {{ gender('cst_gndr') }} as gender,

    ---------- times
    {{ day_of('cst_create_date') }} as create_date,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'cust_info') }}
