-- Grain: one row per customer_id, which is one customer in one order; the newest version.

{{
    config(
        materialized='incremental',
        incremental_strategy='merge',
        unique_key='customer_id',
    )
}}

with

arrived as (

    select * from {{ source('bronze', 'customers') }}
    {{ since_last_read() }}

),

typed as (

    select
        ---------- keys
        nullif(trim(customer_id), '') as customer_id,
        nullif(trim(customer_unique_id), '') as customer_unique_id,

        ---------- address
        {{ zip_prefix('customer_zip_code_prefix') }} as zip_prefix,
        lower(nullif(trim(customer_city), '')) as city,
        upper(nullif(trim(customer_state), '')) as state,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

versions as (

    select * from typed

    {{ union_known_versions('typed', ['customer_id']) }}

),

latest as (

    select *
    from versions
    where customer_id is not null
    qualify row_number() over (
        partition by customer_id
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
