-- Grain: one row per customer, the newest version that passes the rules.
--
-- What a type, an age, a gender or a sum cannot be is put right here and refuses nobody.

{{
    config(
        materialized='latest_version',
        unique_key='customer_id',
    )
}}

select
    ---------- keys
    {{ snowmelt.record_id('customer_id') }} as customer_id,

    ---------- attributes
    {{ snowmelt.one_line('name') }} as name,
    lower(nullif(trim(email), '')) as email,
    {{ snowmelt.one_line('country') }} as country,
    case
        when upper(trim(customer_type)) in ('R', 'REG', 'REGULAR') then 'Regular'
        when upper(trim(customer_type)) in ('P', 'PREM', 'PREMIUM') then 'Premium'
        else 'Unknown'
    end as customer_type,
    customer_type as customer_type_given,
    case
        when upper(trim(gender)) in ('M', 'MALE') then 'Male'
        when upper(trim(gender)) in ('F', 'FEMALE') then 'Female'
        else 'Other'
    end as gender,
    case
        when {{ whole_number('age') }} between 18 and 120 then {{ whole_number('age') }}
    end as age,

    ---------- times
    cast({{ snowmelt.moment('registration_date') }} as date) as registration_date,

    ---------- money, EUR
    {{ not_below_0('cast(total_purchases as decimal(18, 2))') }} as total_purchases,

    ---------- origin
    _file,
    _file_row,
    _load_seq,
    _version_at

from {{ snowmelt.stream('bronze', 'customers') }}
