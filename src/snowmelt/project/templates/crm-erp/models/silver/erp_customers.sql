-- Grain: one row per customer number, as the ERP sent it last.
--
-- A birth date after the day of its file is none. The file's day decides, not today's: so the row
-- comes out the same whenever it is built.

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
    case
        when {{ day_of('bdate') }} <= cast(_version_at as date) then {{ day_of('bdate') }}
    end as birth_date,
    {{ gender('gen') }} as gender,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'cust_az12') }}
