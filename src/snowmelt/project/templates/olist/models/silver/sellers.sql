-- Grain: one row per seller, the newest version.

with

arrived as (

    select * from {{ source('bronze', 'sellers') }}

),

typed as (

    select
        ---------- keys
        nullif(trim(seller_id), '') as seller_id,

        ---------- address
        {{ zip_prefix('seller_zip_code_prefix') }} as zip_prefix,
        lower(nullif(trim(seller_city), '')) as city,
        upper(nullif(trim(seller_state), '')) as state,

        ---------- origin
        _file,
        _file_row,
        _load_seq,
        _version_at

    from arrived

),

latest as (

    select *
    from typed
    where seller_id is not null
    qualify row_number() over (
        partition by seller_id
        order by {{ order_of_truth() }}
    ) = 1

)

select * from latest
